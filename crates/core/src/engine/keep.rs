//! A run under its lock: the lock is renewed as long as the run takes, and the run is stopped where that fails.

use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::journal::Journal;
use crate::control::in_flight::InFlight;
use crate::control::lock::{Lock, LockError};

/// Lets `run` go on to its end while `lock` is renewed. Where the lock is lost, or its lease is over, `stop` is cancelled, which has to end
/// the run at once: what it still has under way works for a world that is another run's by then. The answer is the run's, and why the lock
/// was lost if it was.
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

/// Leaves to whoever takes the lock next what may still land: the calls of this run's `journal` that were cut off, and those of earlier runs
/// unless they are `settled`.
pub fn leave_in_flight(lock: &mut Lock, journal: &Journal, settled: bool, now: Timestamp) {
    let earlier = if settled { InFlight::default() } else { lock.in_flight().clone() };
    lock.set_in_flight(earlier.and(journal.unsettled(), now).at(now));
}
