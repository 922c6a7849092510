//! The report of a change of mode, with its timeline.

use std::borrow::Cow;

use drstack_core::address::ComponentAddress;
use drstack_core::verdict::{Pool, Verdict};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::data::Data;

/// The moments of a change of mode. A moment is null if it did not occur or has no step.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Clock {
    /// The outage was noticed: the time that the operator named, else the start of the command.
    pub detected: Option<Timestamp>,
    /// The operator approved.
    pub decided: Option<Timestamp>,
    /// The backlog was empty, which a planned failover waits for.
    // The schema does not require it: the first reports did not have it.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub drained: Option<Timestamp>,
    /// The first run of this change of mode began, where that is an earlier one.
    // The schema does not require it: the first reports did not have it.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub first_run: Option<Timestamp>,
    /// The run began its steps.
    pub started: Option<Timestamp>,
    /// The last data was restored.
    // The schema does not require it: the first reports did not have it.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub data: Option<Timestamp>,
    /// All desired instances serve.
    pub capacity: Option<Timestamp>,
    /// The last check passed.
    pub checked: Option<Timestamp>,
    /// Traffic has moved.
    pub traffic: Option<Timestamp>,
    /// The run ended.
    pub done: Option<Timestamp>,
    /// All that was asked for has served since then, which is before this run.
    // The schema does not require it: the first reports did not have it.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub served: Option<Timestamp>,
}

impl Clock {
    /// Returns when all that the run had to do for users was done: the last of data, capacity, checks
    /// and traffic, else the end of the run.
    pub fn reached(&self) -> Option<Timestamp> {
        [self.data, self.capacity, self.checked, self.traffic].into_iter().flatten().max().or(self.done)
    }

    /// Returns the seconds until [`Clock::reached`].
    pub(crate) fn recovery(&self, ramped: &Ramped) -> Option<f64> {
        self.took(self.reached()?, ramped)
    }

    /// Returns the seconds from the detection to `at`.
    ///
    /// Waiting for replication and the time that is only `ramped` do not count, since the primary
    /// serves meanwhile.
    pub(crate) fn took(&self, at: Timestamp, ramped: &Ramped) -> Option<f64> {
        let since = self.drained.or(self.detected).or(self.decided)?;
        Some((at.duration_since(since) - ramped.before(at)).as_secs_f64().max(0.0))
    }
}

/// The stretches of a run in which it only ramped traffic.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ramped(pub(crate) Vec<(Timestamp, Timestamp)>);

impl Ramped {
    /// Returns how much of them lies before `at`: a component that served before the ramp waited for
    /// none of it.
    pub(crate) fn before(&self, at: Timestamp) -> SignedDuration {
        let parts = self.0.iter().filter(|(begin, _)| *begin < at);
        parts.fold(SignedDuration::ZERO, |sum, (begin, end)| sum + at.min(*end).duration_since(*begin))
    }

    /// Returns their sum.
    pub(crate) fn whole(&self) -> SignedDuration {
        self.before(Timestamp::MAX)
    }
}

/// The RTO of one component, and the time that it took.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Objective {
    /// The component.
    pub component: ComponentAddress,
    /// Its RTO, in seconds.
    pub rto_seconds: i64,
    /// Time in seconds until its last step was done, from where the stack's time starts.
    pub recovery_seconds: f64,
}

impl Objective {
    /// True if the component took longer than its RTO.
    pub fn missed(&self) -> bool {
        self.recovery_seconds > self.rto_seconds as f64
    }
}

/// The report of a failover or a failback. It holds addresses, times and counts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The stack.
    pub stack: String,
    /// `failover` or `failback`.
    #[schemars(extend("enum" = ["failover", "failback"]))]
    pub purpose: Cow<'static, str>,
    /// The run.
    pub run: String,
    /// The region that serves from now on.
    pub region: String,
    /// The epoch, which rises with each change of mode.
    #[schemars(range(min = 1))]
    pub epoch: u64,
    /// True if every step is done.
    pub complete: bool,
    /// The verdict on a failover; null for a failback.
    pub verdict: Option<Verdict>,
    /// True if the region served all of this before the run.
    // The schema does not require it: the first reports did not have it.
    #[serde(default)]
    pub served_before: bool,
    /// The moments of the change.
    pub clock: Clock,
    /// Time in seconds until the new region serves: until checks passed and traffic moved, if the
    /// stack has any.
    ///
    /// It starts at the detection; for a failback, at the decision; for a planned failover, when
    /// replication had drained. Null if it is not known that the region serves.
    pub recovery_seconds: Option<f64>,
    /// Time in seconds in which a planned failover only moved traffic share by share, or null.
    ///
    /// `recovery_seconds` leaves it out, since the primary serves meanwhile.
    pub ramped_seconds: Option<f64>,
    /// The stack's RTO, in seconds; null if it has none.
    pub rto_seconds: Option<i64>,
    /// True if the operator accepted less than the stack wants, in this run of the failover or an
    /// earlier one.
    // The schema does not require it: the first reports did not have it.
    #[schemars(skip_serializing_if = "std::ops::Not::not")]
    pub accepted: bool,
    /// Time in seconds until all served that allows itself no longer RTO than the stack's, which that one
    /// judges; null where `recovery_seconds` is.
    // The schema does not require it: the first reports did not have it.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub covered_seconds: Option<f64>,
    /// Components whose RTO differs from the stack's.
    // As above.
    #[schemars(skip_serializing_if = "Vec::is_empty")]
    pub objectives: Vec<Objective>,
    /// Components that stay in the primary region, since only a part was asked for.
    // As above.
    #[schemars(skip_serializing_if = "Vec::is_empty")]
    pub in_primary: Vec<ComponentAddress>,
    /// What serves and no check has asked.
    // As above.
    #[schemars(skip_serializing_if = "Vec::is_empty")]
    pub unasked: Vec<ComponentAddress>,
    /// Names of which nobody knows whether they lead users to the new region.
    // As above.
    #[serde(default)]
    #[schemars(skip_serializing_if = "Vec::is_empty")]
    pub unled: Vec<ComponentAddress>,
    /// Data lost: drstack does not measure it yet.
    pub rpo: Cow<'static, str>,
    /// The moment that each restored table dates from.
    pub restored: Vec<String>,
    /// Instances in service before, at the lowest count, and after; null without pools.
    pub in_service: Option<InService>,
    /// The pools that are to serve, with their instances in service.
    pub pools: Vec<Pool>,
    /// Groups that a failback left on-demand although their target is spot, with the instances.
    pub on_demand: Vec<String>,
    /// Steps that are done with less than desired or with a substitute.
    pub degraded: Vec<String>,
    /// Failed steps, with their errors.
    pub failed: Vec<String>,
    /// What the plan has no step for, since it was not possible, and why.
    pub blocked: Vec<String>,
    /// Age of the oldest fact that the run worked from, in seconds.
    pub facts_age_seconds: Option<i64>,
    /// Both sides of the data, compared before the change; for a failback, how they had diverged.
    pub data: Vec<Data>,
    /// Restored tables, which drstack does not compare: writes to them stay in the standby region.
    pub not_compared: Vec<String>,
    /// Data that a planned failover did not wait for, by component. What had not arrived of it is in
    /// the primary alone.
    #[serde(default)]
    pub not_awaited: Vec<String>,
    /// Data in the standby region that nobody could look at, by component: it counts as the last apply left
    /// it.
    #[serde(default)]
    pub not_looked_at: Vec<ComponentAddress>,
    /// Calls that were refused because they would have left the standby region. Empty unless
    /// drstack has a defect.
    pub refused_calls: Vec<String>,
}

/// Instances in service over a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InService {
    /// The count when the run began.
    pub before: u32,
    /// The lowest count.
    pub fewest: u32,
    /// The count when the run ended.
    pub after: u32,
}

impl Report {
    /// True for a failover, planned or not; false for a failback.
    pub fn is_failover(&self) -> bool {
        self.verdict.is_some()
    }

    /// True if an objective was missed: the stack's RTO, or one of a component's.
    pub fn missed(&self) -> bool {
        self.is_late() || self.objectives.iter().any(Objective::missed)
    }

    /// True if what the stack's RTO judges took longer than that. A part is not held against it.
    pub fn is_late(&self) -> bool {
        match (self.covered_seconds, self.rto_seconds) {
            (Some(took), Some(rto)) if self.in_primary.is_empty() => took > rto as f64,
            _ => false,
        }
    }

    /// Returns the moments that occurred, in order, with their names.
    pub fn moments(&self) -> Vec<(&'static str, Timestamp)> {
        let Clock { detected, first_run, decided, drained, started, .. } = self.clock;
        let Clock { data, capacity, checked, traffic, done, .. } = self.clock;
        let all = [
            ("detected", detected),
            ("first run started", first_run),
            ("decided", decided),
            ("replication drained", drained),
            ("started", started),
            ("data restored", data),
            ("capacity reached", capacity),
            ("checks passed", checked),
            (if self.unled.is_empty() { "traffic moved" } else { "traffic switched" }, traffic),
            ("done", done),
        ];
        let mut came: Vec<_> = all.into_iter().filter_map(|(name, at)| Some((name, at?))).collect();
        came.sort_by_key(|(_, at)| *at);
        came
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serves_before_a_ramp_waited_for_none_of_it() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let ramped = Ramped(vec![(at(100), at(160)), (at(200), at(260))]);
        let clock = Clock { decided: Some(at(0)), ..Clock::default() };
        let took = |seconds| clock.took(at(seconds), &ramped);
        assert_eq!([took(90), took(130), took(180), took(300)], [90.0, 100.0, 120.0, 180.0].map(Some));
        assert_eq!(ramped.whole().as_secs(), 120);
    }
}
