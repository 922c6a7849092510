//! Gates: what many steps wait for at once, said once and not for each two of them.

use serde::{Deserialize, Serialize};

use super::StepId;

/// A point of a plan: the steps that it holds start once those in front of it have come to their end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Steps that must be done before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<StepId>,
    /// Steps that must have ended before, done or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<StepId>,
    /// Steps that wait here, in rising order.
    pub holds: Vec<StepId>,
}

impl Gate {
    /// Steps that have ended when it opens.
    pub fn before(&self) -> impl Iterator<Item = StepId> + '_ {
        self.needs.iter().chain(&self.after).copied()
    }

    /// The same gate among steps with other numbers: what has none is gone.
    pub(super) fn renumbered(&self, new: impl Fn(StepId) -> Option<StepId>) -> Self {
        let all = |steps: &[StepId]| {
            let mut all: Vec<StepId> = steps.iter().filter_map(|it| new(*it)).collect();
            all.sort_unstable();
            all
        };
        Self { needs: all(&self.needs), after: all(&self.after), holds: all(&self.holds) }
    }
}

/// For each of so many steps the gates that it stands behind.
pub(crate) fn of_each(steps: usize, gates: &[Gate]) -> Vec<Vec<usize>> {
    let mut behind = vec![Vec::new(); steps];
    for (number, gate) in gates.iter().enumerate() {
        gate.holds.iter().for_each(|step| behind[*step].push(number));
    }
    behind
}
