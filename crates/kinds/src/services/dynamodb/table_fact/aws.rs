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
        let autoscaled = async { Ok::<_, CloudError>(!on_demand && autoscaled(at, name).await?) };
        let (autoscaled, not_carried) = tokio::join!(autoscaled, not_carried(at, name, &found));
        let autoscaled = autoscaled?;
        Ok(Some(TableFact {
            on_demand,
            autoscaled,
            kms_key: customer_key(&found),
            shape: Some(shape(&found, on_demand || autoscaled)),
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

async fn autoscaled(at: &Target<'_>, name: &str) -> Result<bool, CloudError> {
    let ask = at
        .scaling()
        .describe_scalable_targets()
        .service_namespace(ServiceNamespace::Dynamodb)
        .resource_ids(format!("table/{name}"))
        .scalable_dimension(ScalableDimension::DynamoDbTableWriteCapacityUnits);
    let answer = ask.send().await;
    let answer =
        answer.map_err(|error| at.failed("application-autoscaling:DescribeScalableTargets", error))?;
    Ok(!answer.scalable_targets.unwrap_or_default().is_empty())
}
