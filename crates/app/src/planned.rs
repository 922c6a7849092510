//! The outcome of planning: a plan, and everything it was made from.

use std::collections::{BTreeMap, BTreeSet};

use drstack_core::address::{Address, ComponentAddress};
use drstack_core::cloud::Found;
use drstack_core::compile::Compiled;
use drstack_core::control::lock::{Lock, Peek};
use drstack_core::control::mode::KeptMode;
use drstack_core::control::records::Kept;
use drstack_core::facts::{FactQuery, Moved};
use drstack_core::forecast::{FailoverForecast, Forecast, Prediction};
use drstack_core::kind::Place;
use drstack_core::observe::Look;
use drstack_core::part::Sequence;
use drstack_core::plan::skeleton::RehearsedPlan;
use drstack_core::plan::stability::Rehearsal;
use drstack_core::plan::{ForAPerson, Options, Plan, PlanReport, Remark};
use drstack_core::plan_file::PlanHead;
use drstack_core::stack::Stack;
use jiff::Timestamp;

use crate::steps::then::BundleAction;

/// A plan, with everything that was read to make it.
pub struct PlanOutcome {
    /// The steps.
    pub plan: Plan,
    /// The options that it was made with.
    pub options: Options,
    /// Notes, blocked addresses and other remarks beside the steps.
    pub report: PlanReport,
    /// The desired resources.
    pub compiled: Compiled,
    /// The result of observing each desired resource.
    pub seen: BTreeMap<Address, Look>,
    /// The rehearsal of a failover from the world that this plan leaves; `None` if the plan is for
    /// something else.
    pub rehearsal: Option<Rehearsal>,
    /// How long the plan takes, and a failover.
    pub predicted: Predicted,
    /// Facts that no region answers now.
    pub unanswered: Vec<Remark>,
    /// Facts whose answer differs from the last one.
    pub moved: Vec<Moved>,
    /// Steps that a sync leaves to a person.
    pub for_a_person: Vec<ForAPerson>,
    /// The facts that the primary answers.
    pub facts: Kept,
    /// True if the facts hold levels that no run has kept yet.
    pub has_new_levels: bool,
    /// The live resources of the primary region and of global services.
    pub elsewhere: BTreeMap<Address, Found>,
    /// Components with data in the standby region that nobody could look at.
    pub not_looked_at: BTreeSet<ComponentAddress>,
    /// The action on the bundle once the plan is done.
    pub then: BundleAction,
    /// The mode, read after the lock was read.
    pub mode: KeptMode,
    /// The order in which the stack fails over; `None` for a destroy and for a graph.
    pub sequence: Option<Sequence>,
    /// The lock as it was before the plan observed anything.
    pub(crate) peek: Peek,
}

impl PlanOutcome {
    /// Returns the AWS account, if something in the stack had to know it.
    pub fn account(&self) -> Option<&str> {
        self.facts.facts.answers.get(&FactQuery::account().key())?.value.as_str()
    }

    /// Returns what the plan is for, to be shown and stored with it.
    pub fn head(&self, stack: &Stack, warnings: Vec<String>) -> PlanHead {
        PlanHead {
            facts: stack.facts.clone(),
            account: self.account().map(str::to_owned),
            standing: self.mode.standing(),
            // In doubt it is what the witnesses say.
            complete: self.mode.is_complete() || self.mode.record.as_ref().is_some_and(|it| it.complete),
            since: self.mode.since(),
            posture: stack.posture,
            objective: stack.objective,
            signing: stack.signing.clone(),
            warnings,
            sequence: self.sequence.clone(),
            slots: self.predicted.slots,
            failover: self.predicted.failover.as_ref().map(FailoverForecast::of),
            rehearsed: self.rehearsal.is_some(),
        }
    }

    /// True if something that a failover needs could not be observed.
    pub fn has_failed_looks(&self) -> bool {
        self.seen.values().any(|look| matches!(look, Look::Unknown(_)))
    }

    /// True if something is blocked by a resource outside the standby region that does not exist: only
    /// an apply creates it.
    pub fn lacks_what_an_apply_makes(&self) -> bool {
        let all = &self.compiled.graph.resources;
        let is_made_elsewhere = |it: &str| {
            let is_missing = !matches!(self.seen.get(it), Some(Look::Present(_)));
            is_missing && all.get(it).is_some_and(|it| it.place != Place::Standby)
        };
        let mut blocked = self.report.blocked.iter().filter_map(|it| all.get(&Address::parse(&it.address)?));
        blocked.any(|it| is_made_elsewhere(it.address.as_str()) || it.needed().any(is_made_elsewhere))
    }

    /// True if no other run can have held the lock between planning and the taking of `lock`.
    pub fn still_stands_under(&self, lock: &Lock) -> bool {
        self.peek.free_since.is_some_and(|epoch| lock.holder().epoch == epoch.saturating_add(1))
    }
}

/// How long a plan is predicted to take, and a failover.
#[derive(Default)]
pub struct Predicted {
    /// Number of steps that run at once.
    pub slots: usize,
    /// The course of the plan.
    pub plan: Forecast,
    /// The failover: the plan itself if it begins one, else the rehearsed one; `None` if there is
    /// neither.
    pub failover: Option<Prediction>,
}

/// The failover that was expected when it was last rehearsed.
pub struct Rehearsed {
    /// When it was rehearsed.
    pub at: Timestamp,
    /// Its steps.
    pub skeleton: RehearsedPlan,
}
