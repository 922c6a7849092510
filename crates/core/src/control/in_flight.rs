//! Calls in flight: calls of sealed or stopped runs that may still take effect.
//!
//! A call that was sent cannot be recalled. The resources are known, since intents come before
//! calls, and so is the time by which the calls must have landed, since no run sends anything after
//! its lease.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::lease::{LEASE, later};
use crate::address::Address;

/// How long after the end of its lease a run's last call may still take effect.
///
/// An attempt is sent before the lease's last 10 s and given up after 20 s, which is 10 s after the
/// lease at the latest; the same again allows for a service that still works on what it has
/// received.
pub const FLIGHT: SignedDuration = SignedDuration::from_secs(20);

/// Resources with a call in flight, and until when each call may land.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InFlight(BTreeMap<Address, Timestamp>);

impl InFlight {
    /// True if no call is in flight.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the resources with a call in flight.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.0.keys()
    }

    /// Returns when the last of the calls must have landed.
    pub fn until(&self) -> Option<Timestamp> {
        self.0.values().max().copied()
    }

    /// Adds calls on `addresses` of a run whose lease ends, or ended, at `lease_end`.
    #[must_use]
    pub fn and(mut self, addresses: BTreeSet<Address>, lease_end: Timestamp) -> Self {
        let until = later(lease_end, FLIGHT);
        for address in addresses {
            let known = self.0.entry(address).or_insert(until);
            *known = until.max(*known);
        }
        self
    }

    /// Returns what is still in flight at `now`, by the caller's clock.
    ///
    /// No call stays longer than a lease renewed just now would allow, whatever another machine's
    /// clock said.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        let most = later(now, LEASE + FLIGHT);
        self.0.retain(|_, until| *until > now);
        self.0.values_mut().for_each(|until| *until = most.min(*until));
        self
    }

    /// Keeps only the resources for which `which` returns true.
    #[must_use]
    pub fn only(mut self, which: impl Fn(&Address) -> bool) -> Self {
        self.0.retain(|address, _| which(address));
        self
    }
}

#[cfg(test)]
mod tests;
