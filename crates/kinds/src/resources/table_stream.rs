//! The stream of a primary table: what a replica needs. Switched on, never off.

use drstack_core::kind::{FieldChange, Kind, Lookup, Operation, Place};
use serde::{Deserialize, Serialize};

use super::operation;

/// What a replica needs to see of each change.
pub const VIEW: &str = "NEW_AND_OLD_IMAGES";

/// What is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableStreamSpec {
    /// The primary table.
    pub table: String,
}

/// What DynamoDB reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableStreamLive {
    /// What the stream shows of each change; none where there is no stream.
    pub view: Option<String>,
}

/// See the module.
pub struct TableStream;

impl Kind for TableStream {
    const NAME: &'static str = "table-stream";
    const SUMMARY: &'static str = "stream of a primary table; switched on, never off";
    const LOOKUP: Lookup = Lookup::Name;
    const PLACES: &'static [Place] = &[Place::Primary];
    const SETTING: bool = true;
    const OPERATIONS: &'static [Operation] =
        &[operation("dynamodb", "DescribeTable"), operation("dynamodb", "UpdateTable")];
    type Spec = TableStreamSpec;
    type Live = TableStreamLive;

    fn diff(_spec: &TableStreamSpec, live: &TableStreamLive) -> Vec<FieldChange> {
        FieldChange::of("view", &live.view.as_deref(), &Some(VIEW)).into_iter().collect()
    }

    fn expect(_spec: &TableStreamSpec, _id: &str) -> TableStreamLive {
        TableStreamLive { view: Some(VIEW.to_owned()) }
    }
}

#[cfg(feature = "aws")]
mod aws {
    use aws_sdk_dynamodb::types::{StreamSpecification, StreamViewType};
    use drstack_core::cloud::{Call, CloudError, Owner};
    use drstack_core::kind::FieldChange;

    use super::{TableStream, TableStreamLive, TableStreamSpec};
    use crate::aws::s3::built;
    use crate::aws::{Driver, Looked, Seen, Target, dynamodb, each};

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
        let stream = StreamSpecification::builder()
            .stream_enabled(true)
            .stream_view_type(StreamViewType::NewAndOldImages);
        let put = at.dynamodb().update_table().table_name(table);
        let put = put.stream_specification(built(PUT, stream.build())?).send().await;
        put.map(drop).map_err(|error| at.failed(PUT, error))
    }

    async fn look(at: &Target<'_>, table: &str) -> Result<Option<Seen<TableStreamLive>>, CloudError> {
        let known = match at.aws.told.tables.take(table) {
            Some(found) => Some(found),
            None => dynamodb::table(at, table).await?,
        };
        let Some(found) = known else { return Ok(None) };
        let stream = found.stream_specification.filter(|it| it.stream_enabled);
        let view = stream.and_then(|it| it.stream_view_type).map(|it| it.as_str().to_owned());
        Ok(Some(Seen { id: table.to_owned(), owner: Owner::Setting, live: TableStreamLive { view } }))
    }
}
