//! The fact of a Capacity Reservation of the standby region.

use drstack_core::kind::{Operation, Place};
use serde::{Deserialize, Serialize};

use crate::facts::FactKind;
use crate::services::operation;

/// A Capacity Reservation of the standby region that has not ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReservationFact {
    /// Its instance type.
    pub instance_type: String,
    /// Its availability zone.
    pub zone: String,
    /// Instances that it holds, used or not.
    pub count: u32,
}

impl FactKind for ReservationFact {
    const NAME: &'static str = "reservation";
    const PLACE: Place = Place::Standby;
    const OPERATIONS: &'static [Operation] = &[operation("ec2", "DescribeCapacityReservations")];
}

#[cfg(feature = "aws")]
mod aws;
