//! The table copy kind: the newest complete export of a table in the control bucket, from which a
//! failover restores it.
//!
//! drstack does not create it here. An export of the primary does, and writes its manifest last
//! (DynamoDB Developer Guide, "DynamoDB table export output format").

use std::collections::BTreeMap;
use std::time::Duration;

use drstack_core::kind::{Action, Capabilities, FieldChange, Kind, Lookup, Operation, Role};
use drstack_core::restored::{AS_OF, EXPORT};
use serde::{Deserialize, Serialize};

use crate::services::operation;

/// The desired state of a table copy: any complete export.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableCopySpec {
    /// The control bucket.
    pub bucket: String,
    /// Prefix of the table's exports in that bucket, without a `/` at the end.
    pub prefix: String,
}

/// The manifest of an export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableCopyLive {
    /// Id of the newest complete export, which is its folder's name.
    pub export: String,
    /// The point in time of its content, as the manifest writes it.
    pub as_of: String,
}

/// Returns the id of the copy at `prefix`.
pub fn copy_id(bucket: &str, prefix: &str) -> String {
    format!("{bucket}/{prefix}")
}

/// Returns the folder of the exports at `prefix`. In each export, `data/` is imported.
pub fn folder(prefix: &str) -> String {
    format!("{prefix}/AWSDynamoDB/")
}

/// The table copy kind.
pub struct TableCopy;

impl Kind for TableCopy {
    const NAME: &'static str = "table-copy";
    const SUMMARY: &'static str =
        "newest complete export of a table in the control bucket, which a failover restores";
    const LOOKUP: Lookup = Lookup::Name;
    const ROLE: Role = Role::Setting;
    const CAPABILITIES: Capabilities = Capabilities {
        is_found: Some("there is no complete export of it, so there is nothing to restore it from"),
        ..Capabilities::NONE
    };
    const OPERATIONS: &'static [Operation] = &[operation("s3", "GetObject"), operation("s3", "ListBucket")];
    type Spec = TableCopySpec;
    type Live = TableCopyLive;

    fn diff(_spec: &TableCopySpec, _live: &TableCopyLive) -> Vec<FieldChange> {
        // The export kind decides how old an export may be.
        Vec::new()
    }

    fn expect(_spec: &TableCopySpec, _id: &str) -> TableCopyLive {
        TableCopyLive { export: "newest".to_owned(), as_of: String::new() }
    }

    fn outputs(id: &str, live: &TableCopyLive) -> BTreeMap<String, String> {
        [("id", id), (EXPORT, &live.export), (AS_OF, &live.as_of)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn prior(_action: Action) -> Duration {
        // One listing and one object.
        Duration::from_secs(1)
    }
}

/// Returns the key of the object that an export in `folder` writes last.
pub fn manifest_key(folder: &str, export: &str) -> String {
    format!("{folder}{export}/manifest-summary.json")
}

#[cfg(feature = "aws")]
pub(crate) mod aws;
