//! Calls of DynamoDB that several kinds share.

use aws_sdk_dynamodb::types::{
    PointInTimeRecoverySpecification, PointInTimeRecoveryStatus, TableDescription, Tag,
};
use drstack_core::cloud::CloudError;

use crate::aws::built;
use crate::aws::once::Cache;
use crate::aws::tags::Tags;
use crate::aws::{Target, absent};

/// Cache of primary tables by name, filled by the facts; the observe that follows uses each entry
/// once.
#[derive(Default)]
pub(crate) struct Tables(pub(crate) Cache<TableDescription>);

/// Error codes of DynamoDB for a missing table.
pub(crate) const NO_TABLE: &[&str] = &["ResourceNotFoundException", "TableNotFoundException"];

/// Reads the table of this name.
pub(crate) async fn table(at: &Target<'_>, name: &str) -> Result<Option<TableDescription>, CloudError> {
    let answer = at.dynamodb().describe_table().table_name(name).send().await;
    Ok(absent(at, "dynamodb:DescribeTable", NO_TABLE, answer)?.and_then(|it| it.table))
}

/// True if point-in-time recovery is on; `None` if the table does not exist.
pub(crate) async fn recovery(at: &Target<'_>, name: &str) -> Result<Option<bool>, CloudError> {
    let answer = at.dynamodb().describe_continuous_backups().table_name(name).send().await;
    let answer = absent(at, "dynamodb:DescribeContinuousBackups", NO_TABLE, answer)?;
    let status = |it: aws_sdk_dynamodb::types::ContinuousBackupsDescription| {
        it.point_in_time_recovery_description.and_then(|it| it.point_in_time_recovery_status)
    };
    Ok(answer.map(|it| {
        it.continuous_backups_description.and_then(status) == Some(PointInTimeRecoveryStatus::Enabled)
    }))
}

/// Enables or disables point-in-time recovery.
pub(crate) async fn put_recovery(at: &Target<'_>, name: &str, on: bool) -> Result<(), CloudError> {
    const OPERATION: &str = "dynamodb:UpdateContinuousBackups";
    let wanted = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(on).build();
    let put = at.dynamodb().update_continuous_backups().table_name(name);
    let put = put.point_in_time_recovery_specification(built(OPERATION, wanted)?).send().await;
    put.map(drop).map_err(|error| at.failed(OPERATION, error))
}

/// Enables or disables a table's deletion protection.
pub(crate) async fn protect(at: &Target<'_>, name: &str, on: bool) -> Result<(), CloudError> {
    let put = at.dynamodb().update_table().table_name(name).deletion_protection_enabled(on).send().await;
    put.map(drop).map_err(|error| at.failed("dynamodb:UpdateTable", error))
}

/// Deletes a table of one region, even if it is protected.
pub(crate) async fn remove(at: &Target<'_>, name: &str, found: &TableDescription) -> Result<(), CloudError> {
    if found.deletion_protection_enabled == Some(true) {
        protect(at, name, false).await?;
    }
    let gone = at.dynamodb().delete_table().table_name(name).send().await;
    absent(at, "dynamodb:DeleteTable", NO_TABLE, gone).map(drop)
}

/// Adds or updates tags of a table.
pub(crate) async fn tag(at: &Target<'_>, name: &str, tags: &Tags) -> Result<(), CloudError> {
    const OPERATION: &str = "dynamodb:TagResource";
    let arn = table(at, name).await?.and_then(|it| it.table_arn).unwrap_or_default();
    let tags = tags
        .iter()
        .map(|(key, value)| built(OPERATION, Tag::builder().key(key).value(value).build()))
        .collect::<Result<Vec<_>, _>>()?;
    let put = at.dynamodb().tag_resource().resource_arn(arn).set_tags(Some(tags)).send().await;
    put.map(drop).map_err(|error| at.failed(OPERATION, error))
}

/// Reads the tags of a table.
pub(crate) async fn tags(at: &Target<'_>, arn: &str) -> Result<Tags, CloudError> {
    let answer = at.dynamodb().list_tags_of_resource().resource_arn(arn).send().await;
    // A table that is still being created has no tags yet.
    let none = &["ResourceNotFoundException"];
    let answer = absent(at, "dynamodb:ListTagsOfResource", none, answer)?;
    let tags = answer.and_then(|it| it.tags).unwrap_or_default();
    Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
}
