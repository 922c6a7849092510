//! Lines about what drstack keeps and compares: data, lock, mode, control bucket and keys.

use drstack_app::readiness::Readiness;
use drstack_app::report::data::Data;
use drstack_core::address::Address;
use drstack_core::kind::Action;
use drstack_core::objective::Mode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::plan::ForecastLine;

/// What replication has yet to bring of one bucket or table; a planned failover writes one for each
/// at each observation.
#[derive(Serialize, JsonSchema)]
pub(crate) struct BacklogLine<'a> {
    /// When drstack compared the two sides.
    pub(crate) at: Timestamp,
    #[serde(flatten)]
    pub(crate) data: &'a Data,
}

/// What `unlock` found and did.
#[derive(Default, Serialize, JsonSchema)]
pub(crate) struct LockLine<'a> {
    /// The state of the lock.
    pub(crate) state: LockState,
    /// User of the run that held it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) owner: Option<&'a str>,
    /// Machine of the run that held it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) host: Option<&'a str>,
    /// Purpose of the run that held it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) purpose: Option<&'a str>,
    /// The run that held it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) run: Option<&'a str>,
}

/// The state of a lock.
#[derive(Default, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LockState {
    /// No run held it.
    #[default]
    Free,
    /// `unlock` removed it.
    Broken,
}

/// The public half of a key, by `keys`.
#[derive(Serialize, JsonSchema)]
pub(crate) struct KeyLine {
    /// The public key, as a stack file has it.
    #[schemars(regex(pattern = "^ed25519:[0-9a-f]{64}$"))]
    pub(crate) public: String,
}

/// `destroy --delete-data control` deleted the control bucket.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ControlDeletedLine<'a> {
    /// Name of the bucket.
    pub(crate) bucket: &'a str,
}

/// `apply --mode` recorded again which mode the stack is in.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ModeRecordedLine {
    /// The mode.
    pub(crate) mode: Mode,
    /// The epoch, which rises with each change of mode.
    pub(crate) epoch: u64,
}

/// Whether the stack could fail over now, by `status`; its last line.
#[derive(Serialize, JsonSchema)]
pub(crate) struct StatusLine<'a> {
    #[serde(flatten)]
    pub(crate) readiness: &'a Readiness,
    /// The failover as it is predicted; none after a failover.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ForecastLine<'a>")]
    pub(crate) forecast: Option<ForecastLine<'a>>,
}

/// What a past run did with one resource, by `runs --show`.
#[derive(Serialize, JsonSchema)]
pub(crate) struct PastStepLine<'a> {
    /// The resource.
    pub(crate) address: &'a Address,
    /// The action.
    pub(crate) action: Action,
    /// What came of it.
    pub(crate) state: PastStepState,
    /// Name or id of the object, what it fell back to, or the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) text: Option<&'a str>,
}

/// What came of a step of a past run.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PastStepState {
    /// Its call was about to be made, and nothing more is known of it.
    Begun,
    /// It is done.
    Done,
    /// It is done with less than the stack wants.
    Degraded,
    /// It failed.
    Failed,
}
