//! The account's launch budget: steps draw on it in the order in which they arrive.
//!
//! EC2 keeps one per account and region. A run keeps its own, which it assumes to be full at the
//! start. A step that wants more than is left gets what is left, and the rest in parts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::budget::{AT_ONCE, PER_SECOND};

/// Most launches in one part: a minute's worth.
///
/// Fewer would mean endless calls, more would keep other pools waiting.
const PART: u32 = PER_SECOND * 60;

/// Budgets by region.
#[derive(Debug)]
pub(super) struct Launches {
    begin: Instant,
    budgets: BTreeMap<String, Arc<Budget>>,
}

/// Launch budget of one region.
#[derive(Debug)]
pub(super) struct Budget(Mutex<Remaining>);

#[derive(Debug)]
struct Remaining {
    launches: u32,
    /// Time of the last refill.
    at: Instant,
}

impl Launches {
    pub(super) fn new(begin: Instant) -> Self {
        Self { begin, budgets: BTreeMap::new() }
    }

    pub(super) fn of(&mut self, region: &str) -> Arc<Budget> {
        let full = Remaining { launches: AT_ONCE, at: self.begin };
        let budget = self.budgets.entry(region.to_owned());
        Arc::clone(budget.or_insert_with(|| Arc::new(Budget(Mutex::new(full)))))
    }
}

impl Budget {
    /// Takes `wanted` launches if they are available and no step is waiting for any.
    pub(super) fn take_at_once(&self, wanted: u32) -> bool {
        let Ok(mut left) = self.0.try_lock() else { return false };
        left.refill(Instant::now());
        let is_enough = left.launches >= wanted;
        if is_enough {
            left.launches -= wanted;
        }
        is_enough
    }

    /// Takes up to `wanted` launches once there are enough for a part. Callers are served in order.
    pub(super) async fn take(&self, wanted: u32) -> u32 {
        let mut left = self.0.lock().await;
        let enough = wanted.min(PART);
        left.refill(Instant::now());
        if left.launches < enough {
            sleep_until(left.at + spent_on(enough - left.launches)).await;
            left.refill(Instant::now());
        }
        let taken = left.launches.min(wanted);
        left.launches -= taken;
        taken
    }
}

impl Remaining {
    fn refill(&mut self, now: Instant) {
        let due = now.duration_since(self.at).as_millis() * u128::from(PER_SECOND) / 1000;
        let due = u32::try_from(due).unwrap_or(u32::MAX);
        self.launches = self.launches.saturating_add(due).min(AT_ONCE);
        // Fractions of a launch stay due.
        self.at = if self.launches == AT_ONCE { now } else { self.at + spent_on(due) };
    }
}

/// Returns the time in which the budget grows by this many launches.
fn spent_on(launches: u32) -> Duration {
    Duration::from_millis(u64::from(launches) * 1000 / u64::from(PER_SECOND))
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    fn budget() -> Arc<Budget> {
        Launches::new(Instant::now()).of("us-west-2")
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_there_is_given_at_once_and_the_rest_a_minute_each() {
        let (budget, begin) = (budget(), Instant::now());
        assert_eq!(budget.take(1300).await, 1000);
        assert_eq!(begin.elapsed(), Duration::ZERO);
        assert_eq!(budget.take(300).await, 120);
        assert_eq!(begin.elapsed(), Duration::from_secs(60));
        assert_eq!(budget.take(30).await, 30);
        assert_eq!(begin.elapsed(), Duration::from_secs(75));
        assert!(!budget.take_at_once(1));
        sleep(Duration::from_millis(500)).await;
        assert!(budget.take_at_once(1) && !budget.take_at_once(1));
    }

    #[tokio::test(start_paused = true)]
    async fn it_grows_again_to_what_it_was_and_not_beyond() {
        let budget = budget();
        assert!(budget.take_at_once(1000));
        sleep(Duration::from_secs(3600)).await;
        assert!(budget.take_at_once(1000) && !budget.take_at_once(1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_not_overtaken() {
        let budget = budget();
        assert!(budget.take_at_once(1000));
        let large = async {
            let mut parts = Vec::new();
            for left in [240, 120] {
                parts.push((budget.take(left).await, Instant::now()));
            }
            parts
        };
        let small = async {
            sleep(Duration::from_secs(10)).await;
            assert!(!budget.take_at_once(1), "somebody waits");
            (budget.take(20).await, Instant::now())
        };
        let begin = Instant::now();
        let (large, small) = tokio::join!(large, small);
        let seconds = |at: Instant| at.duration_since(begin).as_secs();
        assert_eq!(
            large.iter().map(|(count, at)| (*count, seconds(*at))).collect::<Vec<_>>(),
            [(120, 60), (120, 130)]
        );
        assert_eq!((small.0, seconds(small.1)), (20, 70));
    }
}
