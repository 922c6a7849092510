//! The newest complete export of a table, as it stands in the control bucket: what a failover restores the table from. Nobody makes
//! it here: an export of the primary does, and its manifest is written last (DynamoDB Developer Guide, "DynamoDB table export
//! output format").

use std::collections::BTreeMap;
use std::time::Duration;

use drstack_core::kind::{Action, FieldChange, Kind, Lookup, Operation, Role};
use drstack_core::restored::{AS_OF, EXPORT};
use serde::{Deserialize, Serialize};

use crate::services::operation;

/// What is wanted: any complete export.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableCopySpec {
    /// The control bucket.
    pub bucket: String,
    /// Where in that bucket the exports of the table stand; no `/` at the end.
    pub prefix: String,
}

/// What the manifest says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableCopyLive {
    /// Id of the newest complete export, which is its folder's name.
    pub export: String,
    /// The moment of which it shows the table, as the manifest writes it.
    pub as_of: String,
}

/// How the copy at `prefix` is looked up.
pub fn copy_id(bucket: &str, prefix: &str) -> String {
    format!("{bucket}/{prefix}")
}

/// The folder of the exports at `prefix`, and what one of them holds: `data/` is what is imported.
pub fn folder(prefix: &str) -> String {
    format!("{prefix}/AWSDynamoDB/")
}

/// See the module.
pub struct TableCopy;

impl Kind for TableCopy {
    const NAME: &'static str = "table-copy";
    const SUMMARY: &'static str =
        "newest complete export of a table in the control bucket, which a failover restores";
    const LOOKUP: Lookup = Lookup::Name;
    const ROLE: Role = Role::Setting;
    const OPERATIONS: &'static [Operation] = &[operation("s3", "GetObject"), operation("s3", "ListBucket")];
    type Spec = TableCopySpec;
    type Live = TableCopyLive;

    fn diff(_spec: &TableCopySpec, _live: &TableCopyLive) -> Vec<FieldChange> {
        // How old it may be is the business of who makes it.
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

/// The object that is written last of an export in `folder`.
pub fn manifest_key(folder: &str, export: &str) -> String {
    format!("{folder}{export}/manifest-summary.json")
}

#[cfg(feature = "aws")]
pub(crate) mod aws;
