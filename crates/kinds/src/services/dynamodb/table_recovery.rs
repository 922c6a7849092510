//! The table recovery kind: point-in-time recovery of a primary table, which exports need. drstack
//! enables it and never disables it.

use crate::services::switch::switch;

switch! {
    TableRecovery, TableRecoverySpec {
        /// The primary table.
        table
    }, TableRecoveryLive:
    "table-recovery", "point-in-time recovery of a primary table; switched on, never off",
    [("dynamodb", "DescribeContinuousBackups"), ("dynamodb", "UpdateContinuousBackups")]
}

#[cfg(feature = "aws")]
mod aws;
