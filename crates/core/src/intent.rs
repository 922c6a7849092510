//! Purpose of a run, and the options of its plan.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::objective::Mode;

/// Name of the control bucket in [`Options::delete_data`].
pub const CONTROL: &str = "control";

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Make the cloud match the stack.
    Converge,
    /// Delete what the stack owns.
    Destroy,
    /// Fail over to the standby region: call nothing outside that region, delete nothing.
    Failover,
    /// Fail over on purpose while the primary answers: the traffic kinds that move shares may be
    /// called too.
    #[serde(rename = "planned")]
    PlannedFailover,
    /// Fail back to the primary: release traffic first, then shrink what served it.
    Failback,
}

impl Intent {
    /// Its name in the lock, in journals and reports: the command that a user runs for it.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Converge => "apply",
            Self::Destroy => "destroy",
            Self::Failover | Self::PlannedFailover => "failover",
            Self::Failback => "failback",
        }
    }

    /// True if it decides which region serves. Such a run takes the lock from others, and goes on where a read fails.
    pub fn changes_mode(self) -> bool {
        matches!(self, Self::Failover | Self::PlannedFailover | Self::Failback)
    }

    /// True for an unplanned or a planned failover.
    pub fn fails_over(self) -> bool {
        matches!(self, Self::Failover | Self::PlannedFailover)
    }
}

/// Options of the planner, beside the graph and the observed state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Purpose of the run.
    pub intent: Intent,
    /// Mode that the graph was compiled for.
    pub mode: Mode,
    /// Limit the plan to these addresses and what they need; empty means all.
    pub targets: Vec<String>,
    /// Addresses whose data may be deleted.
    pub delete_data: BTreeSet<String>,
}
