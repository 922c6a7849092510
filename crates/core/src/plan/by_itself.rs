//! What a sync does by itself, and what it leaves to a person.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::without::without;
use super::{Plan, Step, StepId};
use crate::address::Address;
use crate::kind::{Action, KindRegistry};
use crate::stack::{Allowed, SyncLimits};

/// A step that a sync leaves to a person.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ForAPerson {
    /// The address.
    pub address: String,
    /// The action.
    pub action: Action,
    /// True for both halves of a replacement.
    pub replaces: bool,
    /// Why it needs a person, as a clause.
    pub why: String,
}

/// Why a person makes again what was lost.
pub const EMPTY: &str = "the data was there and is gone: what is made anew is empty until somebody copies it";

/// What a sync may do by itself.
#[derive(Clone, Debug, Default)]
pub struct ByItself {
    /// `[sync]` of the stack.
    pub limits: SyncLimits,
    /// Names of the data that the last apply or sync left in the standby region. What of it is gone, a person makes
    /// again: it would be empty, and nobody would miss what it held.
    pub had: BTreeMap<Address, String>,
}

impl ByItself {
    /// True if `step` makes data again under its name.
    pub fn had(&self, step: &Step) -> bool {
        let had = self.had.get(&step.address);
        step.action == Action::Create && had.is_some_and(|name| step.id.as_ref() == Some(name))
    }
}

/// Splits `plan` into what a sync may do as `may` says, and what it leaves to a person. What needs
/// a left step is left, too.
pub fn by_itself(plan: Plan, may: &ByItself, kinds: &KindRegistry) -> (Plan, Vec<ForAPerson>) {
    let mut left: BTreeMap<StepId, ForAPerson> = BTreeMap::new();
    // In topological order: what a step needs comes first.
    for (id, step) in plan.steps.iter().enumerate() {
        let is_check = kinds.get(&step.kind).is_some_and(|kind| kind.check().is_some());
        let own = needs_a_person(step, may, kinds).filter(|_| !is_check).map(str::to_owned);
        let waits = || plan.before(id).find_map(|it| Some(format!("waits for {}", left.get(&it)?.address)));
        if let Some(why) = own.or_else(waits) {
            let (address, action, replaces) = (step.address.to_string(), step.action, step.replaces);
            left.insert(id, ForAPerson { address, action, replaces, why });
        }
    }
    if left.is_empty() {
        return (plan, Vec::new());
    }
    let out: BTreeSet<StepId> = left.keys().copied().collect();
    let (steps, gates) = without(plan.steps, &plan.gates, &out);
    (Plan { steps, gates, outputs: plan.outputs }, left.into_values().collect())
}

/// Returns why a sync may not take this step by itself.
fn needs_a_person(step: &Step, may: &ByItself, kinds: &KindRegistry) -> Option<&'static str> {
    let allows = |it| may.limits.allow.contains(&it);
    let starts_empty = || kinds.get(&step.kind).is_some_and(|it| it.capabilities().starts_empty);
    match step.action {
        _ if step.replaces => Some("it cannot be changed in place, and a sync replaces nothing"),
        Action::Delete => Some("a sync deletes nothing"),
        Action::Create if may.had(step) && starts_empty() => Some(EMPTY),
        Action::Create if !allows(Allowed::Create) => Some("`allow` in `[sync]` has no `create`"),
        Action::Update if !allows(Allowed::Update) => Some("`allow` in `[sync]` has no `update`"),
        Action::Create | Action::Update => None,
    }
}
