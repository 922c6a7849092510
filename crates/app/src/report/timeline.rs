//! A change of mode as a timeline.

use drstack_core::verdict::{Pool, Verdict};
use jiff::Timestamp;
use serde::Serialize;

use super::data::Data;

/// When what happened. Moments that did not come, or that nothing stands for, are none.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Clock {
    /// The outage was noticed: as the operator says, else when the command was started.
    pub detected: Option<Timestamp>,
    /// The operator approved.
    pub decided: Option<Timestamp>,
    /// Nothing was left to replicate: a planned failover waits for that.
    pub drained: Option<Timestamp>,
    /// The first step began.
    pub started: Option<Timestamp>,
    /// All instances that are wanted serve.
    pub capacity: Option<Timestamp>,
    /// The last check holds.
    pub checked: Option<Timestamp>,
    /// Traffic has moved.
    pub traffic: Option<Timestamp>,
    /// The run ended.
    pub done: Option<Timestamp>,
}

/// How a failover, or a failback, went. Holds addresses, times and counts.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The stack.
    pub stack: String,
    /// `failover` or `failback`.
    pub purpose: &'static str,
    /// The run.
    pub run: String,
    /// The region that serves from now on.
    pub region: String,
    /// Rises at each change of mode.
    pub epoch: u64,
    /// Whether every step is done.
    pub complete: bool,
    /// What a failover has come to; none of a failback.
    pub verdict: Option<Verdict>,
    /// When what happened.
    pub clock: Clock,
    /// From the detection (of a failback: from the decision; of a planned failover: from when replication had drained) until it serves: until checks pass and traffic has moved, where there are any.
    pub recovery_seconds: Option<f64>,
    /// For how long a planned failover did nothing but move traffic share by share, which `recovery_seconds` leaves out: the primary serves
    /// meanwhile.
    pub ramped_seconds: Option<f64>,
    /// What the stack asks for.
    pub rto_seconds: Option<i64>,
    /// Data lost: drstack does not measure it yet.
    pub rpo: &'static str,
    /// Of which moment restored data is.
    pub restored: Vec<String>,
    /// Instances that served before, and the fewest that did on the way; none where there were no pools.
    pub in_service: Option<InService>,
    /// What is to serve, and how many instances of it do.
    pub pools: Vec<Pool>,
    /// What a failback has left on-demand where spot instances are wanted.
    pub on_demand: Vec<String>,
    /// What is done with less than was wanted.
    pub degraded: Vec<String>,
    /// Steps that failed, and why.
    pub failed: Vec<String>,
    /// How old the facts were that it worked from.
    pub facts_age_seconds: Option<i64>,
    /// How the two sides of the data compared before: of a failback what had gone apart.
    pub data: Vec<Data>,
    /// Restored tables, which drstack does not compare: writes to them stay in the standby region.
    pub not_compared: Vec<String>,
    /// Calls that were refused since they would have left the standby region; always none unless drstack is wrong.
    pub refused_calls: Vec<String>,
}

/// Instances that serve, over the run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct InService {
    /// When the run began.
    pub before: u32,
    /// The fewest that were counted.
    pub fewest: u32,
    /// When it ended.
    pub after: u32,
}

impl Report {
    /// True for a failover, planned or not; false for a failback.
    pub fn is_failover(&self) -> bool {
        self.verdict.is_some()
    }

    /// Whether it took longer than the stack asks for.
    pub fn missed(&self) -> bool {
        match (self.recovery_seconds, self.rto_seconds) {
            (Some(took), Some(rto)) => took > rto as f64,
            _ => false,
        }
    }

    /// The moments that came, in order, with their names.
    pub fn moments(&self) -> Vec<(&'static str, Timestamp)> {
        let Clock { detected, decided, drained, started, capacity, checked, traffic, done } = self.clock;
        let all = [
            ("detected", detected),
            ("decided", decided),
            ("replication drained", drained),
            ("started", started),
            ("capacity reached", capacity),
            ("checks passed", checked),
            ("traffic moved", traffic),
            ("done", done),
        ];
        let mut came: Vec<_> = all.into_iter().filter_map(|(name, at)| Some((name, at?))).collect();
        came.sort_by_key(|(_, at)| *at);
        came
    }
}
