use aws_sdk_dynamodb::types::{StreamSpecification, StreamViewType};
use drstack_core::cloud::CloudError;

use super::{TableStream, TableStreamLive};
use crate::aws::built;
use crate::aws::{SwitchDriver, Target};
use crate::services::dynamodb::calls as dynamodb;
use crate::services::dynamodb::calls::Tables;

const PUT: &str = "dynamodb:UpdateTable";

impl SwitchDriver for TableStream {
    async fn look(at: &Target<'_>, table: &str) -> Result<Option<TableStreamLive>, CloudError> {
        let known = match at.aws.told.get::<Tables>().0.take(table) {
            Some(found) => Some(found),
            None => dynamodb::table(at, table).await?,
        };
        let Some(found) = known else { return Ok(None) };
        let stream = found.stream_specification.filter(|it| it.stream_enabled);
        let view = stream.and_then(|it| it.stream_view_type).map(|it| it.as_str().to_owned());
        Ok(Some(TableStreamLive { view }))
    }

    async fn switch_on(at: &Target<'_>, table: &str) -> Result<(), CloudError> {
        let stream = StreamSpecification::builder()
            .stream_enabled(true)
            .stream_view_type(StreamViewType::NewAndOldImages);
        let put = at.dynamodb().update_table().table_name(table);
        let put = put.stream_specification(built(PUT, stream.build())?).send().await;
        put.map(drop).map_err(|error| at.failed(PUT, error))
    }
}
