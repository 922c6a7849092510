//! Exports of a primary table to a bucket of the standby region: what a cold table is restored from. Made anew once too old,
//! never removed.
//!
//! An export costs no capacity of the table, needs point-in-time recovery, and may go to a bucket of another region (DynamoDB
//! Developer Guide, "DynamoDB data export to Amazon S3: how it works").

use std::collections::BTreeMap;
use std::time::Duration;

use drstack_core::kind::{Action, FieldChange, Kind, Lookup, Operation, Place, Readiness, Wait};
use serde::{Deserialize, Serialize};

use super::operation;

/// State of an export that can be restored.
const COMPLETED: &str = "COMPLETED";
/// State of an export that is being made.
const IN_PROGRESS: &str = "IN_PROGRESS";

/// What is wanted: an export that is young enough.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableExportSpec {
    /// The primary table.
    pub table: String,
    /// The bucket it goes to.
    pub bucket: String,
    /// Where in that bucket; no `/` at the end.
    pub prefix: String,
    /// An export of more hours than these is made anew.
    pub oldest_hours: u64,
}

impl TableExportSpec {
    fn destination(&self) -> String {
        destination(&self.bucket, &self.prefix)
    }
}

/// What DynamoDB reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableExportLive {
    /// The newest export to each destination, by its S3 address.
    pub newest: BTreeMap<String, Export>,
}

/// One export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Export {
    /// `COMPLETED` when it can be restored.
    pub state: String,
    /// Whole hours since the moment of which it shows the table, when it was looked at.
    pub age_hours: u64,
}

/// See the module.
pub struct TableExport;

impl Kind for TableExport {
    const NAME: &'static str = "table-export";
    const SUMMARY: &'static str = "export of a primary table to the standby region; made anew once too old";
    const LOOKUP: Lookup = Lookup::Name;
    const PLACES: &'static [Place] = &[Place::Primary];
    const SETTING: bool = true;
    const WAIT: Wait = Wait::LONG;
    const OPERATIONS: &'static [Operation] = &[
        operation("dynamodb", "DescribeExport"),
        operation("dynamodb", "DescribeTable"),
        operation("dynamodb", "ExportTableToPointInTime"),
        operation("dynamodb", "ListExports"),
    ];
    type Spec = TableExportSpec;
    type Live = TableExportLive;

    fn diff(spec: &TableExportSpec, live: &TableExportLive) -> Vec<FieldChange> {
        let newest = live.newest.get(&spec.destination());
        let is_there = newest.is_some_and(|it| matches!(it.state.as_str(), COMPLETED | IN_PROGRESS));
        let is_young = newest.is_none_or(|it| it.age_hours <= spec.oldest_hours);
        let changes = [
            FieldChange::of("exported", &is_there, &true),
            FieldChange::of("young_enough", &is_young, &true),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &TableExportSpec, _id: &str) -> TableExportLive {
        let export = Export { state: COMPLETED.to_owned(), age_hours: 0 };
        TableExportLive { newest: BTreeMap::from([(spec.destination(), export)]) }
    }

    fn expect_after(spec: &TableExportSpec, id: &str, before: &TableExportLive) -> TableExportLive {
        let mut newest = before.newest.clone();
        newest.extend(Self::expect(spec, id).newest);
        TableExportLive { newest }
    }

    fn ready(spec: &TableExportSpec, live: &TableExportLive) -> Readiness {
        let name = &spec.table;
        match live.newest.get(&spec.destination()).map(|it| it.state.as_str()) {
            Some(COMPLETED) => Readiness::Ready,
            Some(IN_PROGRESS) => Readiness::Waiting(format!("the export of `{name}` is being made")),
            Some(other) => Readiness::Failed(format!("the export of `{name}` is {other}")),
            None => Readiness::Waiting(format!("the export of `{name}` does not show yet")),
        }
    }

    fn prior(_action: Action) -> Duration {
        // Small tables take minutes; AWS gives no number for large ones.
        Duration::from_secs(300)
    }
}

fn destination(bucket: &str, prefix: &str) -> String {
    format!("s3://{bucket}/{prefix}")
}

#[cfg(feature = "aws")]
mod aws {
    use std::collections::BTreeMap;
    use std::time::SystemTime;

    use aws_sdk_dynamodb::types::{ExportDescription, ExportFormat, ExportType, S3SseAlgorithm};
    use drstack_core::cloud::{Call, CloudError, Owner};
    use drstack_core::kind::FieldChange;

    use super::{Export, IN_PROGRESS, TableExport, TableExportLive, TableExportSpec, destination};
    use crate::aws::dynamodb::table;
    use crate::aws::{Driver, Looked, Seen, Target, each};

    const EXPORT: &str = "dynamodb:ExportTableToPointInTime";
    /// Newest exports looked at: one call each, and a table with more destinations than these is not known.
    const LOOKED_AT: usize = 10;

    impl Driver for TableExport {
        async fn read(at: &Target<'_>, ids: &[String]) -> Looked<TableExportLive> {
            each(ids, |name| async move {
                let Some(arn) = table(at, &name).await?.and_then(|it| it.table_arn) else { return Ok(None) };
                Ok(Some(seen(&name, newest(at, &arn).await?)))
            })
            .await
        }

        async fn list_owned(_: &Target<'_>, _: &[String]) -> Result<Vec<Seen<TableExportLive>>, CloudError> {
            Ok(Vec::new())
        }

        async fn create(
            at: &Target<'_>,
            call: &Call,
            spec: &TableExportSpec,
        ) -> Result<Seen<TableExportLive>, CloudError> {
            let live = export(at, call, spec).await?;
            Ok(seen(&spec.table, live))
        }

        async fn update(
            at: &Target<'_>,
            call: &Call,
            _: &str,
            spec: &TableExportSpec,
            _: &[FieldChange],
        ) -> Result<(), CloudError> {
            export(at, call, spec).await.map(drop)
        }

        async fn delete(_: &Target<'_>, _: &Call, _: &str) -> Result<(), CloudError> {
            Ok(())
        }
    }

    async fn export(
        at: &Target<'_>,
        call: &Call,
        spec: &TableExportSpec,
    ) -> Result<TableExportLive, CloudError> {
        let missing = || CloudError::Invalid {
            operation: EXPORT.to_owned(),
            code: "TableNotFoundException".to_owned(),
            message: format!("table `{}` does not exist in {}", spec.table, at.region),
        };
        let arn = table(at, &spec.table).await?.and_then(|it| it.table_arn).ok_or_else(missing)?;
        // A token stands for one export for 8 hours: the export before this one makes it new.
        let before = arns(at, &arn).await?.into_iter().next().unwrap_or_default();
        let token = format!("{}-{}", call.token, before.rsplit('/').next().unwrap_or_default());
        let put = at
            .dynamodb()
            .export_table_to_point_in_time()
            .table_arn(&arn)
            .client_token(token)
            .s3_bucket(&spec.bucket)
            .s3_prefix(&spec.prefix)
            .s3_sse_algorithm(S3SseAlgorithm::Aes256)
            .export_type(ExportType::FullExport)
            .export_format(ExportFormat::DynamodbJson);
        put.send().await.map_err(|error| at.failed(EXPORT, error))?;
        let making = Export { state: IN_PROGRESS.to_owned(), age_hours: 0 };
        Ok(TableExportLive { newest: BTreeMap::from([(spec.destination(), making)]) })
    }

    /// ARNs of a table's exports, newest first: their ids begin with the time they were asked for.
    async fn arns(at: &Target<'_>, table: &str) -> Result<Vec<String>, CloudError> {
        let mut found = Vec::new();
        let mut pages = at.dynamodb().list_exports().table_arn(table).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| at.failed("dynamodb:ListExports", error))?;
            let exports = page.export_summaries.unwrap_or_default();
            found.extend(exports.into_iter().filter_map(|it| it.export_arn));
        }
        found.sort_by(|a, b| b.cmp(a));
        Ok(found)
    }

    async fn newest(at: &Target<'_>, table: &str) -> Result<TableExportLive, CloudError> {
        let mut newest = BTreeMap::new();
        for arn in arns(at, table).await?.into_iter().take(LOOKED_AT) {
            let answer = at.dynamodb().describe_export().export_arn(arn).send().await;
            let answer = answer.map_err(|error| at.failed("dynamodb:DescribeExport", error))?;
            let Some(it) = answer.export_description else { continue };
            let to = destination(it.s3_bucket().unwrap_or_default(), it.s3_prefix().unwrap_or_default());
            newest.entry(to).or_insert_with(|| described(&it));
        }
        Ok(TableExportLive { newest })
    }

    fn described(it: &ExportDescription) -> Export {
        let moment = it.export_time().or(it.start_time()).map_or(0, |time| time.secs());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let age = now.as_secs().saturating_sub(u64::try_from(moment).unwrap_or_default());
        let state = it.export_status().map(|it| it.as_str().to_owned()).unwrap_or_default();
        Export { state, age_hours: age / 3600 }
    }

    fn seen(table: &str, live: TableExportLive) -> Seen<TableExportLive> {
        Seen { id: table.to_owned(), owner: Owner::Setting, live }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(export: Option<(&str, u64)>) -> Vec<String> {
        let spec = TableExportSpec {
            table: "features".to_owned(),
            bucket: "control".to_owned(),
            prefix: "exports/fleet/features".to_owned(),
            oldest_hours: 24,
        };
        let newest = export
            .map(|(state, age_hours)| (spec.destination(), Export { state: state.to_owned(), age_hours }));
        let live = TableExportLive { newest: newest.into_iter().collect() };
        TableExport::diff(&spec, &live).into_iter().map(|change| change.field).collect()
    }

    #[test]
    fn only_what_is_missing_failed_or_too_old_is_exported() {
        assert_eq!(changes(None), ["exported"]);
        assert_eq!(changes(Some(("FAILED", 1))), ["exported"]);
        assert_eq!(changes(Some((COMPLETED, 25))), ["young_enough"]);
        assert!(changes(Some((COMPLETED, 24))).is_empty());
        assert!(changes(Some((IN_PROGRESS, 0))).is_empty());
    }
}
