//! The lease of a lock: until when a run may rely on it, and whether it may still start calls.

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Lease duration: three renewal periods. Short, because an on-call operator may be waiting for it
/// to expire.
pub const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// How long before the end of its lease a holder starts no more calls.
///
/// More than NTP clocks differ plus the time to send a call; less than two missed renewals leave.
pub(super) const MARGIN: SignedDuration = SignedDuration::from_secs(10);

/// Lease that a run relies on. Clones see every renewal, and the loss of the lock.
#[derive(Clone, Debug)]
pub struct Lease(pub(super) watch::Receiver<Timestamp>);

impl Lease {
    /// True if the lock is still this run's, by the run's own clock.
    pub fn holds(&self, now: Timestamp) -> bool {
        later(now, MARGIN) < *self.0.borrow()
    }
}

/// Permission of a run to start calls. Clones share its state.
#[derive(Clone, Debug)]
pub struct Permit {
    pub(crate) lease: Option<Lease>,
    pub(crate) ended: CancellationToken,
}

impl Permit {
    /// True as long as the lease lasts and the journal can be written.
    pub fn holds(&self, now: Timestamp) -> bool {
        !self.ended.is_cancelled() && self.lease.as_ref().is_none_or(|lease| lease.holds(now))
    }
}

/// Returns `now` plus `span`, at most the end of the calendar, whatever the clock says.
pub fn later(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.checked_add(span).unwrap_or(Timestamp::MAX)
}
