use drstack_core::cloud::{Call, CloudError, Owner};
use drstack_core::kind::FieldChange;

use super::{TableRecovery, TableRecoveryLive, TableRecoverySpec};
use crate::aws::{Driver, Looked, Seen, Target, each};
use crate::services::dynamodb::calls as dynamodb;

impl Driver for TableRecovery {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<TableRecoveryLive> {
        each(ids, |table| async move {
            let enabled = dynamodb::recovery(at, &table).await?;
            Ok(enabled.map(|enabled| seen(&table, enabled)))
        })
        .await
    }

    async fn list_owned(_: &Target<'_>, _: &[String]) -> Result<Vec<Seen<TableRecoveryLive>>, CloudError> {
        Ok(Vec::new())
    }

    async fn create(
        at: &Target<'_>,
        _: &Call,
        spec: &TableRecoverySpec,
    ) -> Result<Seen<TableRecoveryLive>, CloudError> {
        dynamodb::put_recovery(at, &spec.table, true).await?;
        Ok(seen(&spec.table, true))
    }

    async fn update(
        at: &Target<'_>,
        _: &Call,
        table: &str,
        _: &TableRecoverySpec,
        _: &[FieldChange],
    ) -> Result<(), CloudError> {
        dynamodb::put_recovery(at, table, true).await
    }

    async fn delete(_: &Target<'_>, _: &Call, _: &str) -> Result<(), CloudError> {
        Ok(())
    }
}

fn seen(table: &str, enabled: bool) -> Seen<TableRecoveryLive> {
    Seen { id: table.to_owned(), owner: Owner::Setting, live: TableRecoveryLive { enabled } }
}
