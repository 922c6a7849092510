//! How a step raises capacity: what it draws on the launch budget, and its rounds.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cloud::Found;
use crate::kind::{DynKind, ShapeError};

/// How a step raises the capacity of its resource, as the planner expects it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raise {
    /// Launches that the engine takes from the budget if there are as many, without a read of what
    /// runs.
    pub at_most: u32,
    /// Launches beside what runs.
    pub needed: u32,
    /// Updates after the one that launches: a group ends its spot instances once others serve.
    pub rounds: u32,
}

impl Raise {
    /// Returns how a step brings `found`, or a new resource, to `spec`; `None` if it launches
    /// nothing and has one round.
    pub(super) fn of(
        kind: &dyn DynKind,
        spec: &Value,
        found: Option<&Found>,
    ) -> Result<Option<Self>, ShapeError> {
        let Some(capacity) = kind.capacity() else { return Ok(None) };
        let at_most = capacity.launches(spec, None)?;
        let raise = Self {
            at_most,
            needed: found.map_or(Ok(at_most), |found| capacity.launches(spec, Some(&found.live)))?,
            rounds: found.map_or(Ok(0), |found| rounds(kind, spec, found))?,
        };
        Ok(Some(raise).filter(|it| it.at_most > 0 || it.rounds > 0))
    }
}

/// Counts the updates that change something after the first one.
fn rounds(kind: &dyn DynKind, spec: &Value, found: &Found) -> Result<u32, ShapeError> {
    let mut live = kind.expect_after(spec, &found.id, &found.live)?;
    for rounds in 0.. {
        let then = kind.expect_after(spec, &found.id, &live)?;
        if then == live || rounds as usize + 1 >= kind.rounds() {
            return Ok(rounds);
        }
        live = then;
    }
    Ok(0)
}
