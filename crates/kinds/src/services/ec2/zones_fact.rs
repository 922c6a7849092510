//! The fact of the standby region's availability zones.

use drstack_core::kind::{Operation, Place};
use serde::{Deserialize, Serialize};

use crate::facts::FactKind;
use crate::services::operation;

/// Availability zones of the standby region, sorted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZonesFact(pub Vec<String>);

impl FactKind for ZonesFact {
    const NAME: &'static str = "zones";
    const PLACE: Place = Place::Standby;
    const OPERATIONS: &'static [Operation] = &[operation("ec2", "DescribeAvailabilityZones")];
}

#[cfg(feature = "aws")]
mod aws;
