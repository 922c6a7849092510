//! The table stream kind: the stream of a primary table, which a replica needs. drstack enables it
//! and never disables it.

use drstack_core::kind::{FieldChange, Kind, Lookup, Operation, Place, Role};
use serde::{Deserialize, Serialize};

use crate::services::operation;

/// The view type that a replica needs.
pub const VIEW: &str = "NEW_AND_OLD_IMAGES";

/// The desired state of a table stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableStreamSpec {
    /// The primary table.
    pub table: String,
}

/// A table stream as DynamoDB reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableStreamLive {
    /// View type of the stream; none if the table has no stream.
    pub view: Option<String>,
}

/// The table stream kind.
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
