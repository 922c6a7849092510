//! Gates: dependencies that many steps share, stored once instead of once per pair of steps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::StepId;

/// A barrier in a plan: the steps that it holds start once the steps in front of it have ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gate {
    /// Steps that must succeed before the gate opens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<StepId>,
    /// Steps that must end before the gate opens, done or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<StepId>,
    /// Steps that wait for the gate, in rising order.
    pub holds: Vec<StepId>,
}

impl Gate {
    /// Returns the steps that have ended when the gate opens.
    pub fn before(&self) -> impl Iterator<Item = StepId> + '_ {
        self.needs.iter().chain(&self.after).copied()
    }

    /// Returns the gate with new step numbers; steps without a new number are dropped.
    pub(super) fn renumbered(&self, new: impl Fn(StepId) -> Option<StepId>) -> Self {
        let all = |steps: &[StepId]| {
            let mut all: Vec<StepId> = steps.iter().filter_map(|it| new(*it)).collect();
            all.sort_unstable();
            all
        };
        Self { needs: all(&self.needs), after: all(&self.after), holds: all(&self.holds) }
    }
}

/// Returns, for each of `steps` steps, the gates that hold it.
pub(crate) fn of_each(steps: usize, gates: &[Gate]) -> Vec<Vec<usize>> {
    let mut behind = vec![Vec::new(); steps];
    for (number, gate) in gates.iter().enumerate() {
        gate.holds.iter().for_each(|step| behind[*step].push(number));
    }
    behind
}
