//! Operations: what a call to the sim does, and how it can go wrong.

use std::fmt;

use drstack_core::kind::Action;
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

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The service asks for fewer calls; the call is tried again a bounded number of times, as the SDK does.
    Throttled,
    /// The credentials may not do it.
    Denied,
    /// The session of the credentials has ended.
    Expired,
    /// The endpoint shows a certificate that the machine does not trust.
    Untrusted,
    /// The service fails.
    Internal,
    /// It is done, and the answer never comes.
    TimeoutAfterEffect,
    /// The region has no such capacity.
    NoCapacity,
    /// An account limit.
    Quota,
    /// Of a bulk read every other answer is missing; any other call fails as with `internal`.
    Partial,
    /// Half of an object of the control bucket comes, as if it were all; any other call fails as with `internal`.
    Garbled,
}

impl Failure {
    /// Its name in the call log, as in settings.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Untrusted => "untrusted",
            Self::Internal => "internal",
            Self::TimeoutAfterEffect => "timeout-after-effect",
            Self::NoCapacity => "no-capacity",
            Self::Quota => "quota",
            Self::Partial => "partial",
            Self::Garbled => "garbled",
        }
    }
}
