use std::collections::BTreeMap;

use aws_sdk_ec2::types::{CapacityReservation, CapacityReservationState as State};
use drstack_core::cloud::CloudError;

use super::ReservationFact;
use crate::aws::{Asked, BulkAsk, Target, plain};

impl BulkAsk for ReservationFact {
    /// Reads all reservations of the region: EC2 rejects a whole request if one id in it is
    /// unknown.
    async fn ask_all(at: &Target<'_>, names: &[String]) -> Vec<Asked<ReservationFact>> {
        match all(at).await {
            Ok(found) => names.iter().map(|name| Ok(found.get(name).cloned().map(plain))).collect(),
            Err(error) => names.iter().map(|_| Err(error.clone())).collect(),
        }
    }
}

/// Lists the reservations that have not ended, by id.
async fn all(at: &Target<'_>) -> Result<BTreeMap<String, ReservationFact>, CloudError> {
    let mut found = BTreeMap::new();
    let mut pages = at.ec2().describe_capacity_reservations().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("ec2:DescribeCapacityReservations", error))?;
        let standing = page.capacity_reservations.unwrap_or_default().into_iter().filter(stands);
        found.extend(standing.filter_map(fact));
    }
    Ok(found)
}

/// True if the reservation gives capacity, now or later.
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
