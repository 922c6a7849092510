//! Point-in-time recovery of a primary table: what exports are made from. Switched on, never off.

use drstack_core::kind::{FieldChange, Kind, Lookup, Operation, Place};
use serde::{Deserialize, Serialize};

use super::operation;

/// What is wanted: recovery.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableRecoverySpec {
    /// The primary table.
    pub table: String,
}

/// What DynamoDB reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableRecoveryLive {
    /// Point-in-time recovery is on.
    pub enabled: bool,
}

/// See the module.
pub struct TableRecovery;

impl Kind for TableRecovery {
    const NAME: &'static str = "table-recovery";
    const SUMMARY: &'static str = "point-in-time recovery of a primary table; switched on, never off";
    const LOOKUP: Lookup = Lookup::Name;
    const PLACES: &'static [Place] = &[Place::Primary];
    const SETTING: bool = true;
    const OPERATIONS: &'static [Operation] = &[
        operation("dynamodb", "DescribeContinuousBackups"),
        operation("dynamodb", "UpdateContinuousBackups"),
    ];
    type Spec = TableRecoverySpec;
    type Live = TableRecoveryLive;

    fn diff(_spec: &TableRecoverySpec, live: &TableRecoveryLive) -> Vec<FieldChange> {
        FieldChange::of("enabled", &live.enabled, &true).into_iter().collect()
    }

    fn expect(_spec: &TableRecoverySpec, _id: &str) -> TableRecoveryLive {
        TableRecoveryLive { enabled: true }
    }
}

#[cfg(feature = "aws")]
mod aws {
    use drstack_core::cloud::{Call, CloudError, Owner};
    use drstack_core::kind::FieldChange;

    use super::{TableRecovery, TableRecoveryLive, TableRecoverySpec};
    use crate::aws::{Driver, Looked, Seen, Target, dynamodb, each};

    impl Driver for TableRecovery {
        async fn read(at: &Target<'_>, ids: &[String]) -> Looked<TableRecoveryLive> {
            each(ids, |table| async move {
                let enabled = dynamodb::recovery(at, &table).await?;
                Ok(enabled.map(|enabled| seen(&table, enabled)))
            })
            .await
        }

        async fn list_owned(
            _: &Target<'_>,
            _: &[String],
        ) -> Result<Vec<Seen<TableRecoveryLive>>, CloudError> {
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
}
