//! Point-in-time recovery of a primary table: what exports are made from. Switched on, never off.

use drstack_core::kind::{FieldChange, Kind, Lookup, Operation, Place, Role};
use serde::{Deserialize, Serialize};

use crate::services::operation;

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
    const ROLE: Role = Role::Setting;
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
mod aws;
