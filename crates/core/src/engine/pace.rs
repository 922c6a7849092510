//! Pace: how fast steps start, by kind and region, learned from throttling.
//!
//! Each line moves at a rate that grows by a little with each call that went through and is halved by one that was throttled. As long as
//! nothing was throttled there is no rate, and nothing waits. Who waits stands in line and is told nothing of when: what is learned
//! meanwhile counts for all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Calls per second after the first throttling: what the smallest of EC2's own buckets refills with.
const FIRST: f64 = 10.0;
/// The slowest: below this a throttled service would be indistinguishable from a dead one.
const LEAST: f64 = 0.5;
/// What a second of calls that went through adds to the rate.
const STEP: f64 = 0.05;
/// For how long throttling is answered once: calls that were under way together are refused together.
const ONCE: Duration = Duration::from_secs(1);

/// Lines by kind and region.
#[derive(Debug)]
pub(super) struct Pace {
    begin: Instant,
    lines: BTreeMap<(String, String), Arc<Line>>,
}

/// Steps of one kind in one region, in the order in which they came.
#[derive(Debug)]
pub(super) struct Line {
    begin: Instant,
    /// Whoever has it is first in line.
    turn: tokio::sync::Mutex<()>,
    rate: Mutex<Rate>,
}

/// What was learned. Times are since the run began.
#[derive(Debug, Default)]
struct Rate {
    /// Calls per second; none as long as nothing holds them back.
    rate: Option<f64>,
    /// When the last call started.
    last: Option<Duration>,
    /// When the rate was last halved.
    halved: Option<Duration>,
    /// How many attempts were throttled, as the cloud counts them.
    throttled: u64,
}

impl Pace {
    pub(super) fn new(begin: Instant) -> Self {
        Self { begin, lines: BTreeMap::new() }
    }

    /// Where steps of this kind in this region wait.
    pub(super) fn line(&mut self, kind: &str, region: &str) -> Arc<Line> {
        let line = self.lines.entry((kind.to_owned(), region.to_owned()));
        let begin = self.begin;
        Arc::clone(line.or_insert_with(|| {
            Arc::new(Line { begin, turn: tokio::sync::Mutex::default(), rate: Mutex::default() })
        }))
    }
}

impl Line {
    /// Waits until one more call may start. `throttled` says how many attempts of such calls were refused by now.
    pub(super) async fn wait(&self, throttled: impl Fn() -> u64) {
        let _turn = self.turn.lock().await;
        loop {
            let wait = self.rate().start(throttled(), self.begin.elapsed());
            if wait.is_zero() {
                return;
            }
            sleep(wait).await;
        }
    }

    /// A call ended; by now the cloud has counted `throttled` refused attempts of such calls.
    pub(super) fn hear(&self, throttled: u64) {
        let now = self.begin.elapsed();
        let mut rate = self.rate();
        if !rate.hear(throttled, now) {
            rate.speed_up();
        }
    }

    fn rate(&self) -> MutexGuard<'_, Rate> {
        // Numbers that stand for themselves: a panic elsewhere leaves none half written.
        self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rate {
    /// Starts a call, or says how long to wait until it may be asked for again.
    fn start(&mut self, throttled: u64, now: Duration) -> Duration {
        self.hear(throttled, now);
        let next = match (self.rate, self.last) {
            (Some(rate), Some(last)) => last + Duration::from_secs_f64(1.0 / rate),
            _ => now,
        };
        if next <= now {
            self.last = Some(now);
        }
        next.saturating_sub(now)
    }

    /// Whether more was throttled than was known of; then it is slower from here on.
    fn hear(&mut self, throttled: u64, now: Duration) -> bool {
        if throttled <= self.throttled {
            return false;
        }
        self.throttled = throttled;
        if self.halved.is_none_or(|halved| now >= halved + ONCE) {
            self.halved = Some(now);
            self.rate = Some(self.rate.map_or(FIRST, |rate| (rate / 2.0).max(LEAST)));
        }
        true
    }

    fn speed_up(&mut self) {
        self.rate = self.rate.map(|rate| rate + STEP / rate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Starts so many calls one after another, the first of them at `now`; returns when the last one may.
    fn last_of(rate: &mut Rate, count: u32, throttled: u64, mut now: Duration) -> Duration {
        for _ in 0..count {
            while let wait @ Duration { .. } = rate.start(throttled, now)
                && !wait.is_zero()
            {
                now += wait;
            }
        }
        now
    }

    #[test]
    fn nothing_waits_until_something_was_throttled() {
        let mut rate = Rate::default();
        assert_eq!(last_of(&mut rate, 1000, 0, SECOND), SECOND);
        assert_eq!(
            last_of(&mut rate, 10, 1, SECOND),
            SECOND * 2,
            "ten a second, the last of which was just before"
        );
    }

    #[test]
    fn throttling_halves_the_rate_once_a_second_and_never_to_nothing() {
        let mut rate = Rate::default();
        for throttled in 1..9 {
            rate.hear(throttled, SECOND);
        }
        assert_eq!(rate.rate, Some(FIRST), "what was refused together counts once");
        for throttled in 9..99_u32 {
            rate.hear(throttled.into(), SECOND * throttled);
        }
        assert_eq!(rate.rate, Some(LEAST));
        let now = SECOND * 99;
        assert_eq!(last_of(&mut rate, 2, 98, now), now + SECOND * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_learned_while_others_wait_counts_for_them() {
        let begin = Instant::now();
        let mut pace = Pace::new(begin);
        let line = pace.line("vpc", "us-west-2");
        line.wait(|| 1).await;
        let throttled = std::cell::Cell::new(1);
        let waiting = async {
            for _ in 0..5 {
                line.wait(|| throttled.get()).await;
            }
        };
        let learning = async {
            sleep(SECOND / 5).await;
            line.hear(1);
            throttled.set(2);
            line.rate().halved = None;
        };
        tokio::join!(waiting, learning);
        // Two of them at ten a second, three at five.
        assert_eq!(begin.elapsed().as_millis(), 800);
        let other = pace.line("vpc", "us-east-1");
        for _ in 0..100 {
            other.wait(|| 0).await;
        }
        assert_eq!(begin.elapsed().as_millis(), 800, "another region");
    }

    /// Against a service that takes so many calls a second, and counts what it refuses.
    #[test]
    fn the_pace_settles_below_the_limit() {
        for limit in [1.0, 3.0, 8.0, 40.0] {
            let (mut pace, mut now, mut refused, mut late) = (Rate::default(), Duration::ZERO, 0_u64, 0);
            let (mut allowance, mut calls) = (limit, 0);
            while now < SECOND * 600 {
                let before = now;
                now = last_of(&mut pace, 1, refused, now + Duration::from_millis(5));
                allowance = (allowance + (now - before).as_secs_f64() * limit).min(limit);
                if allowance < 1.0 {
                    refused += 1;
                    late += u32::from(now > SECOND * 300);
                } else {
                    allowance -= 1.0;
                }
                calls += u32::from(now > SECOND * 300);
                if !pace.hear(refused, now) {
                    pace.speed_up();
                }
            }
            assert!(late * 5 < calls, "limit {limit}: {late} of {calls} refused");
            assert!(f64::from(calls) > 300.0 * limit * 0.4, "limit {limit}: only {calls} calls");
        }
    }
}
