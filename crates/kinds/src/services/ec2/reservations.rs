//! Capacity Reservations of the standby region, asked for in one go: EC2 refuses a question whole where one id in it is unknown.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{CapacityReservation, CapacityReservationState as State};
use drstack_core::cloud::CloudError;
use drstack_core::facts::FactQuery;
use drstack_core::kind::Place;

use crate::aws::Target;
use crate::facts::ReservationFact;

/// By id, or why nobody could look.
pub(crate) type Known = Result<BTreeMap<String, ReservationFact>, CloudError>;

/// Those that have not ended; nobody is asked where `queries` ask for none.
pub(crate) async fn all(at: &Target<'_>, queries: &[FactQuery]) -> Known {
    let mut found = BTreeMap::new();
    if !queries.iter().any(|query| query.kind == "reservation") {
        return Ok(found);
    }
    let at = &Target { place: Place::Standby, region: &at.scope.standby, ..*at };
    let mut pages = at.ec2().describe_capacity_reservations().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("ec2:DescribeCapacityReservations", error))?;
        let standing = page.capacity_reservations.unwrap_or_default().into_iter().filter(stands);
        found.extend(standing.filter_map(fact));
    }
    Ok(found)
}

/// Whether it gives capacity, now or at a later date.
fn stands(reservation: &CapacityReservation) -> bool {
    let ended = [State::Cancelled, State::Expired, State::Failed, State::PaymentFailed, State::Unsupported];
    reservation.state.as_ref().is_none_or(|state| !ended.contains(state))
}

fn fact(reservation: CapacityReservation) -> Option<(String, ReservationFact)> {
    let count = reservation.total_instance_count.and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
    let zone = reservation.availability_zone.unwrap_or_default();
    let fact = ReservationFact { instance_type: reservation.instance_type?, zone, count };
    Some((reservation.capacity_reservation_id?, fact))
}
