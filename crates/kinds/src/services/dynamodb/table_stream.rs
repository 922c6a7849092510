//! The stream of a primary table: what a replica needs. Switched on, never off.

use drstack_core::kind::{FieldChange, Kind, Lookup, Operation, Place, Role};
use serde::{Deserialize, Serialize};

use crate::services::operation;

/// What a replica needs to see of each change.
pub const VIEW: &str = "NEW_AND_OLD_IMAGES";

/// What is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableStreamSpec {
    /// The primary table.
    pub table: String,
}

/// What DynamoDB reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableStreamLive {
    /// What the stream shows of each change; none where there is no stream.
    pub view: Option<String>,
}

/// See the module.
pub struct TableStream;

impl Kind for TableStream {
    const NAME: &'static str = "table-stream";
    const SUMMARY: &'static str = "stream of a primary table; switched on, never off";
    const LOOKUP: Lookup = Lookup::Name;
    const PLACES: &'static [Place] = &[Place::Primary];
    const ROLE: Role = Role::Setting;
    const OPERATIONS: &'static [Operation] =
        &[operation("dynamodb", "DescribeTable"), operation("dynamodb", "UpdateTable")];
    type Spec = TableStreamSpec;
    type Live = TableStreamLive;

    fn diff(_spec: &TableStreamSpec, live: &TableStreamLive) -> Vec<FieldChange> {
        FieldChange::of("view", &live.view.as_deref(), &Some(VIEW)).into_iter().collect()
    }

    fn expect(_spec: &TableStreamSpec, _id: &str) -> TableStreamLive {
        TableStreamLive { view: Some(VIEW.to_owned()) }
    }
}

#[cfg(feature = "aws")]
mod aws;
