//! A table of the standby region that a takeover restored from an export. It is data from then on: nobody exports it back, and
//! nothing but `--delete-data` removes it.
//!
//! An import makes a new table and takes none of its capacity; the table is in service when the import is complete (DynamoDB
//! Developer Guide, "DynamoDB data import from Amazon S3: how it works"). It knows no local indexes and no tags.

use std::collections::BTreeMap;
use std::time::Duration;

use drstack_core::kind::{Action, DataRole, FieldChange, Kind, Lookup, Operation, Readiness, Wait};
use drstack_core::link::{KNOWN_LATER, Link};
use serde::{Deserialize, Serialize};

use super::operation;
use super::table_copy::EXPORT;
use crate::facts::TableShape;

/// What is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableImportSpec {
    /// The table; it has the name of the primary's.
    pub table: String,
    /// The bucket of the exports.
    pub bucket: String,
    /// Where in that bucket; no `/` at the end.
    pub prefix: String,
    /// Id of the export that it is restored from.
    pub export: Link,
    /// Keys, indexes and capacity, as the primary's table had them.
    pub shape: TableShape,
    /// Key of the standby region that encrypts it; a key that AWS owns where not said.
    pub kms_key: Option<String>,
    /// Point-in-time recovery.
    pub point_in_time_recovery: bool,
    /// It cannot be deleted by accident.
    pub deletion_protection: bool,
}

/// What DynamoDB reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableImportLive {
    /// `ACTIVE` when it serves.
    pub status: String,
    /// What went wrong with the import, where something did.
    pub failure: Option<String>,
    /// The export that it was restored from, where that is known.
    pub export: Option<String>,
    /// Customer-managed key that encrypts it.
    pub kms_key: Option<String>,
    /// Point-in-time recovery is on.
    pub point_in_time_recovery: bool,
    /// It cannot be deleted by accident.
    pub deletion_protection: bool,
    /// It carries the stack's tags, which it gets once all of its items are there.
    pub tagged: bool,
    /// Its ARN.
    pub arn: String,
}

/// See the module.
pub struct TableImport;

impl Kind for TableImport {
    const NAME: &'static str = "table-import";
    const SUMMARY: &'static str = "table of the standby region that a takeover restored from an export";
    const LOOKUP: Lookup = Lookup::Name;
    const DATA: DataRole = DataRole::Holds;
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
        operation("logs", "CreateLogGroup"),
        operation("logs", "CreateLogStream"),
        operation("logs", "DescribeLogGroups"),
        operation("logs", "DescribeLogStreams"),
        operation("logs", "PutLogEvents"),
        operation("logs", "PutRetentionPolicy"),
        operation("s3", "GetObject"),
        operation("s3", "ListBucket"),
    ];
    type Spec = TableImportSpec;
    type Live = TableImportLive;

    fn diff(spec: &TableImportSpec, live: &TableImportLive) -> Vec<FieldChange> {
        // Without a key in the stack any key will do: AWS shows the one that it manages here too.
        let key = spec
            .kms_key
            .as_ref()
            .and_then(|key| FieldChange::replacing("kms_key", &live.kms_key, &Some(key.clone())));
        // A table of an earlier takeover is of another export than the newest one.
        let export = live
            .export
            .as_deref()
            .filter(|_| spec.export.text() != KNOWN_LATER)
            .and_then(|export| FieldChange::replacing("export", &export, &spec.export.text()));
        let changes = [
            key,
            export,
            FieldChange::of(
                "point_in_time_recovery",
                &live.point_in_time_recovery,
                &spec.point_in_time_recovery,
            ),
            FieldChange::of("deletion_protection", &live.deletion_protection, &spec.deletion_protection),
            FieldChange::of("tagged", &live.tagged, &true),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &TableImportSpec, id: &str) -> TableImportLive {
        TableImportLive {
            status: "ACTIVE".to_owned(),
            failure: None,
            export: Some(spec.export.text().to_owned()),
            kms_key: spec.kms_key.clone(),
            point_in_time_recovery: spec.point_in_time_recovery,
            deletion_protection: spec.deletion_protection,
            tagged: true,
            arn: format!("arn:aws:dynamodb:standby:000000000000:table/{id}"),
        }
    }

    fn ready(spec: &TableImportSpec, live: &TableImportLive) -> Readiness {
        match (live.status.as_str(), &live.failure) {
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
        let export = live.export.as_deref().unwrap_or_default();
        [("id", id), ("arn", live.arn.as_str()), (EXPORT, export)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn prior(action: Action) -> Duration {
        // AWS gives no number: "import times are directly related to your data's characteristics". Minutes for small tables, as with
        // replicas; whoever has a large one learns it from the journal of a rehearsal.
        if action == Action::Create { Duration::from_secs(600) } else { Duration::from_secs(5) }
    }
}

#[cfg(feature = "aws")]
mod aws;
