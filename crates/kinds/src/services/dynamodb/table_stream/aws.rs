use aws_sdk_dynamodb::types::{StreamSpecification, StreamViewType};
use drstack_core::cloud::{Call, CloudError, Owner};
use drstack_core::kind::FieldChange;

use super::{TableStream, TableStreamLive, TableStreamSpec};
use crate::aws::{Driver, Looked, Seen, Target, each};
use crate::services::dynamodb::calls as dynamodb;
use crate::services::dynamodb::calls::Tables;
use crate::services::s3::calls::built;

const PUT: &str = "dynamodb:UpdateTable";

impl Driver for TableStream {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<TableStreamLive> {
        each(ids, |table| async move { look(at, &table).await }).await
    }

    async fn list_owned(_: &Target<'_>, _: &[String]) -> Result<Vec<Seen<TableStreamLive>>, CloudError> {
        Ok(Vec::new())
    }

    async fn create(
        at: &Target<'_>,
        _: &Call,
        spec: &TableStreamSpec,
    ) -> Result<Seen<TableStreamLive>, CloudError> {
        put(at, &spec.table).await?;
        let gone = || CloudError::Other {
            operation: PUT.to_owned(),
            message: format!("table `{}` went away", spec.table),
        };
        look(at, &spec.table).await?.ok_or_else(gone)
    }

    async fn update(
        at: &Target<'_>,
        _: &Call,
        table: &str,
        _: &TableStreamSpec,
        _: &[FieldChange],
    ) -> Result<(), CloudError> {
        put(at, table).await
    }

    async fn delete(_: &Target<'_>, _: &Call, _: &str) -> Result<(), CloudError> {
        Ok(())
    }
}

async fn put(at: &Target<'_>, table: &str) -> Result<(), CloudError> {
    let stream =
        StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewAndOldImages);
    let put = at.dynamodb().update_table().table_name(table);
    let put = put.stream_specification(built(PUT, stream.build())?).send().await;
    put.map(drop).map_err(|error| at.failed(PUT, error))
}

async fn look(at: &Target<'_>, table: &str) -> Result<Option<Seen<TableStreamLive>>, CloudError> {
    let known = match at.aws.told.get::<Tables>().0.take(table) {
        Some(found) => Some(found),
        None => dynamodb::table(at, table).await?,
    };
    let Some(found) = known else { return Ok(None) };
    let stream = found.stream_specification.filter(|it| it.stream_enabled);
    let view = stream.and_then(|it| it.stream_view_type).map(|it| it.as_str().to_owned());
    Ok(Some(Seen { id: table.to_owned(), owner: Owner::Setting, live: TableStreamLive { view } }))
}
