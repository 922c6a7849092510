//! Reserved capacity of a group: left alone while the primary serves, used up first once the group fails over.
//!
//! It is set on the group, beside its mixed-instances policy, and not in the launch template: there it would hold for spot
//! instances too, which cannot go into a reservation
//! (<https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CapacityReservationSpecification.html>).

#[cfg(feature = "aws")]
use aws_sdk_autoscaling::types::{
    CapacityReservationPreference, CapacityReservationSpecification, CapacityReservationTarget,
};
use serde::{Deserialize, Serialize};

/// Whether a group's on-demand instances go into Capacity Reservations, and into which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    /// Auto Scaling's word for whether.
    pub preference: String,
    /// Ids of reservations, and ARNs of resource groups of reservations; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
}

/// Into those named, and beside them where they are full.
const FIRST: &str = "capacity-reservations-first";
/// Into none.
const NONE: &str = "none";
/// What a group has where nobody said anything: into any that is open to all.
#[cfg(feature = "aws")]
const DEFAULT: &str = "default";
/// How the id of a reservation begins; all else that is named is the ARN of a resource group.
#[cfg(feature = "aws")]
const RESERVATION: &str = "cr-";

impl Reserved {
    /// Not touched. Auto Scaling's default would use up an open reservation that waits for a failover.
    pub fn untouched() -> Self {
        Self { preference: NONE.to_owned(), targets: Vec::new() }
    }

    /// These first, and other on-demand capacity where they are full.
    pub fn first(mut targets: Vec<String>) -> Self {
        targets.sort();
        Self { preference: FIRST.to_owned(), targets }
    }

    /// What is to be said to Auto Scaling where `live` is there: nothing where nothing was said and nothing is to be.
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

    /// What Auto Scaling reports; none where nobody said anything.
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
            // What is taken out of the stack is taken back, once.
            let back = Reserved::said(None, Some(&it)).unwrap();
            assert_eq!(Reserved::seen(back), None);
        }
        assert_eq!(Reserved::said(None, None), None);
    }
}
