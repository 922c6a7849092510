//! The fields of a table that are set and not carried.

use aws_sdk_dynamodb::types::{DestinationStatus, TableDescription};
use drstack_core::cloud::CloudError;

use crate::aws::{Target, absent};
use crate::ledger::{FieldSetting, NotCarried};
use crate::services::dynamodb::calls::{NO_TABLE, tags};
use crate::services::dynamodb::table_fact::fields::{BESIDE, TABLE};

/// Days that recovery reaches back by default (`RecoveryPeriodInDays` of the API reference).
const RECOVERY_DAYS: i32 = 35;
/// Prefixes of the tags that AWS and drstack put on tables by themselves.
const OTHERS: [&str; 2] = ["aws:", "drstack:"];

/// Returns what is set on a table and not carried. A call that fails holds nothing up.
pub(super) async fn not_carried(at: &Target<'_>, name: &str, table: &TableDescription) -> NotCarried {
    let arn = table.table_arn().unwrap_or_default();
    let (policy, tags, recovery, streams) =
        tokio::join!(policy(at, arn), own_tags(at, arn), recovery(at, name), kinesis(at, name));
    let mut found = NotCarried::default();
    found.add(&BESIDE, beside(policy, tags, recovery, streams));
    found.add(&TABLE, itself(table));
    found
}

type Answer = Result<Option<FieldSetting>, CloudError>;

/// Fields of [`BESIDE`].
fn beside(
    policy: Answer,
    tags: Answer,
    recovery: Answer,
    streams: Answer,
) -> [(&'static str, Option<FieldSetting>); 4] {
    let setting = |answer: Answer| answer.unwrap_or_else(|error| Some(FieldSetting::unseen(&error)));
    [
        ("GetResourcePolicy", setting(policy)),
        ("ListTagsOfResource", setting(tags)),
        ("DescribeContinuousBackups", setting(recovery)),
        ("DescribeKinesisStreamingDestination", setting(streams)),
    ]
}

/// Fields of [`TABLE`].
fn itself(table: &TableDescription) -> [(&'static str, Option<FieldSetting>); 3] {
    let consistency = table.multi_region_consistency().map(|it| it.as_str());
    [
        ("MultiRegionConsistency", FieldSetting::unless("EVENTUAL", consistency)),
        (
            "DisassociationProtectionEnabled",
            FieldSetting::flag(table.disassociation_protection_enabled() == Some(true)),
        ),
        ("VectorIndexes", FieldSetting::count(table.vector_indexes().len())),
    ]
}

async fn policy(at: &Target<'_>, arn: &str) -> Answer {
    const NONE: &[&str] = &["PolicyNotFoundException", "ResourceNotFoundException"];
    let answer = at.dynamodb().get_resource_policy().resource_arn(arn).send().await;
    let policy = absent(at, "dynamodb:GetResourcePolicy", NONE, answer)?.and_then(|it| it.policy);
    Ok(FieldSetting::flag(policy.is_some_and(|it| !it.is_empty())))
}

async fn own_tags(at: &Target<'_>, arn: &str) -> Answer {
    let tags = tags(at, arn).await?;
    Ok(FieldSetting::count(tags.keys().filter(|key| !OTHERS.iter().any(|it| key.starts_with(it))).count()))
}

async fn recovery(at: &Target<'_>, name: &str) -> Answer {
    let answer = at.dynamodb().describe_continuous_backups().table_name(name).send().await;
    let answer = absent(at, "dynamodb:DescribeContinuousBackups", NO_TABLE, answer)?;
    let days = answer
        .and_then(|it| it.continuous_backups_description)
        .and_then(|it| it.point_in_time_recovery_description)
        .and_then(|it| it.recovery_period_in_days);
    Ok(days.filter(|days| *days != RECOVERY_DAYS).map(|days| FieldSetting::Value(format!("{days} days"))))
}

async fn kinesis(at: &Target<'_>, name: &str) -> Answer {
    const OPERATION: &str = "dynamodb:DescribeKinesisStreamingDestination";
    let answer = at.dynamodb().describe_kinesis_streaming_destination().table_name(name).send().await;
    let streams = absent(at, OPERATION, NO_TABLE, answer)?.and_then(|it| it.kinesis_data_stream_destinations);
    let is_on = |status: &DestinationStatus| *status != DestinationStatus::Disabled;
    let on = streams.unwrap_or_default().into_iter().filter_map(|it| it.destination_status).filter(is_on);
    Ok(FieldSetting::count(on.count()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_field_that_is_not_carried_is_looked_at() {
        let table = TableDescription::builder().build();
        let beside = beside(Ok(None), Ok(None), Ok(None), Ok(None)).map(|(field, _)| field);
        assert_eq!(BTreeSet::from(beside), BESIDE.not_yet().map(|(field, _)| field).collect());
        let itself = itself(&table).map(|(field, _)| field);
        assert_eq!(BTreeSet::from(itself), TABLE.not_yet().map(|(field, _)| field).collect());
    }
}
