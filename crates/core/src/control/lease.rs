//! The lease of a lock: until when a run may rely on it, and whether it may still start calls.

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long a lock is held without a sign of life. Three missed renewals; short enough for whoever waits at night.
pub const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// How long before its lease ends a holder starts nothing more: more than clocks that are set by NTP differ and a call
/// takes to be sent, less than two missed renewals leave.
pub(super) const MARGIN: SignedDuration = SignedDuration::from_secs(10);

/// How long the run may rely on its lock. Clones see every renewal, and that the lock was lost.
#[derive(Clone, Debug)]
pub struct Lease(pub(super) watch::Receiver<Timestamp>);

impl Lease {
    /// Whether the lock is still this run's, by the run's own clock.
    pub fn holds(&self, now: Timestamp) -> bool {
        later(now, MARGIN) < *self.0.borrow()
    }
}

/// Whether a run may still start calls. Clones share one answer.
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

/// `span` after `now`; at the end of the calendar, whatever a clock says.
pub(super) fn later(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.checked_add(span).unwrap_or(Timestamp::MAX)
}
