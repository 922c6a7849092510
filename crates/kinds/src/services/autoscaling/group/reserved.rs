//! Reserved capacity of a group: unused while the primary serves, used first in a failover.
//!
//! It is set on the group, beside the mixed-instances policy, not in the launch template. There it
//! would apply to spot instances too, which cannot use a reservation
//! (<https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CapacityReservationSpecification.html>).

#[cfg(feature = "aws")]
use aws_sdk_autoscaling::types::{
    CapacityReservationPreference, CapacityReservationSpecification, CapacityReservationTarget,
};
use serde::{Deserialize, Serialize};

/// Use of Capacity Reservations by the on-demand instances of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    /// The preference, in Auto Scaling's words.
    pub preference: String,
    /// Ids of reservations, and ARNs of resource groups of reservations; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
}

/// Use the named reservations first, and other capacity once they are full.
const FIRST: &str = "capacity-reservations-first";
/// Use no reservation.
const NONE: &str = "none";
/// The preference of a group for which none was set: any open reservation.
#[cfg(feature = "aws")]
const DEFAULT: &str = "default";
/// Prefix of a reservation's id; any other target is the ARN of a resource group.
#[cfg(feature = "aws")]
const RESERVATION: &str = "cr-";

impl Reserved {
    /// Uses no reservation. Auto Scaling's default would use an open reservation that is meant for
    /// a failover.
    pub fn untouched() -> Self {
        Self { preference: NONE.to_owned(), targets: Vec::new() }
    }

    /// Uses these reservations first, and other on-demand capacity once they are full.
    pub fn first(mut targets: Vec<String>) -> Self {
        targets.sort();
        Self { preference: FIRST.to_owned(), targets }
    }

    /// Returns the specification to send to Auto Scaling beside `live`; none if it neither is nor
    /// was set.
    #[cfg(feature = "aws")]
    pub(super) fn said(spec: Option<&Self>, live: Option<&Self>) -> Option<CapacityReservationSpecification> {
        let back = || Self { preference: DEFAULT.to_owned(), targets: Vec::new() };
        spec.cloned().or_else(|| live.map(|_| back())).map(|it| it.specification())
    }

    #[cfg(feature = "aws")]
    fn specification(self) -> CapacityReservationSpecification {
        let (ids, arns): (Vec<String>, Vec<String>) =
            self.targets.into_iter().partition(|it| it.starts_with(RESERVATION));
        let some = |these: Vec<String>| (!these.is_empty()).then_some(these);
        let target = (!ids.is_empty() || !arns.is_empty()).then(|| {
            CapacityReservationTarget::builder()
                .set_capacity_reservation_ids(some(ids))
                .set_capacity_reservation_resource_group_arns(some(arns))
                .build()
        });
        CapacityReservationSpecification::builder()
            .capacity_reservation_preference(CapacityReservationPreference::from(self.preference.as_str()))
            .set_capacity_reservation_target(target)
            .build()
    }

    /// Returns the setting as Auto Scaling reports it; none if it was never set.
    #[cfg(feature = "aws")]
    pub(super) fn seen(said: CapacityReservationSpecification) -> Option<Self> {
        let preference = said.capacity_reservation_preference.filter(|it| it.as_str() != DEFAULT)?;
        let target = said.capacity_reservation_target;
        let mut targets =
            target.as_ref().map(|it| it.capacity_reservation_ids().to_vec()).unwrap_or_default();
        targets.extend(target.iter().flat_map(|it| it.capacity_reservation_resource_group_arns().to_vec()));
        targets.sort();
        Some(Self { preference: preference.as_str().to_owned(), targets })
    }
}

#[cfg(all(test, feature = "aws"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_what_is_seen() {
        let arn = "arn:aws:resource-groups:us-west-2:123456789012:group/gpus".to_owned();
        for it in [Reserved::untouched(), Reserved::first(vec!["cr-2".to_owned(), arn, "cr-1".to_owned()])] {
            assert_eq!(Reserved::seen(Reserved::said(Some(&it), None).unwrap()), Some(it.clone()));
            // A setting removed from the stack is reset once.
            let back = Reserved::said(None, Some(&it)).unwrap();
            assert_eq!(Reserved::seen(back), None);
        }
        assert_eq!(Reserved::said(None, None), None);
    }
}
