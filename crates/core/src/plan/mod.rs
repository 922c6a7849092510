//! The plan: the difference between the stack and the cloud, as a graph of steps with reasons.

pub mod skeleton;
pub mod stability;
pub mod waits;

mod by_itself;
mod diff;
pub(crate) mod gate;
mod order;
mod raise;
#[cfg(test)]
mod tests;
mod without;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::{Address, ComponentAddress};
use crate::kind::{Action, FieldChange, Place};

pub use by_itself::{ByItself, EMPTY, ForAPerson, by_itself};
pub use diff::{plan, tags, used};
pub use gate::Gate;
pub use raise::Raise;

pub use crate::control::journal::StepId;
pub use crate::intent::{CONTROL, Intent, Options};
pub use crate::remark::Remark;

/// Reason of a step that creates a resource that does not exist.
pub const MISSING: &str = "it does not exist";

/// Reason of an update that follows from the fields that change.
pub fn differ(changes: &[FieldChange]) -> String {
    fields(changes, ["differs", "differ"])
}

/// Formats the deciding fields with the verb for one of them or for several.
pub(crate) fn fields(changes: &[FieldChange], [one, several]: [&str; 2]) -> String {
    let replacing = changes.iter().any(|change| change.replace);
    let names: Vec<&str> = changes
        .iter()
        .filter(|change| change.replace == replacing)
        .map(|change| change.field.as_str())
        .collect();
    let verb = if names.len() == 1 { one } else { several };
    format!("{} {verb}", names.join(", "))
}

/// One change to one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The resource.
    pub address: Address,
    /// Name of its kind.
    pub kind: String,
    /// Place of the resource.
    pub place: Place,
    /// The region, as AWS names it.
    pub region: String,
    /// The action: create, update or delete.
    pub action: Action,
    /// Reason, for people.
    pub reason: String,
    /// The fields that change; empty for creations and deletions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChange>,
    /// Desired spec, with unresolved links; `null` for deletions.
    #[serde(default)]
    pub spec: Value,
    /// Name or id of the existing object; `None` where AWS chooses it on creation.
    pub id: Option<String>,
    /// Steps that must succeed before this one starts.
    pub needs: Vec<StepId>,
    /// Steps that must end before this one starts, done or not: an earlier wave of a failover.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<StepId>,
    /// True for both halves of a replacement.
    #[serde(default)]
    pub replaces: bool,
    /// Usual duration, in seconds.
    pub estimate: f64,
    /// What it draws on the launch budget; `None` if it launches no instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raise: Option<Raise>,
    /// Idempotency token.
    pub token: String,
    /// The wave of a failover, 1 to 3.
    pub tier: u8,
}

impl Step {
    /// Id of the AWS object that this step deletes.
    pub fn deleted_id(&self) -> Option<String> {
        self.id.clone().filter(|_| self.action == Action::Delete)
    }

    /// Returns the steps that have ended when this one starts.
    pub fn before(&self) -> impl Iterator<Item = StepId> + '_ {
        self.needs.iter().chain(&self.after).copied()
    }
}

/// Steps in topological order: each comes after the steps that it needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    /// Outputs of the live resources, by address; links may point to them.
    pub outputs: BTreeMap<Address, BTreeMap<String, String>>,
    /// Dependencies that many steps share, beside each step's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
}

/// What the planner reports beside the steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanReport {
    /// Number of resources that match the stack.
    pub unchanged: usize,
    /// Resources that are kept although the stack no longer names them, and why.
    pub kept: Vec<Remark>,
    /// Resources that cannot be changed now, and why: foreign objects, failed observes. If this is
    /// not empty, the run ends with exit code 1.
    pub blocked: Vec<Remark>,
    /// Addresses of `blocked` that wait for a region which does not answer, by region.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub silent: BTreeMap<String, BTreeSet<String>>,
    /// Resources that exist but are not ready yet.
    pub waiting: Vec<Remark>,
    /// Notes of components and of the planner.
    pub notes: Vec<Remark>,
    /// Components whose names may not lead users to the standby region once traffic has moved: nobody has seen what leads
    /// them, or a run that was cut off has changed it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unled: BTreeSet<ComponentAddress>,
    /// Facts that no region answered now, each with the stored answer that is used in its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stored: Vec<StoredAnswer>,
}

/// A stored answer that is used for a fact without an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredAnswer {
    /// Its age, in seconds.
    pub age_seconds: i64,
    /// The fact, and why it was not answered.
    pub remark: Remark,
}

impl Plan {
    /// True if the plan has no steps.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Returns the steps that have ended when `step` starts: its own dependencies and those of its
    /// gates.
    pub fn before(&self, step: StepId) -> impl Iterator<Item = StepId> + '_ {
        let gates = self.gates.iter().filter(move |gate| gate.holds.binary_search(&step).is_ok());
        // What is done again need not be a step of the plan.
        let own = self.steps.get(step).into_iter().flat_map(Step::before);
        own.chain(gates.flat_map(Gate::before))
    }

    /// Returns the critical path by estimate, first step to last, and its length.
    pub fn critical_path(&self) -> (Vec<StepId>, Duration) {
        let behind = gate::of_each(self.steps.len(), &self.gates);
        // A step behind a gate waits for the last step in front of the gate.
        let mut last: Vec<Option<Option<StepId>>> = vec![None; self.gates.len()];
        let mut best: Vec<(f64, Option<StepId>)> = Vec::with_capacity(self.steps.len());
        for (id, step) in self.steps.iter().enumerate() {
            let longest =
                |ids: &mut dyn Iterator<Item = StepId>| ids.max_by(|a, b| best[*a].0.total_cmp(&best[*b].0));
            for gate in &behind[id] {
                last[*gate].get_or_insert_with(|| longest(&mut self.gates[*gate].before()));
            }
            let gates = behind[id].iter().filter_map(|gate| last[*gate].flatten());
            let before = longest(&mut step.before().chain(gates));
            best.push((step.estimate + before.map_or(0.0, |id| best[id].0), before));
        }
        let Some(mut at) = (0..best.len()).max_by(|a, b| best[*a].0.total_cmp(&best[*b].0)) else {
            return (Vec::new(), Duration::ZERO);
        };
        let length = Duration::from_secs_f64(best[at].0.max(0.0));
        let mut path = vec![at];
        while let Some(before) = best[at].1 {
            path.push(before);
            at = before;
        }
        path.reverse();
        (path, length)
    }
}
