//! Point-in-time recovery of a primary table: what exports are made from. Switched on, never off.

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
