use std::time::SystemTime;

use aws_sdk_dynamodb::types::{ExportDescription, ExportFormat, ExportType, S3SseAlgorithm};
use drstack_core::cloud::{Call, CloudError};
use drstack_core::kind::Place;

use super::{COMPLETED, IN_PROGRESS, TableExport, TableExportLive, TableExportSpec, export_id, prefix};
use crate::aws::{Looked, Seen, SettingDriver, Target, each, setting};
use crate::services::dynamodb::calls::Tables;
use crate::services::dynamodb::calls::table;
use crate::services::dynamodb::table_copy::aws::manifest;
use crate::services::dynamodb::table_copy::{folder, manifest_key};

const EXPORT: &str = "dynamodb:ExportTableToPointInTime";
const DESCRIBE: &str = "dynamodb:DescribeExport";

impl SettingDriver for TableExport {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<TableExportLive> {
        each(ids, |id| async move { look(at, id).await }).await
    }

    async fn create(
        at: &Target<'_>,
        call: &Call,
        spec: &TableExportSpec,
    ) -> Result<Seen<TableExportLive>, CloudError> {
        export(at, call, spec).await?;
        let live = TableExportLive { state: IN_PROGRESS.to_owned(), failure: None, is_old: false };
        Ok(seen(export_id(&spec.table, spec.oldest_hours, &spec.bucket), live))
    }

    async fn update(at: &Target<'_>, call: &Call, _: &str, spec: &TableExportSpec) -> Result<(), CloudError> {
        export(at, call, spec).await
    }
}

async fn look(at: &Target<'_>, id: String) -> Result<Option<Seen<TableExportLive>>, CloudError> {
    let malformed = || CloudError::Other {
        operation: "read".to_owned(),
        message: format!("`{id}` does not say which exports are meant"),
    };
    let (name, rest) = id.split_once('/').ok_or_else(malformed)?;
    let (hours, bucket) = rest.split_once("h/").ok_or_else(malformed)?;
    let oldest_hours: u64 = hours.parse().map_err(|_| malformed())?;
    let told = at.aws.told.get::<Tables>().0.take(name);
    let found = if let Some(told) = told { Some(told) } else { table(at, name).await? };
    let Some(arn) = found.and_then(|it| it.table_arn) else { return Ok(None) };
    let Some(newest) = newest(at, &arn, bucket, &prefix(&at.scope.stack, name)).await? else {
        return Ok(None);
    };
    let live = described(&newest, oldest_hours)?;
    // DynamoDB also lists exports whose bucket or objects are gone.
    let stands = live.state != COMPLETED || stands(at, &newest).await?;
    Ok(stands.then(|| seen(id, live)))
}

async fn stands(at: &Target<'_>, export: &ExportDescription) -> Result<bool, CloudError> {
    let standby = Target { place: Place::Standby, region: &at.scope.standby, ..*at };
    let id = export.export_arn().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default();
    let key = manifest_key(&folder(export.s3_prefix().unwrap_or_default()), id);
    Ok(manifest(&standby, export.s3_bucket().unwrap_or_default(), &key).await?.is_some())
}

/// Requests an export, unless one is in progress.
async fn export(at: &Target<'_>, call: &Call, spec: &TableExportSpec) -> Result<(), CloudError> {
    let missing = || CloudError::Invalid {
        operation: EXPORT.to_owned(),
        code: "TableNotFoundException".to_owned(),
        message: format!("table `{}` does not exist in {}", spec.table, at.region),
    };
    let arn = table(at, &spec.table).await?.and_then(|it| it.table_arn).ok_or_else(missing)?;
    let before = newest(at, &arn, &spec.bucket, &spec.prefix).await?;
    let is_being_made =
        |it: &ExportDescription| it.export_status().map(|it| it.as_str()) == Some(IN_PROGRESS);
    if before.as_ref().is_some_and(is_being_made) {
        return Ok(());
    }
    // A token means the same export for 8 hours: the id of the previous export makes it new.
    let before = before.and_then(|it| it.export_arn).unwrap_or_default();
    let token = format!("{}-{}", call.token, before.rsplit('/').next().unwrap_or_default());
    let put = at
        .dynamodb()
        .export_table_to_point_in_time()
        .table_arn(&arn)
        .client_token(token)
        .s3_bucket(&spec.bucket)
        .s3_bucket_owner(&*at.aws.account)
        .s3_prefix(&spec.prefix)
        .s3_sse_algorithm(S3SseAlgorithm::Aes256)
        .export_type(ExportType::FullExport)
        .export_format(ExportFormat::DynamodbJson);
    put.send().await.map(drop).map_err(|error| at.failed(EXPORT, error))
}

/// Finds the newest export of the table to this bucket and prefix.
///
/// Ids of exports begin with the time of the request. Exports to other places belong to others.
async fn newest(
    at: &Target<'_>,
    table: &str,
    bucket: &str,
    prefix: &str,
) -> Result<Option<ExportDescription>, CloudError> {
    let mut arns = Vec::new();
    let mut pages = at.dynamodb().list_exports().table_arn(table).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("dynamodb:ListExports", error))?;
        let full = page.export_summaries.unwrap_or_default().into_iter();
        let full = full.filter(|it| it.export_type != Some(ExportType::IncrementalExport));
        arns.extend(full.filter_map(|it| it.export_arn));
    }
    arns.sort();
    for arn in arns.into_iter().rev() {
        let answer = at.dynamodb().describe_export().export_arn(arn).send().await;
        let answer = answer.map_err(|error| at.failed(DESCRIBE, error))?;
        let export = answer.export_description;
        let is_here =
            |it: &ExportDescription| it.s3_bucket() == Some(bucket) && it.s3_prefix() == Some(prefix);
        if let Some(export) = export.filter(is_here) {
            return Ok(Some(export));
        }
    }
    Ok(None)
}

fn described(export: &ExportDescription, oldest_hours: u64) -> Result<TableExportLive, CloudError> {
    let state = export.export_status().map(|it| it.as_str().to_owned()).unwrap_or_default();
    let is_old = match (export.export_time(), state.as_str()) {
        (Some(of), _) => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let age = now.as_secs().saturating_sub(u64::try_from(of.secs()).unwrap_or_default());
            age > oldest_hours.saturating_mul(3600)
        }
        (None, COMPLETED) => {
            return Err(CloudError::Other {
                operation: DESCRIBE.to_owned(),
                message: "it does not say of which moment the export is".to_owned(),
            });
        }
        (None, _) => false,
    };
    let failure = export.failure_message().or(export.failure_code()).map(str::to_owned);
    Ok(TableExportLive { state, failure, is_old })
}

fn seen(id: String, live: TableExportLive) -> Seen<TableExportLive> {
    setting(id, live)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sdk_dynamodb::primitives::DateTime;
    use aws_sdk_dynamodb::types::ExportStatus;

    use super::*;

    fn of(state: ExportStatus, seconds_ago: Option<u64>) -> Result<TableExportLive, CloudError> {
        let time = seconds_ago.map(|ago| DateTime::from(SystemTime::now() - Duration::from_secs(ago)));
        let export = ExportDescription::builder().export_status(state).set_export_time(time);
        described(&export.build(), 24)
    }

    #[test]
    fn an_export_is_as_old_as_the_moment_that_it_shows() {
        let is_old = |seconds| of(ExportStatus::Completed, Some(seconds)).map(|it| it.is_old);
        assert_eq!(is_old(24 * 3600 - 60), Ok(false));
        assert_eq!(is_old(24 * 3600 + 60), Ok(true));
    }

    #[test]
    fn an_export_of_an_unknown_moment_is_neither_young_nor_old() {
        assert!(of(ExportStatus::Completed, None).is_err());
        assert_eq!(of(ExportStatus::InProgress, None).map(|it| it.state), Ok(IN_PROGRESS.to_owned()));
    }
}
