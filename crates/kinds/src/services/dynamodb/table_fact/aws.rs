use std::collections::BTreeSet;

use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};
use aws_sdk_dynamodb::types::{
    BillingMode, GlobalSecondaryIndexDescription, KeySchemaElement, ProvisionedThroughputDescription,
    SseType, TableDescription,
};
use drstack_core::cloud::CloudError;

use super::{KeyPart, TableFact, TableIndex, TableShape, Throughput};
use crate::aws::{Ask, Target};
use crate::services::dynamodb::calls as dynamodb;
use crate::services::dynamodb::calls::Tables;

mod not_carried;

use not_carried::not_carried;

/// Resource ids that one request names, by the API reference of DescribeScalableTargets.
const TARGETS: usize = 50;
/// The current version of global tables.
const TODAYS: &str = "2019.11.21";

impl Ask for TableFact {
    async fn ask(at: &Target<'_>, name: &str) -> Result<Option<TableFact>, CloudError> {
        let Some(found) = dynamodb::table(at, name).await? else { return Ok(None) };
        at.aws.told.get::<Tables>().0.put(name, found.clone());
        let on_demand = found
            .billing_mode_summary
            .as_ref()
            .is_some_and(|it| it.billing_mode == Some(BillingMode::PayPerRequest));
        let indexes: Vec<String> = found
            .global_secondary_indexes()
            .iter()
            .filter(|_| !on_demand)
            .filter_map(|it| it.index_name().map(str::to_owned))
            .collect();
        let scaling =
            async { if on_demand { Ok(BTreeSet::new()) } else { autoscaled(at, name, &indexes).await } };
        let (scaling, not_carried) = tokio::join!(scaling, not_carried(at, name, &found));
        let scaling = scaling?;
        let autoscaled = scaling.contains(&table_target(name));
        // A table whose own capacity is fixed is refused for that.
        let fixed_indexes = indexes
            .into_iter()
            .filter(|index| autoscaled && !scaling.contains(&index_target(name, index)))
            .collect();
        Ok(Some(TableFact {
            on_demand,
            autoscaled,
            fixed_indexes,
            kms_key: customer_key(&found),
            shape: Some(shape(&found, on_demand || autoscaled)),
            replicas: Some(
                found.replicas().iter().filter_map(|it| it.region_name().map(str::to_owned)).collect(),
            ),
            stream: found
                .stream_specification
                .filter(|it| it.stream_enabled)
                .and_then(|it| it.stream_view_type)
                .map(|it| it.as_str().to_owned()),
            legacy: found.global_table_version.is_some_and(|it| it != TODAYS),
            not_carried,
        }))
    }
}

fn shape(table: &TableDescription, scales: bool) -> TableShape {
    let key = |parts: &[KeySchemaElement]| -> Vec<KeyPart> {
        let part = |it: &KeySchemaElement| KeyPart {
            attribute: it.attribute_name().to_owned(),
            role: it.key_type().as_str().to_owned(),
        };
        parts.iter().map(part).collect()
    };
    let capacity = |it: Option<&ProvisionedThroughputDescription>| {
        let it = it.filter(|_| !scales)?;
        Some(Throughput { read: it.read_capacity_units?, write: it.write_capacity_units? })
    };
    let index = |it: &GlobalSecondaryIndexDescription| {
        let projection = it.projection();
        TableIndex {
            name: it.index_name().unwrap_or_default().to_owned(),
            key: key(it.key_schema()),
            projection: projection
                .and_then(|it| it.projection_type())
                .map_or("ALL", |it| it.as_str())
                .to_owned(),
            attributes: projection.map(|it| it.non_key_attributes().to_vec()).unwrap_or_default(),
            capacity: capacity(it.provisioned_throughput()),
        }
    };
    let mut indexes: Vec<TableIndex> = table.global_secondary_indexes().iter().map(index).collect();
    indexes.sort_by(|a, b| a.name.cmp(&b.name));
    let local = table.local_secondary_indexes().iter().filter_map(|it| it.index_name().map(str::to_owned));
    let mut local_indexes: Vec<String> = local.collect();
    local_indexes.sort();
    let types = table.attribute_definitions().iter();
    TableShape {
        attributes: types
            .map(|it| (it.attribute_name().to_owned(), it.attribute_type().as_str().to_owned()))
            .collect(),
        key: key(table.key_schema()),
        indexes,
        local_indexes,
        capacity: capacity(table.provisioned_throughput()),
    }
}

fn customer_key(table: &TableDescription) -> Option<String> {
    let sse = table.sse_description.as_ref()?;
    (sse.sse_type == Some(SseType::Kms)).then(|| sse.kms_master_key_arn.clone()).flatten()
}

/// Returns those of the table and its indexes whose write capacity scales automatically, as Auto
/// Scaling names them.
async fn autoscaled(at: &Target<'_>, name: &str, indexes: &[String]) -> Result<BTreeSet<String>, CloudError> {
    let indexes = indexes.iter().map(|index| index_target(name, index));
    let wanted: Vec<String> = std::iter::once(table_target(name)).chain(indexes).collect();
    let mut found = BTreeSet::new();
    for wanted in wanted.chunks(TARGETS) {
        let ask = at
            .scaling()
            .describe_scalable_targets()
            .service_namespace(ServiceNamespace::Dynamodb)
            .set_resource_ids(Some(wanted.to_vec()));
        let mut pages = ask.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| at.failed("application-autoscaling:DescribeScalableTargets", error))?;
            let writes = page.scalable_targets.unwrap_or_default().into_iter().filter(|it| {
                matches!(
                    it.scalable_dimension,
                    ScalableDimension::DynamoDbTableWriteCapacityUnits
                        | ScalableDimension::DynamoDbIndexWriteCapacityUnits
                )
            });
            found.extend(writes.map(|it| it.resource_id));
        }
    }
    Ok(found)
}

/// Resource id of a table in Application Auto Scaling.
fn table_target(table: &str) -> String {
    format!("table/{table}")
}

/// Resource id of an index in Application Auto Scaling.
fn index_target(table: &str, index: &str) -> String {
    format!("table/{table}/index/{index}")
}
