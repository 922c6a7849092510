//! Calls: what was asked of the sim, in order, for tests and for faults that choose among them.

use std::fmt;

use drstack_core::kind::{Action, Place};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Makes a resource.
    Create,
    /// Changes a resource.
    Update,
    /// Takes a resource away.
    Delete,
    /// Looks resources up.
    Read,
    /// Lists what a stack owns.
    List,
    /// Asks for a fact.
    Capture,
    /// Reads or writes the control bucket.
    Control,
}

impl Operation {
    /// Its name in settings and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Read => "read",
            Self::List => "list",
            Self::Capture => "capture",
            Self::Control => "control",
        }
    }
}

impl From<Action> for Operation {
    fn from(action: Action) -> Self {
        match action {
            Action::Create => Self::Create,
            Action::Update => Self::Update,
            Action::Delete => Self::Delete,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One attempt of one call. A call that is throttled and tried again is recorded each time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallRecord {
    /// Its number in this run, from 1.
    pub number: u64,
    /// What it does.
    pub operation: Operation,
    /// The resource's kind, the fact's kind, or what is done to the control bucket: `put`.
    pub kind: String,
    /// Primary, standby or global.
    pub place: Place,
    /// The region that was called; `global` for services of the whole partition.
    pub region: String,
    /// An address, an id, ids joined by commas, a key.
    pub subject: String,
    /// When, in the world's time.
    pub at: Timestamp,
}
