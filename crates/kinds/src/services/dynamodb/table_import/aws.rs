//! The driver of the table import kind: the import, its progress, and the settings and tags that
//! follow.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, ImportStatus, ImportSummary,
    InputCompressionType, InputFormat, KeySchemaElement, KeyType, Projection, ProjectionType,
    ProvisionedThroughput, S3BucketSource, ScalarAttributeType, SseSpecification, SseType,
    TableCreationParameters, TableDescription,
};
use aws_smithy_types::error::operation::BuildError;
use drstack_core::cloud::{Call, CloudError, Owner};
use drstack_core::kind::FieldChange;

use super::{TableImport, TableImportLive, TableImportSpec};
use crate::aws::built;
use crate::aws::once::LastChanged;
use crate::aws::tags::{SOURCE, owned, owner};
use crate::aws::{Driver, Looked, Seen, Target, each};
use crate::facts::{KeyPart, Throughput};
use crate::services::dynamodb::calls::{remove, table, tag};
use crate::services::dynamodb::standby_table::StandbyTable;
use crate::services::dynamodb::table_copy::folder;
use crate::services::dynamodb::table_export::prefix;

const IMPORT: &str = "dynamodb:ImportTable";

impl Driver for TableImport {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<TableImportLive> {
        each(ids, |name| async move { look(at, &name).await }).await
    }

    /// Returns none: the replica kind lists every table, which includes restored ones.
    async fn list_owned(_: &Target<'_>, _: &[String]) -> Result<Vec<Seen<TableImportLive>>, CloudError> {
        Ok(Vec::new())
    }

    /// Starts the import.
    ///
    /// The table's name is the token: it is unique, and a second import of it is rejected. A token
    /// of DynamoDB's would return a failed import for 8 hours.
    async fn create(
        at: &Target<'_>,
        call: &Call,
        spec: &TableImportSpec,
    ) -> Result<Seen<TableImportLive>, CloudError> {
        if let Some(seen) = look(at, &spec.table).await? {
            // A table of an interrupted run has no tags yet; its import names its source.
            let is_begun = seen.owner == Owner::Foreign && seen.live.export.is_some();
            return match is_begun || seen.owner.is_ours() {
                true => Ok(seen),
                false => Err(CloudError::Invalid {
                    operation: IMPORT.to_owned(),
                    code: "ResourceInUseException".to_owned(),
                    message: format!("table `{}` exists in {} and is not drstack's", spec.table, at.region),
                }),
            };
        }
        let export = spec.export.text();
        let source = S3BucketSource::builder()
            .s3_bucket(&spec.bucket)
            .s3_bucket_owner(&*at.aws.account)
            .s3_key_prefix(format!("{}{export}/data/", folder(&spec.prefix)));
        let import = at
            .dynamodb()
            .import_table()
            .s3_bucket_source(built(IMPORT, source.build())?)
            .input_format(InputFormat::DynamodbJson)
            .input_compression_type(InputCompressionType::Gzip)
            .table_creation_parameters(built(IMPORT, parameters(spec))?);
        at.aws.shared.get::<LastChanged>().now(&begun(&spec.table));
        let answer = import.send().await.map_err(|error| at.failed(IMPORT, error))?;
        let arn = answer.import_table_description.and_then(|it| it.table_arn);
        let creating = Seen {
            id: spec.table.clone(),
            owner: Owner::Ours(call.address.clone()),
            live: on_its_way(arn, Some(export.to_owned()), None),
        };
        // The update that follows sets settings and tags, where the change is visible.
        Ok(look(at, &spec.table).await?.unwrap_or(creating))
    }

    async fn update(
        at: &Target<'_>,
        call: &Call,
        name: &str,
        spec: &TableImportSpec,
        changes: &[FieldChange],
    ) -> Result<(), CloudError> {
        let mut wanted = owned(call, spec);
        if changes.iter().any(|change| change.field == "tagged") {
            wanted.insert(SOURCE.to_owned(), spec.export.text().to_owned());
        }
        spec.settings.put(at, name, changes).await?;
        tag(at, name, &wanted).await
    }

    async fn delete(at: &Target<'_>, _: &Call, name: &str) -> Result<(), CloudError> {
        match table(at, name).await? {
            Some(found) => remove(at, name, &found).await,
            None => Ok(()),
        }
    }
}

/// Returns the key that records this run's import of a table.
fn begun(table: &str) -> String {
    format!("import/{table}")
}

/// Builds the parameters of the table.
///
/// DynamoDB rejects unused attributes, so those that only local indexes name are left out.
fn parameters(spec: &TableImportSpec) -> Result<TableCreationParameters, BuildError> {
    let shape = &spec.shape;
    let mut used: Vec<&str> = shape
        .key
        .iter()
        .chain(shape.indexes.iter().flat_map(|it| &it.key))
        .map(|it| it.attribute.as_str())
        .collect();
    used.sort_unstable();
    used.dedup();
    let mut attributes = Vec::new();
    for name in used {
        let kind = shape.attributes.get(name).map_or("S", String::as_str);
        let attribute = AttributeDefinition::builder().attribute_name(name);
        attributes.push(attribute.attribute_type(ScalarAttributeType::from(kind)).build()?);
    }
    let mut indexes = Vec::new();
    for index in &shape.indexes {
        let included = (!index.attributes.is_empty()).then(|| index.attributes.clone());
        let projection = Projection::builder()
            .projection_type(ProjectionType::from(index.projection.as_str()))
            .set_non_key_attributes(included);
        let index = GlobalSecondaryIndex::builder()
            .index_name(&index.name)
            .set_key_schema(Some(key(&index.key)?))
            .projection(projection.build())
            .set_provisioned_throughput(index.capacity.map(throughput).transpose()?);
        indexes.push(index.build()?);
    }
    let billing =
        if shape.capacity.is_some() { BillingMode::Provisioned } else { BillingMode::PayPerRequest };
    let encryption = spec.settings.kms_key.as_ref().map(|key| {
        SseSpecification::builder().enabled(true).sse_type(SseType::Kms).kms_master_key_id(key).build()
    });
    TableCreationParameters::builder()
        .table_name(&spec.table)
        .set_attribute_definitions(Some(attributes))
        .set_key_schema(Some(key(&shape.key)?))
        .set_global_secondary_indexes((!indexes.is_empty()).then_some(indexes))
        .billing_mode(billing)
        .set_provisioned_throughput(shape.capacity.map(throughput).transpose()?)
        .set_sse_specification(encryption)
        .build()
}

fn key(parts: &[KeyPart]) -> Result<Vec<KeySchemaElement>, BuildError> {
    let part = |it: &KeyPart| {
        let part = KeySchemaElement::builder().attribute_name(&it.attribute);
        part.key_type(KeyType::from(it.role.as_str())).build()
    };
    parts.iter().map(part).collect()
}

fn throughput(units: Throughput) -> Result<ProvisionedThroughput, BuildError> {
    let builder = ProvisionedThroughput::builder().read_capacity_units(units.read);
    builder.write_capacity_units(units.write).build()
}

async fn look(at: &Target<'_>, name: &str) -> Result<Option<Seen<TableImportLive>>, CloudError> {
    match table(at, name).await? {
        Some(found) => details(at, name, found).await.map(Some),
        None => without_table(at, name).await,
    }
}

/// Reads an import without a table: an import is visible some time before its table, and some time
/// after the table is gone.
async fn without_table(at: &Target<'_>, name: &str) -> Result<Option<Seen<TableImportLive>>, CloudError> {
    let Some(import) = newest(at, name).await? else { return Ok(None) };
    let failure = failure(at, &import).await?;
    let is_ours = at.aws.shared.get::<LastChanged>().of(&begun(name)).is_some();
    if failure.is_some() && is_ours || import.import_status == Some(ImportStatus::InProgress) {
        let live = on_its_way(import.table_arn.clone(), source(at, name, &import), failure);
        return Ok(Some(Seen { id: name.to_owned(), owner: Owner::Foreign, live }));
    }
    Ok(None)
}

fn on_its_way(arn: Option<String>, export: Option<String>, failure: Option<String>) -> TableImportLive {
    let table = StandbyTable { arn: arn.unwrap_or_default(), ..StandbyTable::begun("CREATING") };
    TableImportLive { table, failure, export }
}

async fn details(
    at: &Target<'_>,
    name: &str,
    found: TableDescription,
) -> Result<Seen<TableImportLive>, CloudError> {
    let (table, tags) = StandbyTable::seen(at, name, found).await?;
    let mut live = TableImportLive { table, failure: None, export: tags.get(SOURCE).cloned() };
    // Tags follow once all items exist: without them, read the progress of the import.
    if !live.table.tagged
        && let Some(import) = newest(at, name).await?
    {
        live.export = source(at, name, &import);
        if live.export.is_some() {
            live.failure = failure(at, &import).await?;
            if import.import_status == Some(ImportStatus::InProgress) {
                live.table.status = "CREATING".to_owned();
            }
        }
    }
    Ok(Seen { id: name.to_owned(), owner: owner(&tags, at.scope), live })
}

/// Finds the newest import into the table of this name.
async fn newest(at: &Target<'_>, name: &str) -> Result<Option<ImportSummary>, CloudError> {
    let mut newest: Option<ImportSummary> = None;
    let mut pages = at.dynamodb().list_imports().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("dynamodb:ListImports", error))?;
        for import in page.import_summary_list.unwrap_or_default() {
            let is_its = import.table_arn().and_then(|arn| arn.split_once(":table/")).map(|(_, it)| it);
            let is_newer = newest.as_ref().is_none_or(|it| it.start_time <= import.start_time);
            if is_its == Some(name) && is_newer {
                newest = Some(import);
            }
        }
    }
    Ok(newest)
}

/// Returns this stack's export that was imported; none for any other import.
fn source(at: &Target<'_>, name: &str, import: &ImportSummary) -> Option<String> {
    let key = import.s3_bucket_source.as_ref()?.s3_key_prefix()?;
    let export = key.strip_prefix(&folder(&prefix(&at.scope.stack, name)))?.strip_suffix("/data/")?;
    Some(export.to_owned())
}

/// Returns the error of an import, if it failed.
async fn failure(at: &Target<'_>, import: &ImportSummary) -> Result<Option<String>, CloudError> {
    if import.import_status == Some(ImportStatus::InProgress) {
        return Ok(None);
    }
    let answer = at.dynamodb().describe_import().set_import_arn(import.import_arn.clone()).send().await;
    let answer = answer.map_err(|error| at.failed("dynamodb:DescribeImport", error))?;
    let Some(it) = answer.import_table_description else { return Ok(None) };
    let status = it.import_status.as_ref().map_or("", |it| it.as_str());
    Ok(match (&it.import_status, it.error_count) {
        (Some(ImportStatus::Completed), 0) => None,
        (Some(ImportStatus::Completed), errors) => {
            Some(format!("{errors} items could not be imported (CloudWatch, `/aws-dynamodb/imports`)"))
        }
        _ => {
            let why =
                it.failure_message.or(it.failure_code).unwrap_or_else(|| "no reason is given".to_owned());
            Some(format!("the import is {status}: {why}"))
        }
    })
}
