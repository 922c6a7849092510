//! The ladder of a group: the substitutes it takes when the region or the account has no more
//! capacity.

use drstack_core::kind::Rung;
use serde::{Deserialize, Serialize};

use super::GroupSpec;

/// The failover of a group: its minimum and its current rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failover {
    /// The least capacity with which it counts as up.
    pub minimum: u32,
    /// The current rung.
    #[serde(default)]
    pub rung: Step,
    /// The size to raise to for now, if the launch budget does not allow all of it at once.
    ///
    /// It does not change how the group fails over otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<u32>,
}

/// A rung of the ladder, from the top. Plans store the numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Step {
    /// The full capacity as specified: over types and zones in the stack's order, which Auto
    /// Scaling tries by itself.
    #[default]
    Whole = 0,
    /// Spot instances for missing on-demand capacity.
    Spot = 1,
    /// Types of other sizes for missing capacity of the usual ones.
    Sizes = 3,
    /// Fewer instances than desired, but at least the minimum.
    Fewer = 2,
}

impl Step {
    /// True if this rung also uses types of other sizes.
    pub(super) fn has_other_sizes(self) -> bool {
        matches!(self, Self::Sizes | Self::Fewer)
    }
}

impl From<Step> for u8 {
    fn from(step: Step) -> Self {
        step as Self
    }
}

impl TryFrom<u8> for Step {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        [Self::Whole, Self::Spot, Self::Sizes, Self::Fewer]
            .into_iter()
            .find(|step| u8::from(*step) == number)
            .ok_or_else(|| format!("the ladder has no rung {number}"))
    }
}

impl GroupSpec {
    /// True if it fails over on a rung below the first.
    pub(super) fn is_lowered(&self) -> bool {
        self.failover.is_some_and(|it| it.rung != Step::Whole)
    }

    /// Returns the rungs below the current one.
    pub(super) fn rungs(&self) -> Vec<Rung<Self>> {
        let Some(failover) = self.failover else { return Vec::new() };
        let at = |rung| Self { failover: Some(Failover { rung, ..failover }), ..self.clone() };
        let mut rungs = Vec::new();
        if failover.rung == Step::Whole && self.on_demand_percentage > 0 {
            rungs.push(Rung { name: "spot for what on-demand lacks".to_owned(), spec: at(Step::Spot) });
        }
        if let (Step::Whole | Step::Spot, Some(sizes)) = (failover.rung, &self.sizes) {
            let name = format!("other sizes for the rest: {}", sizes.others.join(", "));
            rungs.push(Rung { name, spec: at(Step::Sizes) });
        }
        if failover.rung != Step::Fewer && failover.minimum < self.desired {
            let name = format!("at least {} of {}", failover.minimum, self.words(self.desired));
            rungs.push(Rung { name, spec: at(Step::Fewer) });
        }
        rungs
    }
}
