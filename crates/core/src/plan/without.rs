//! A plan without some of its steps.

use std::collections::{BTreeMap, BTreeSet};

use super::{Gate, Step, StepId};

/// Returns steps and gates without the steps `out`, renumbered. What waited for those no longer
/// does.
pub(super) fn without(steps: Vec<Step>, gates: &[Gate], out: &BTreeSet<StepId>) -> (Vec<Step>, Vec<Gate>) {
    let mut renamed = BTreeMap::new();
    let mut kept = Vec::new();
    for (id, step) in steps.into_iter().enumerate() {
        if !out.contains(&id) {
            renamed.insert(id, kept.len());
            kept.push(step);
        }
    }
    for step in &mut kept {
        for before in [&mut step.needs, &mut step.after] {
            *before = before.iter().filter_map(|it| renamed.get(it).copied()).collect();
        }
    }
    let mut gates: Vec<Gate> =
        gates.iter().map(|gate| gate.renumbered(|old| renamed.get(&old).copied())).collect();
    gates.retain(|gate| !gate.holds.is_empty() && gate.before().next().is_some());
    (kept, gates)
}
