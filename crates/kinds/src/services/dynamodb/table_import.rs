//! The table import kind: a table of the standby region that a failover restored from an export.
//!
//! It is data from then on: drstack does not export it back, and deletes it only with
//! `--delete-data`.
//!
//! An import creates a new table and uses none of its capacity; the table is in service when the
//! import is complete (DynamoDB Developer Guide, "DynamoDB data import from Amazon S3: how it
//! works"). An import supports no local indexes and no tags.

use std::collections::BTreeMap;
use std::time::Duration;

use drstack_core::kind::{
    Action, Capabilities, Erased, FieldChange, Halfway, Kind, Lookup, Operation, Readiness, Role, Staged,
    Wait,
};
use drstack_core::link::{KNOWN_LATER, Link};
use drstack_core::restored::{AS_OF, EXPORT};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::standby_table::{Settings, StandbyTable};
use super::table_replica::TableReplica;
use crate::facts::TableShape;
use crate::services::{key, operation};

/// The desired state of a table import.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableImportSpec {
    /// The table; it has the same name as the primary's.
    pub table: String,
    /// The bucket of the exports.
    pub bucket: String,
    /// Prefix in that bucket, without a `/` at the end.
    pub prefix: String,
    /// Id of the export that it is restored from.
    pub export: Link,
    /// Keys, indexes and capacity of the primary's table.
    pub shape: TableShape,
    /// Key, recovery and protection.
    #[serde(flatten)]
    pub settings: Settings,
}

/// A table import as DynamoDB reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableImportLive {
    /// The table. It gets its tags once all of its items exist.
    #[serde(flatten)]
    pub table: StandbyTable,
    /// The error of the import, if it failed.
    pub failure: Option<String>,
    /// The export that it was restored from, if known.
    pub export: Option<String>,
}

/// Returns the moment that an export shows, if its id says when it was requested. Ids begin with the
/// milliseconds: `01767225600000-6f0c2f2b`.
pub fn moment(export: &str) -> Option<Timestamp> {
    let (millis, _) = export.split_once('-')?;
    Timestamp::from_millisecond(millis.parse().ok()?).ok()
}

/// The table import kind.
pub struct TableImport;

impl Kind for TableImport {
    const NAME: &'static str = "table-import";
    const SUMMARY: &'static str = "table of the standby region that a failover restored from an export";
    const LOOKUP: Lookup = Lookup::Name;
    const ROLE: Role = Role::Restored;
    const WAIT: Wait = Wait::LONG;
    const OPERATIONS: &'static [Operation] = &[
        operation("dynamodb", "DeleteTable"),
        operation("dynamodb", "DescribeContinuousBackups"),
        operation("dynamodb", "DescribeImport"),
        operation("dynamodb", "DescribeTable"),
        operation("dynamodb", "ImportTable"),
        operation("dynamodb", "ListImports"),
        operation("dynamodb", "ListTagsOfResource"),
        operation("dynamodb", "TagResource"),
        operation("dynamodb", "UpdateContinuousBackups"),
        operation("dynamodb", "UpdateTable"),
        key("CreateGrant"),
        key("Decrypt"),
        key("DescribeKey"),
        key("Encrypt"),
        key("GenerateDataKey"),
        key("ReEncryptFrom"),
        key("ReEncryptTo"),
        operation("logs", "CreateLogGroup").implied(),
        operation("logs", "CreateLogStream").implied(),
        operation("logs", "DescribeLogGroups").implied(),
        operation("logs", "DescribeLogStreams").implied(),
        operation("logs", "PutLogEvents").implied(),
        operation("logs", "PutRetentionPolicy").implied(),
        operation("s3", "GetObject"),
        operation("s3", "ListBucket"),
    ];
    const CAPABILITIES: Capabilities = Capabilities {
        same_as: Some(TableReplica::NAME),
        staged: Some(&Erased::<Self>::NEW),
        ..Capabilities::NONE
    };
    type Spec = TableImportSpec;
    type Live = TableImportLive;

    fn diff(spec: &TableImportSpec, live: &TableImportLive) -> Vec<FieldChange> {
        // A table of an earlier failover comes from another export than the newest one.
        let export = live
            .export
            .as_deref()
            .filter(|_| spec.export.text() != KNOWN_LATER)
            .and_then(|export| FieldChange::replacing("export", &export, &spec.export.text()));
        let mut changes = live.table.differences(&spec.settings);
        changes.extend(export);
        changes
    }

    fn expect(spec: &TableImportSpec, id: &str) -> TableImportLive {
        TableImportLive {
            table: StandbyTable::expect(&spec.settings, id),
            failure: None,
            export: Some(spec.export.text().to_owned()),
        }
    }

    fn ready(spec: &TableImportSpec, live: &TableImportLive) -> Readiness {
        match (live.table.status.as_str(), &live.failure) {
            (_, Some(why)) => Readiness::Failed(format!(
                "`{}` was not restored whole: {why}; delete what is there of it, and run this again",
                spec.table
            )),
            ("ACTIVE" | "UPDATING", None) => Readiness::Ready,
            ("INACCESSIBLE_ENCRYPTION_CREDENTIALS", None) => {
                Readiness::Failed(format!("the key of `{}` cannot be used", spec.table))
            }
            (_, None) => Readiness::Waiting(format!("the items of `{}` are being imported", spec.table)),
        }
    }

    fn outputs(id: &str, live: &TableImportLive) -> BTreeMap<String, String> {
        let mut outputs = live.table.outputs(id);
        let export = live.export.clone().unwrap_or_default();
        let as_of = moment(&export).map(|it| it.to_string()).unwrap_or_default();
        outputs.extend([(EXPORT.to_owned(), export), (AS_OF.to_owned(), as_of)]);
        outputs
    }

    fn prior(action: Action) -> Duration {
        // AWS gives no number: "import times are directly related to your data's characteristics".
        // Minutes for small tables, as with replicas; for a large one the journal of a rehearsal
        // shows it.
        if action == Action::Create { Duration::from_secs(600) } else { Duration::from_secs(5) }
    }
}

impl Staged for TableImport {
    /// The table is created without settings and tags, which it gets once its items exist.
    fn halfway(spec: &TableImportSpec, id: &str) -> Vec<Halfway<TableImportLive>> {
        let whole = Self::expect(spec, id);
        let with_settings = StandbyTable { tagged: false, ..whole.table.clone() };
        let tables = [whole.table.bare(), with_settings];
        tables.map(|table| Halfway::untagged(TableImportLive { table, ..whole.clone() })).into()
    }
}

#[cfg(feature = "aws")]
mod aws;

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn the_id_of_an_export_says_of_when_it_is() {
        let of = |export| moment(export).map(|it| it.to_string());
        assert_eq!(of("01767225600000-6f0c2f2b").as_deref(), Some("2026-01-01T00:00:00Z"));
        assert_eq!([of("newest"), of(""), of("x-1"), of("99999999999999999-1")], [const { None }; 4]);
    }
}
