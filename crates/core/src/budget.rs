//! Launch budget: how fast an account may launch instances, and whether those of a failover fit
//! into the RTO; pure.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;

use crate::address::ComponentAddress;
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::graph::Graph;
use crate::kind::{Demand, KindRegistry, ShapeError};
use crate::stack::Stack;

/// Burst of instances that an account may launch in a region: EC2's resource bucket of
/// RunInstances, by default
/// (<https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>).
pub const AT_ONCE: u32 = 1000;

/// Instances per second that it may launch after the burst; same source.
pub const PER_SECOND: u32 = 2;

/// Most launches in one part: a minute's worth.
///
/// Fewer would mean endless calls, more would keep other pools waiting.
const PART: u32 = PER_SECOND * 60;

/// The budget of one account and region, which refills as time passes.
///
/// The engine and the forecast use the same one, each with its own clock. Times are since the start
/// of the run.
#[derive(Clone, Debug)]
pub struct LaunchBudget {
    left: u32,
    /// Time of the last refill.
    at: Duration,
}

impl LaunchBudget {
    /// Creates the budget of a run that begins now: EC2 says nothing of what is left, so all is.
    pub fn full() -> Self {
        Self { left: AT_ONCE, at: Duration::ZERO }
    }

    /// Takes `wanted` launches at `now` if there are as many.
    pub fn take_at_once(&mut self, now: Duration, wanted: u32) -> bool {
        self.refill(now);
        let is_enough = self.left >= wanted;
        if is_enough {
            self.left -= wanted;
        }
        is_enough
    }

    /// Returns when there are enough launches for the next part of `wanted`; `now` at the earliest.
    pub fn enough_at(&mut self, now: Duration, wanted: u32) -> Duration {
        self.refill(now);
        match wanted.min(PART).saturating_sub(self.left) {
            0 => now,
            lacking => self.at + spent_on(lacking),
        }
    }

    /// Takes what is there at `now`, up to `wanted` launches.
    pub fn take(&mut self, now: Duration, wanted: u32) -> u32 {
        self.refill(now);
        let taken = self.left.min(wanted);
        self.left -= taken;
        taken
    }

    fn refill(&mut self, now: Duration) {
        let due = now.saturating_sub(self.at).as_millis() * u128::from(PER_SECOND) / 1000;
        let due = u32::try_from(due).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(due).min(AT_ONCE);
        // Fractions of a launch stay due.
        self.at = if self.left == AT_ONCE { now } else { self.at + spent_on(due) };
    }
}

/// Returns the time in which the budget grows by this many launches.
fn spent_on(launches: u32) -> Duration {
    Duration::from_millis(u64::from(launches) * 1000 / u64::from(PER_SECOND))
}

/// Returns the shortest time in which EC2 lets an account launch `instances`.
pub fn shortest(instances: u32) -> Duration {
    Duration::from_secs(u64::from(instances.saturating_sub(AT_ONCE).div_ceil(PER_SECOND)))
}

/// Checks the RTO against the launches from `standby` to `active`.
///
/// # Errors
/// A spec that does not have its kind's shape.
pub fn check(
    stack: &Stack,
    standby: &Graph,
    active: &Graph,
    kinds: &KindRegistry,
) -> Result<Option<Diagnostic>, ShapeError> {
    let (before, after) = (demands(standby, kinds)?, demands(active, kinds)?);
    let mut total = 0;
    let mut largest: Option<(&ComponentAddress, u32)> = None;
    for (component, demand) in &after {
        let launched = launched(before.get(component), demand);
        total += launched;
        if largest.is_none_or(|(_, most)| launched > most) {
            largest = Some((component, launched));
        }
    }
    let rto = |component: &ComponentAddress| stack.components.get(component)?.objective.rto;
    let Some(rto) = after.keys().filter_map(rto).min() else { return Ok(None) };
    let needed = shortest(total);
    let needed = SignedDuration::try_from(needed).unwrap_or(SignedDuration::MAX);
    let severity = match (needed > rto, needed * 2 > rto) {
        (true, _) => Severity::Error,
        (false, true) => Severity::Warning,
        (false, false) => return Ok(None),
    };
    let over = total - AT_ONCE;
    let message = format!(
        "a failover launches {total} instances: EC2 allows {AT_ONCE} at once and {PER_SECOND} a second after that, \
         so the other {over} take {needed:#}, and the RTO is {rto:#}"
    );
    let origin = largest.and_then(|(component, _)| stack.components.get(component)?.origin.first().cloned());
    Ok(Some(Diagnostic {
        code: "DR240",
        severity,
        message,
        labels: origin
            .map(|span| Label { span, text: "the largest of them".to_owned() })
            .into_iter()
            .collect(),
        help: Some(
            "run a larger share in standby, use larger instance types, or have AWS raise the budget"
                .to_owned(),
        ),
    }))
}

/// Returns the launches of one component.
///
/// Spot instances keep serving until others have replaced them, so they save no launch of an
/// on-demand one.
fn launched(before: Option<&Demand>, after: &Demand) -> u32 {
    let on_demand = |demand: &Demand| demand.instances(demand.on_demand);
    let spot = |demand: &Demand| demand.instances(demand.count - demand.on_demand);
    let (on_demand_before, spot_before) = before.map_or((0, 0), |it| (on_demand(it), spot(it)));
    on_demand(after).saturating_sub(on_demand_before) + spot(after).saturating_sub(spot_before)
}

fn demands(graph: &Graph, kinds: &KindRegistry) -> Result<BTreeMap<ComponentAddress, Demand>, ShapeError> {
    let mut demands = BTreeMap::new();
    for resource in graph.resources.values() {
        if let Some(capacity) = kinds.get(&resource.kind).and_then(|kind| kind.capacity()) {
            demands.insert(resource.address.component(), capacity.demand(&resource.spec)?);
        }
    }
    Ok(demands)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(count: u32, on_demand: u32) -> Demand {
        Demand { types: Vec::new(), weights: BTreeMap::new(), count, on_demand }
    }

    #[test]
    fn the_first_thousand_are_free_and_the_rest_take_half_a_second_each() {
        assert_eq!(shortest(1000), Duration::ZERO);
        assert_eq!(shortest(1001), Duration::from_secs(1));
        assert_eq!(shortest(2300), Duration::from_secs(650));
    }

    #[test]
    fn warm_spot_instances_save_no_on_demand_launch() {
        assert_eq!(launched(Some(&demand(10, 0)), &demand(40, 40)), 40);
        assert_eq!(launched(Some(&demand(10, 10)), &demand(40, 40)), 30);
        assert_eq!(launched(Some(&demand(10, 0)), &demand(40, 0)), 30);
        assert_eq!(launched(None, &demand(40, 40)), 40);
    }
}
