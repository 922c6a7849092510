//! The DNS weights kind: the shares of traffic of a pair of weighted records.
//!
//! A share may change in steps, each held for a while in which the side that gains has to answer
//! well. This returns users to a region after a failback, and moves them to the standby in a
//! planned failover.
//!
//! The current shares record the progress, so a later run continues from there. The primary's and
//! the standby's share sum to 100 in every change: at every moment one of them has answers.

use std::time::Duration;

use drstack_core::kind::{
    Action, Capabilities, Erased, FieldChange, Kind, Lookup, Operation, Place, Revised, Role, Traffic,
};
use drstack_core::link::Link;
use serde::{Deserialize, Serialize};

use crate::services::operation;

/// Maximum number of shares of one ramp: each takes a minute or more, and a ramp should take no
/// longer than half an hour.
pub const MOST_SHARES: usize = 10;

/// The desired state of DNS weights.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DnsWeightsSpec {
    /// The pair of records.
    pub pair: Link,
    /// The primary's share of 100 answers.
    pub share: u32,
    /// Intermediate shares on the way there, up or down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<u32>,
    /// The condition before a side gains, and after it has all; none to change without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
}

/// The gate of a ramp: the side that gains has to answer users' requests well for a while.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Gate {
    /// The URL that users request.
    pub url: String,
    /// DNS name of the host that has to answer.
    pub host: String,
    /// The check with which Route 53 probes the host; none for the standby region, which has no
    /// check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Link>,
    /// Seconds for which it has to answer well.
    pub seconds: u32,
    /// The primary's share at the start of the ramp, restored if the side that gains answers badly.
    #[serde(default, skip_serializing_if = "is_none")]
    pub back: u32,
}

fn is_none(share: &u32) -> bool {
    *share == 0
}

/// DNS weights as Route 53 reports them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DnsWeightsLive {
    /// Zone and name of the pair.
    pub pair: String,
    /// The primary's share of 100 while it is healthy.
    pub primary: u32,
}

impl DnsWeightsSpec {
    /// Returns the share that follows this one.
    pub fn next(&self, share: u32) -> u32 {
        let steps = self.steps.iter().copied();
        match share < self.share {
            true => steps.filter(|step| (share + 1..self.share).contains(step)).min(),
            false => steps.filter(|step| (self.share + 1..share).contains(step)).max(),
        }
        .unwrap_or(self.share)
    }

    /// Returns the gate for a change from the share `stands` to `next`; none if a side only gets
    /// back its earlier share.
    pub fn gate(&self, stands: u32, next: u32) -> Option<&Gate> {
        self.gate.as_ref().filter(|gate| (next > stands) == gate.raises(self.share))
    }
}

impl Gate {
    /// True if the primary gains on the way to its `share`.
    pub fn raises(&self, share: u32) -> bool {
        share > self.back
    }
}

/// The DNS weights kind.
pub struct DnsWeights;

impl Kind for DnsWeights {
    const NAME: &'static str = "dns-weights";
    const SUMMARY: &'static str = "weights of a pair of Route 53 records, raised share by share";
    const LOOKUP: Lookup = Lookup::Name;
    const PLACES: &'static [Place] = &[Place::Global];
    const ROLE: Role = Role::Setting;
    const OPERATIONS: &'static [Operation] = &[
        operation("route53", "ChangeResourceRecordSets"),
        operation("route53", "GetHealthCheckStatus"),
        operation("route53", "ListResourceRecordSets"),
    ];
    const CAPABILITIES: Capabilities = Capabilities {
        traffic: Some(&Erased::<Self>::NEW),
        revised: Some(&Erased::<Self>::NEW),
        needs_both_regions: true,
        ..Capabilities::NONE
    };
    type Spec = DnsWeightsSpec;
    type Live = DnsWeightsLive;

    fn diff(spec: &DnsWeightsSpec, live: &DnsWeightsLive) -> Vec<FieldChange> {
        let changes = [
            FieldChange::of("pair", &live.pair.as_str(), &spec.pair.text()),
            FieldChange::of("primary", &live.primary, &spec.share),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &DnsWeightsSpec, _id: &str) -> DnsWeightsLive {
        DnsWeightsLive { pair: spec.pair.text().to_owned(), primary: spec.share }
    }

    fn links(live: &DnsWeightsLive) -> Vec<String> {
        vec![live.pair.clone()]
    }

    fn prior(_action: Action) -> Duration {
        Duration::from_secs(3)
    }
}

impl Traffic for DnsWeights {
    fn holds(spec: &DnsWeightsSpec) -> Duration {
        // One hold before each share and one after the last; fewer if the ramp is partly done.
        let Some(gate) = &spec.gate else { return Duration::ZERO };
        let times = u32::try_from(spec.steps.len()).unwrap_or(u32::MAX).saturating_add(2);
        Duration::from_secs(gate.seconds.into()).saturating_mul(times)
    }

    fn held(spec: &DnsWeightsSpec, live: &DnsWeightsLive) -> [Duration; 2] {
        let next = spec.next(live.primary);
        let Some(gate) = spec.gate(live.primary, next) else { return [Duration::ZERO; 2] };
        let hold = Duration::from_secs(gate.seconds.into());
        [hold, if next == spec.share { hold } else { Duration::ZERO }]
    }
}

impl Revised for DnsWeights {
    const ROUNDS: usize = MOST_SHARES;

    fn expect_after(spec: &DnsWeightsSpec, _id: &str, before: &DnsWeightsLive) -> DnsWeightsLive {
        DnsWeightsLive { pair: spec.pair.text().to_owned(), primary: spec.next(before.primary) }
    }
}

#[cfg(feature = "aws")]
mod aws;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn ramp(shares: &[u32]) -> DnsWeightsSpec {
        let (share, steps) = shares.split_last().unwrap();
        let pair = Link::Known("Z1/api.example.com".into());
        DnsWeightsSpec { pair, share: *share, steps: steps.to_vec(), gate: None }
    }

    /// Returns the sides that Route 53 may answer with (developer guide, weighted routing and
    /// health checks): the healthy ones with a weight, else the healthy ones of weight 0, else all.
    ///
    /// The standby has no check and counts as healthy.
    fn answered(share: u32, primary_is_healthy: bool) -> BTreeSet<&'static str> {
        let sides = [("primary", share, primary_is_healthy), ("standby", 100 - share, true)];
        let of = |weighted: bool| {
            let those = sides.iter().filter(|(_, weight, healthy)| (*weight > 0) == weighted && *healthy);
            those.map(|(side, ..)| *side).collect::<BTreeSet<_>>()
        };
        let all = || sides.iter().map(|(side, ..)| *side).collect();
        [of(true), of(false)].into_iter().find(|them| !them.is_empty()).unwrap_or_else(all)
    }

    const RAMPS: [&[u32]; 6] =
        [&[5, 25, 100], &[100], &[4, 22, 90], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], &[0], &[80]];
    /// Ramps of planned failovers.
    const DOWN: [&[u32]; 3] = [&[95, 75, 0], &[86, 68, 0], &[5, 4, 3, 2, 1, 0]];

    /// In any state, wherever a ramp is interrupted: never both sides off, and never a dead
    /// primary.
    #[test]
    fn one_side_is_answered_in_every_state_and_never_a_dead_primary() {
        for shares in RAMPS.into_iter().chain(DOWN) {
            for from in 0..=100 {
                let mut share = from;
                for _ in 0..=MOST_SHARES {
                    assert_eq!(answered(share, false), BTreeSet::from(["standby"]), "{shares:?} at {share}");
                    let both = answered(share, true);
                    assert!(
                        !both.is_empty() && both.contains("standby") == (share < 100),
                        "{share}: {both:?}"
                    );
                    assert_eq!(both.contains("primary"), share > 0, "{share}: {both:?}");
                    share = ramp(shares).next(share);
                }
            }
        }
    }

    #[test]
    fn a_ramp_takes_every_share_in_turn_and_goes_on_from_the_one_that_stands() {
        for shares in RAMPS {
            let (spec, last) = (ramp(shares), *shares.last().unwrap());
            for from in 0..=100 {
                let mut walked = vec![from];
                while walked.last() != Some(&last) {
                    walked.push(spec.next(*walked.last().unwrap()));
                }
                let missing: Vec<&u32> =
                    shares.iter().filter(|it| **it > from && !walked.contains(it)).collect();
                assert!(missing.is_empty() && walked.len() <= shares.len() + 1, "{shares:?}: {walked:?}");
                // Going down takes one step, and never ends at a share too high.
                assert!(walked.iter().skip(1).all(|it| *it <= last), "{shares:?}: {walked:?}");
            }
        }
    }

    #[test]
    fn what_is_held_is_held_before_each_share_and_after_the_last() {
        let gate = Gate { url: "u".into(), host: "h".into(), check: None, seconds: 60, back: 90 };
        let gated = DnsWeightsSpec { gate: Some(gate), ..ramp(&[86, 68, 0]) };
        assert_eq!(DnsWeights::holds(&gated), Duration::from_secs(240));
        assert_eq!(DnsWeights::holds(&ramp(&[86, 68, 0])), Duration::ZERO);
        let held = |primary| {
            let live = DnsWeightsLive { pair: "Z1/api.example.com".to_owned(), primary };
            DnsWeights::held(&gated, &live).map(|it| it.as_secs())
        };
        assert_eq!([90, 86, 68].map(held), [[60, 0], [60, 0], [60, 60]]);
    }

    #[test]
    fn the_standby_gets_every_share_in_turn_and_only_what_a_side_gains_is_gated() {
        for shares in DOWN {
            let gate = Gate { url: "u".into(), host: "h".into(), check: None, seconds: 1, back: 90 };
            let spec = DnsWeightsSpec { gate: Some(gate), ..ramp(shares) };
            for from in 0..=100 {
                let mut walked = vec![from];
                while walked.last() != Some(&0) {
                    walked.push(spec.next(*walked.last().unwrap()));
                }
                let all: Vec<u32> = shares.iter().copied().filter(|it| *it < from).collect();
                assert_eq!(walked[1..], all, "{shares:?} from {from}");
                assert!(walked.windows(2).all(|two| spec.gate(two[0], two[1]).is_some()), "{walked:?}");
            }
            assert!(spec.gate(5, 90).is_none(), "going back waits for nobody");
        }
    }
}
