//! The table export kind: exports of a primary table to the control bucket, from which a cold table
//! is restored.
//!
//! A new export is created once the newest is too old; exports are never deleted.
//!
//! An export uses no capacity of the table, needs point-in-time recovery, and may go to a bucket of
//! another region (DynamoDB Developer Guide, "Requesting a table export"). It writes to the bucket
//! with the caller's permissions.

use std::time::Duration;

use drstack_core::kind::{Action, FieldChange, Kind, Lookup, Operation, Place, Readiness, Role, Side, Wait};
use serde::{Deserialize, Serialize};

use crate::services::operation;

/// State of an export that can be restored.
const COMPLETED: &str = "COMPLETED";
/// State of an export in progress.
const IN_PROGRESS: &str = "IN_PROGRESS";

/// The desired state of a table export: an export that is recent enough.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableExportSpec {
    /// The primary table.
    pub table: String,
    /// The bucket that it writes to.
    pub bucket: String,
    /// Prefix in that bucket, without a `/` at the end.
    pub prefix: String,
    /// Maximum age in hours; an older export is replaced by a new one.
    pub oldest_hours: u64,
}

/// The newest export to this bucket, as DynamoDB reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableExportLive {
    /// `COMPLETED` when it can be restored.
    pub state: String,
    /// The error, if it failed.
    pub failure: Option<String>,
    /// True if its content was older than the allowed hours when observed.
    ///
    /// The age itself would differ at each observe.
    pub is_old: bool,
}

/// Returns the prefix of the exports of `table` in a control bucket, without a `/` at the end.
pub fn prefix(stack: &str, table: &str) -> String {
    format!("exports/{stack}/{table}")
}

/// Returns the id of exports: table, maximum age and bucket.
pub fn export_id(table: &str, oldest_hours: u64, bucket: &str) -> String {
    format!("{table}/{oldest_hours}h/{bucket}")
}

/// The table export kind.
pub struct TableExport;

impl Kind for TableExport {
    const NAME: &'static str = "table-export";
    const SUMMARY: &'static str = "export of a primary table to the standby region; made anew once too old";
    const LOOKUP: Lookup = Lookup::Name;
    const PLACES: &'static [Place] = &[Place::Primary];
    const ROLE: Role = Role::Setting;
    const WAIT: Wait = Wait::LONG;
    const OPERATIONS: &'static [Operation] = &[
        operation("dynamodb", "DescribeExport"),
        operation("dynamodb", "DescribeTable"),
        operation("dynamodb", "ExportTableToPointInTime"),
        operation("dynamodb", "ListExports"),
        operation("s3", "AbortMultipartUpload").implied().on(Side::Standby),
        operation("s3", "GetObject").on(Side::Standby),
        operation("s3", "PutObject").on(Side::Standby),
        operation("s3", "PutObjectAcl").implied().on(Side::Standby),
    ];
    type Spec = TableExportSpec;
    type Live = TableExportLive;

    fn diff(_spec: &TableExportSpec, live: &TableExportLive) -> Vec<FieldChange> {
        // An export that an interrupted run was waiting for is waited for again.
        let changes = [
            FieldChange::of("complete", &(live.state == COMPLETED), &true),
            FieldChange::of("young_enough", &!live.is_old, &true),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(_spec: &TableExportSpec, _id: &str) -> TableExportLive {
        TableExportLive { state: COMPLETED.to_owned(), failure: None, is_old: false }
    }

    fn ready(spec: &TableExportSpec, live: &TableExportLive) -> Readiness {
        let name = &spec.table;
        match live.state.as_str() {
            COMPLETED if live.is_old => Readiness::Waiting(format!("the new export of `{name}` shows")),
            COMPLETED => Readiness::Ready,
            IN_PROGRESS => Readiness::Waiting(format!("the export of `{name}` is being made")),
            other => {
                let why = live.failure.as_deref().unwrap_or("DynamoDB does not say why");
                Readiness::Failed(format!("the export of `{name}` is {other}: {why}"))
            }
        }
    }

    fn prior(action: Action) -> Duration {
        // The example of the developer guide ("table export output format") took 5 min 10 s for 8
        // items; larger tables take longer.
        if action == Action::Delete { Duration::ZERO } else { Duration::from_secs(310) }
    }
}

#[cfg(feature = "aws")]
mod aws;

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(state: &str, is_old: bool) -> Vec<String> {
        let spec = TableExportSpec {
            table: "features".to_owned(),
            bucket: "control".to_owned(),
            prefix: "exports/fleet/features".to_owned(),
            oldest_hours: 24,
        };
        let live = TableExportLive { state: state.to_owned(), failure: None, is_old };
        TableExport::diff(&spec, &live).into_iter().map(|change| change.field).collect()
    }

    #[test]
    fn only_what_failed_is_unfinished_or_too_old_is_exported() {
        assert_eq!(changes("FAILED", false), ["complete"]);
        assert_eq!(changes(IN_PROGRESS, false), ["complete"]);
        assert_eq!(changes(COMPLETED, true), ["young_enough"]);
        assert_eq!(changes(COMPLETED, false), [""; 0]);
    }
}
