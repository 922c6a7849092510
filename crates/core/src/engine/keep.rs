//! Runs a future while renewing its lock, and stops the future if the lock is lost.

use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::control::in_flight::InFlight;
use crate::control::journal::Journal;
use crate::control::lock::{Lock, LockError};

/// Runs `run` to its end while renewing `lock`; returns its result and why the lock was lost, if it
/// was.
///
/// If the lock is lost or its lease expires, `stop` is cancelled. That must end the run at once: by
/// then another run may own the stack, and calls still under way would work on its resources.
pub async fn keeping<T>(
    lock: &mut Lock,
    now: impl Fn() -> Timestamp,
    rest: impl AsyncFn(Duration),
    stop: &CancellationToken,
    run: impl Future<Output = T>,
) -> (T, Option<LockError>) {
    tokio::pin!(run);
    let lost = tokio::select! {
        biased;
        ended = &mut run => return (ended, None),
        lost = lock.keep(now, rest) => lost,
    };
    stop.cancel();
    (run.await, Some(lost))
}

/// Hands over calls that may still land to the next lock holder.
///
/// These are the interrupted calls in this run's `journal`, and those of earlier runs unless they
/// are `settled`.
pub fn leave_in_flight(lock: &mut Lock, journal: &Journal, settled: bool, now: Timestamp) {
    let earlier = if settled { InFlight::default() } else { lock.in_flight().clone() };
    lock.set_in_flight(earlier.and(journal.unsettled(), now).at(now));
}
