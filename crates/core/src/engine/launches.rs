//! The account's launch budget: steps draw on it in the order in which they arrive.
//!
//! EC2 keeps one per account and region. A run keeps its own, which it assumes to be full at the
//! start. A step that wants more than is left gets what is left, and the rest in parts.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::budget::LaunchBudget;

/// Budgets by region.
#[derive(Debug)]
pub(super) struct Launches {
    begin: Instant,
    budgets: BTreeMap<String, Arc<Budget>>,
}

/// Launch budget of one region, and its queue.
#[derive(Debug)]
pub(super) struct Budget {
    begin: Instant,
    left: Mutex<LaunchBudget>,
}

impl Launches {
    pub(super) fn new(begin: Instant) -> Self {
        Self { begin, budgets: BTreeMap::new() }
    }

    pub(super) fn of(&mut self, region: &str) -> Arc<Budget> {
        let begin = self.begin;
        let full = || Arc::new(Budget { begin, left: Mutex::new(LaunchBudget::full()) });
        Arc::clone(self.budgets.entry(region.to_owned()).or_insert_with(full))
    }
}

impl Budget {
    /// Takes `wanted` launches if they are available and no step is waiting for any.
    pub(super) fn take_at_once(&self, wanted: u32) -> bool {
        self.left.try_lock().is_ok_and(|mut left| left.take_at_once(self.begin.elapsed(), wanted))
    }

    /// Takes up to `wanted` launches once there are enough for a part. Callers are served in order.
    pub(super) async fn take(&self, wanted: u32) -> u32 {
        let mut left = self.left.lock().await;
        let enough_at = left.enough_at(self.begin.elapsed(), wanted);
        sleep_until(self.begin + enough_at).await;
        left.take(self.begin.elapsed(), wanted)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
