//! A plan, and what it was made from.

use std::collections::BTreeMap;

use drstack_core::address::Address;
use drstack_core::cloud::Found;
use drstack_core::compile::Compiled;
use drstack_core::control::lock::{Lock, Peek};
use drstack_core::control::mode::KeptMode;
use drstack_core::control::records::Kept;
use drstack_core::observe::Look;
use drstack_core::part::Sequence;
use drstack_core::plan::skeleton::RehearsedPlan;
use drstack_core::plan::stability::Rehearsal;
use drstack_core::plan::{Options, Plan, PlanReport, Remark};
use jiff::Timestamp;

use crate::steps::then::BundleAction;

/// A plan, and all that was seen on the way to it.
pub struct PlanOutcome {
    /// The steps.
    pub plan: Plan,
    /// What it was asked for.
    pub options: Options,
    /// What is said beside them.
    pub report: PlanReport,
    /// The wanted resources.
    pub compiled: Compiled,
    /// What was seen of each wanted resource.
    pub seen: BTreeMap<Address, Look>,
    /// What a failover would do and need once all of this stands; none where the plan is for something else.
    pub rehearsal: Option<Rehearsal>,
    /// Questions that nothing answered now.
    pub unanswered: Vec<Remark>,
    /// Questions whose answer is another one than the last time.
    pub moved: Vec<String>,
    /// What the primary answers.
    pub facts: Kept,
    /// Levels are among them that no run has kept yet.
    pub has_new_levels: bool,
    /// What was seen of the primary region and of global services.
    pub elsewhere: BTreeMap<Address, Found>,
    /// What becomes of the bundle once all of it is done.
    pub then: BundleAction,
    /// The mode as it was after the lock was looked at.
    pub mode: KeptMode,
    /// What traffic waits for; none where nothing moves any.
    pub sequence: Option<Sequence>,
    /// The lock before anything was looked at.
    pub(crate) peek: Peek,
}

impl PlanOutcome {
    /// Whether something that a failover needs could not be looked at.
    pub fn has_failed_looks(&self) -> bool {
        self.seen.values().any(|look| matches!(look, Look::Unknown(_)))
    }

    /// Whether no other run can have come between the looking and the taking of `lock`.
    pub fn still_stands_under(&self, lock: &Lock) -> bool {
        self.peek.free_since.is_some_and(|epoch| lock.holder().epoch == epoch.saturating_add(1))
    }
}

/// What a failover was expected to do when it was last rehearsed.
pub struct Rehearsed {
    /// When.
    pub at: Timestamp,
    /// Its steps.
    pub skeleton: RehearsedPlan,
}
