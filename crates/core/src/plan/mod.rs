//! The plan: the difference between wanted and live as a graph of steps, each with why.

pub mod file;
pub mod skeleton;
pub mod stability;
pub mod waits;

mod diff;
pub(crate) mod gate;
mod order;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::Address;
use crate::kind::{Action, FieldChange, Place};
use crate::objective::Mode;

pub use diff::plan;
pub use gate::Gate;

/// What a run is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Make the cloud what the stack says.
    Converge,
    /// Take away what the stack owns.
    Destroy,
    /// Fail over to the standby region: nothing outside of it is called, nothing is taken away.
    Failover,
    /// Fail over on purpose while the primary answers: what moves traffic by shares may be called too.
    Planned,
    /// Fail back to the primary: what moved traffic goes first, what served shrinks after it.
    Failback,
}

impl Intent {
    /// Whether the standby region serves, on purpose or not.
    pub fn fails_over(&self) -> bool {
        matches!(self, Self::Failover | Self::Planned)
    }
}

/// What to plan, beside the wanted and the seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// What for.
    pub intent: Intent,
    /// For which mode the graph was compiled.
    pub mode: Mode,
    /// Only these addresses and what they need; all where empty.
    pub targets: Vec<String>,
    /// Addresses whose data may be deleted.
    pub delete_data: BTreeSet<String>,
}

/// Index of a step within its plan.
pub type StepId = usize;

/// The reason of a step that creates what is not there.
pub const MISSING: &str = "it does not exist";

/// One change to one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Which resource.
    pub address: Address,
    /// Its kind's name.
    pub kind: String,
    /// Where.
    pub place: Place,
    /// The region, as AWS names it.
    pub region: String,
    /// What is done.
    pub action: Action,
    /// Why, for people; nothing branches on it.
    pub reason: String,
    /// The fields that change; empty for creations and deletions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChange>,
    /// What is wanted, links open; `null` for deletions.
    #[serde(default)]
    pub spec: Value,
    /// Name, or id of what exists; `None` where AWS will choose it.
    pub id: Option<String>,
    /// Steps that must be done before.
    pub needs: Vec<StepId>,
    /// Steps that must have ended before, done or not: an earlier wave of a failover.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<StepId>,
    /// True for both halves of a replacement.
    #[serde(default)]
    pub replaces: bool,
    /// How long it usually takes, in seconds.
    pub estimate: f64,
    /// Idempotency token.
    pub token: String,
    /// The wave of a failover, 1 to 3.
    pub tier: u8,
}

impl Step {
    /// What AWS calls what it deletes.
    pub fn deleted_id(&self) -> Option<String> {
        self.id.clone().filter(|_| self.action == Action::Delete)
    }

    /// Steps that have ended when this one starts.
    pub fn before(&self) -> impl Iterator<Item = StepId> + '_ {
        self.needs.iter().chain(&self.after).copied()
    }
}

/// Steps in an order in which each comes after what it needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    /// What is live already and links may point to: outputs by address.
    pub outputs: std::collections::BTreeMap<Address, std::collections::BTreeMap<String, String>>,
    /// What many steps wait for at once, beside what each waits for by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
}

/// A sentence about one address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remark {
    /// Which resource, or component.
    pub address: String,
    /// What about it.
    pub text: String,
}

/// What the plan does not show as steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanReport {
    /// Resources that are as wanted.
    pub unchanged: usize,
    /// What stays although the stack no longer wants it, and why.
    pub kept: Vec<Remark>,
    /// What cannot be done, and why: foreign resources, looks that failed. Not empty means the run ends with exit 1.
    pub blocked: Vec<Remark>,
    /// What exists but is not ready yet.
    pub waiting: Vec<Remark>,
    /// What components had to say.
    pub notes: Vec<Remark>,
}

impl Plan {
    /// True when there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Steps that have ended when `step` starts: those that it waits for by itself, and those in front of its gates.
    pub fn before(&self, step: StepId) -> impl Iterator<Item = StepId> + '_ {
        let gates = self.gates.iter().filter(move |gate| gate.holds.binary_search(&step).is_ok());
        self.steps[step].before().chain(gates.flat_map(Gate::before))
    }

    /// The steps of the longest path by estimate, first to last, and its length.
    pub fn critical_path(&self) -> (Vec<StepId>, Duration) {
        let behind = gate::of_each(self.steps.len(), &self.gates);
        // Whoever stands behind a gate stands behind the last of those in front of it.
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
