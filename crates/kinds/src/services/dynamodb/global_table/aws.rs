use drstack_core::cloud::{Call, CloudError, Owner};
use drstack_core::kind::FieldChange;
use drstack_core::sides::{Copied, Sides};
use jiff::Timestamp;

use super::{GlobalTable, GlobalTableLive, GlobalTableSpec};
use crate::aws::{Driver, Looked, Seen, Target, each};
use crate::services::dynamodb::calls::table;

impl Driver for GlobalTable {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<GlobalTableLive> {
        each(ids, |name| async move { look(at, &name).await }).await
    }

    async fn list_owned(_: &Target<'_>, _: &[String]) -> Result<Vec<Seen<GlobalTableLive>>, CloudError> {
        Ok(Vec::new())
    }

    /// Makes nothing: what is to be used as it is has to exist.
    async fn create(
        at: &Target<'_>,
        _: &Call,
        spec: &GlobalTableSpec,
    ) -> Result<Seen<GlobalTableLive>, CloudError> {
        let none = || CloudError::Invalid {
            operation: "dynamodb:DescribeTable".to_owned(),
            code: "ResourceNotFoundException".to_owned(),
            message: format!("`{}` has no replica in {}, and `adopt` makes none", spec.table, at.region),
        };
        look(at, &spec.table).await?.ok_or_else(none)
    }

    async fn update(
        _: &Target<'_>,
        _: &Call,
        _: &str,
        _: &GlobalTableSpec,
        _: &[FieldChange],
    ) -> Result<(), CloudError> {
        Ok(())
    }

    async fn delete(_: &Target<'_>, _: &Call, _: &str) -> Result<(), CloudError> {
        Ok(())
    }

    async fn sides(
        primary: &Target<'_>,
        standby: &Target<'_>,
        copied: &Copied,
        since: Option<Timestamp>,
    ) -> Result<Sides, CloudError> {
        crate::services::dynamodb::items::sides(primary, standby, copied, since).await
    }
}

async fn look(at: &Target<'_>, name: &str) -> Result<Option<Seen<GlobalTableLive>>, CloudError> {
    let Some(found) = table(at, name).await? else { return Ok(None) };
    let status = found.table_status.map(|it| it.as_str().to_owned()).unwrap_or_default();
    let live = GlobalTableLive { status, arn: found.table_arn.unwrap_or_default() };
    Ok(Some(Seen { id: name.to_owned(), owner: Owner::Setting, live }))
}
