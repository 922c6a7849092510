//! Calls: what was asked of the sim, in order, for tests and for faults that choose among them.

use std::fmt;

use drstack_core::calls::CallNote;
use drstack_core::kind::{Action, Place};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Failure;

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
    /// Whether it changes a resource.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Delete)
    }

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
    /// Milliseconds until it was answered or given up; what it set going may take longer.
    pub millis: u64,
    /// 1 for the first attempt of a call.
    pub attempt: u32,
    /// What went wrong, if anything did.
    pub failure: Option<Failure>,
    /// Whether nothing answered.
    pub lost: bool,
}

impl CallRecord {
    /// As the call log has it. There is no HTTP here: 200 stands for an answer, 400 for a refusal.
    pub(crate) fn note(&self) -> CallNote {
        let error = match (self.lost, self.failure) {
            (true, _) => Some("timeout".to_owned()),
            (false, failure) => failure.map(|it| it.name().to_owned()),
        };
        let status = match (self.lost, &error) {
            (true, _) => 0,
            (false, Some(_)) => 400,
            (false, None) => 200,
        };
        CallNote {
            service: self.kind.clone(),
            operation: self.operation.to_string(),
            region: self.region.clone(),
            at: self.at,
            millis: self.millis,
            attempt: self.attempt,
            status,
            error,
            request_id: None,
        }
    }
}
