//! The ladder of a group: what it takes in the place of what it wants, where the region or the account has no more to give.

use drstack_core::kind::Rung;
use serde::{Deserialize, Serialize};

use super::GroupSpec;

/// How a group fails over where it does not get all that it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failover {
    /// The least capacity with which it counts as up.
    pub minimum: u32,
    /// Where on its ladder it stands.
    #[serde(default)]
    pub rung: Step,
    /// The size to which it is raised for now, where the account may not launch all of it at once; it fails over all the same as if this
    /// were not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<u32>,
}

/// A rung of the ladder, from the top. The numbers are what plans say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Step {
    /// All of it, as it is to be bought: over types and zones in the stack's order, which Auto Scaling walks by itself.
    #[default]
    Whole = 0,
    /// Spot instances for what on-demand lacks.
    Spot = 1,
    /// Types of other sizes for what the usual ones lack.
    Sizes = 3,
    /// Fewer than wanted, but for the minimum.
    Fewer = 2,
}

impl Step {
    /// Whether types of other sizes are wanted too.
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
    /// Whether it fails over on a rung below the first.
    pub(super) fn is_lowered(&self) -> bool {
        self.failover.is_some_and(|it| it.rung != Step::Whole)
    }

    /// The rungs below the one it stands on.
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
