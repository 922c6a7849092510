//! Calls in flight: what runs whose journal was sealed, or that were stopped, began and may still have its effect.
//!
//! A call that was sent cannot be recalled. What is known is which resources it is on, since intents come before calls, and when it must
//! have landed, since no run sends anything after its lease.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::lease::{LEASE, later};
use crate::address::Address;

/// How long after the end of its lease a run's last call may still have its effect. An attempt is sent before the lease's last 10 s and given
/// up after 20 s, which is 10 s after the lease at the latest; so much again is for a service that works on what it has received.
pub const FLIGHT: SignedDuration = SignedDuration::from_secs(20);

/// Resources with a call in flight, and until when each of those may land.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InFlight(BTreeMap<Address, Timestamp>);

impl InFlight {
    /// Whether no call is in flight.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The resources.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.0.keys()
    }

    /// When the last of the calls must have landed.
    pub fn until(&self) -> Option<Timestamp> {
        self.0.values().max().copied()
    }

    /// The same and calls on `addresses` of a run whose lease ends, or ended, at `lease_end`.
    #[must_use]
    pub fn and(mut self, addresses: BTreeSet<Address>, lease_end: Timestamp) -> Self {
        let until = later(lease_end, FLIGHT);
        for address in addresses {
            let known = self.0.entry(address).or_insert(until);
            *known = until.max(*known);
        }
        self
    }

    /// What of it is in flight at `now`, by the clock of whoever asks: no call stays longer than a lease that was renewed just now would
    /// let it, whatever another machine's clock said.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        let most = later(now, LEASE + FLIGHT);
        self.0.retain(|_, until| *until > now);
        self.0.values_mut().for_each(|until| *until = most.min(*until));
        self
    }

    /// Only those of `which` the answer is true.
    #[must_use]
    pub fn only(mut self, which: impl Fn(&Address) -> bool) -> Self {
        self.0.retain(|address, _| which(address));
        self
    }
}

#[cfg(test)]
mod tests;
