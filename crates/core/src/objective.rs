//! Objectives: posture, mode, RTO, RPO, and the bands within which a posture can meet them.

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::ComponentAddress;
use crate::minimum::Minimums;

/// How much stands ready in the standby region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Posture {
    /// Data copies and what costs nothing.
    Cold,
    /// Data replicates; compute is defined at size zero.
    PilotLight,
    /// A share of the primary's capacity runs on spot.
    Warm,
    /// The primary's whole capacity runs.
    Hot,
}

/// The mode: standby or active.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The primary serves.
    #[default]
    Standby,
    /// The standby region serves.
    Active,
}

/// Which region serves, and since which change of mode.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The mode: standby or active.
    pub mode: Mode,
    /// Epoch: rises at each change of mode; 0 before the first.
    pub epoch: u64,
    /// Addresses that have failed over on their own; empty if the whole stack has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    /// The minimums that an operator accepted for this failover, below those of the stack.
    #[serde(default, skip_serializing_if = "Minimums::is_empty")]
    pub minimum: Minimums,
    /// Digest of the stack that this failover works from in place of what was applied; its files were
    /// the operator's choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<String>,
    /// True during a planned failover, while the primary answers; belongs to a run and is never
    /// stored.
    #[serde(skip)]
    pub planned: bool,
}

impl Standing {
    /// Returns the mode of the component at `address`.
    pub fn mode_of(&self, address: &ComponentAddress) -> Mode {
        let is_meant = self.only.is_empty() || self.only.iter().any(|it| address.is_within(it));
        if is_meant { self.mode } else { Mode::Standby }
    }
}

impl From<Mode> for Standing {
    /// Creates a standing as if the mode had never changed.
    fn from(mode: Mode) -> Self {
        Self { mode, ..Self::default() }
    }
}

/// Recovery objective of a stack or component.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objective {
    /// Recovery time objective: how long until the stack serves again.
    pub rto: Option<SignedDuration>,
    /// Recovery point objective: how much of the latest data may be lost, as time.
    pub rpo: Option<SignedDuration>,
    /// The wave of a failover, 1 (first) to 3 (last).
    pub tier: u8,
}

/// RTO, RPO and cost that a posture can achieve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// Shortest RTO in seconds that the posture can promise.
    pub rto_floor: i64,
    /// Longest RTO in seconds that it usually needs.
    pub rto_usual: i64,
    /// RTO as text.
    pub rto: &'static str,
    /// RPO as text.
    pub rpo: &'static str,
    /// Cost beside the primary, as text.
    pub cost: &'static str,
}

impl Posture {
    /// All postures, from the least ready to the most.
    pub const ALL: [Posture; 4] = [Self::Cold, Self::PilotLight, Self::Warm, Self::Hot];

    /// Returns its name in TOML and output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::PilotLight => "pilot-light",
            Self::Warm => "warm",
            Self::Hot => "hot",
        }
    }

    /// Returns its band: the four recovery patterns of the disaster-recovery literature (see
    /// docs/guide/postures.md).
    pub fn band(self) -> Band {
        let (rto_floor, rto_usual, rto, rpo, cost) = match self {
            Self::Cold => (2 * 3600, 8 * 3600, "2-8 h", "hours", "5-15 % of the primary"),
            Self::PilotLight => (30 * 60, 60 * 60, "30-60 min", "minutes", "more than cold, less than warm"),
            Self::Warm => (5 * 60, 30 * 60, "10-30 min", "minutes", "20-40 % of the primary"),
            Self::Hot => (0, 60, "seconds", "almost none", "80-100 % of the primary"),
        };
        Band { rto_floor, rto_usual, rto, rpo, cost }
    }
}

impl Mode {
    /// Returns its name in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standby => "standby",
            Self::Active => "active",
        }
    }
}
