//! Pacing: how fast steps start, by kind and region, learned from throttling.
//!
//! Each line has a rate that grows a little with each successful call and is halved by a throttled
//! one. Until something is throttled there is no rate, and nothing waits. Waiting steps queue and
//! get no start time in advance, so what is learned meanwhile applies to all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Calls per second after the first throttling: the refill rate of EC2's smallest bucket.
const FIRST: f64 = 10.0;
/// Lowest rate: below it a throttled service could not be told from a dead one.
const LEAST: f64 = 0.5;
/// Increase of the rate per second of successful calls.
const STEP: f64 = 0.05;
/// Time in which throttling halves the rate only once: concurrent calls are refused together.
const ONCE: Duration = Duration::from_secs(1);

/// Lines by kind and region.
#[derive(Debug)]
pub(super) struct Pace {
    begin: Instant,
    lines: BTreeMap<(String, String), Arc<Line>>,
}

/// Queue of the steps of one kind in one region, in order of arrival.
#[derive(Debug)]
pub(super) struct Line {
    begin: Instant,
    /// Its holder is first in line.
    turn: tokio::sync::Mutex<()>,
    rate: Mutex<Rate>,
}

/// Learned rate. Times are since the start of the run.
#[derive(Debug, Default)]
struct Rate {
    /// Calls per second; `None` until something is throttled.
    rate: Option<f64>,
    /// Start of the last call.
    last: Option<Duration>,
    /// When the rate was last halved.
    halved: Option<Duration>,
    /// Throttled attempts, as counted by the cloud.
    throttled: u64,
}

impl Pace {
    pub(super) fn new(begin: Instant) -> Self {
        Self { begin, lines: BTreeMap::new() }
    }

    /// Returns the queue of this kind in this region.
    pub(super) fn line(&mut self, kind: &str, region: &str) -> Arc<Line> {
        let line = self.lines.entry((kind.to_owned(), region.to_owned()));
        let begin = self.begin;
        Arc::clone(line.or_insert_with(|| {
            Arc::new(Line { begin, turn: tokio::sync::Mutex::default(), rate: Mutex::default() })
        }))
    }
}

impl Line {
    /// Waits until one more call may start. `throttled` returns the number of refused attempts so
    /// far.
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

    /// Learns from an ended call; `throttled` is the cloud's count of refused attempts so far.
    pub(super) fn hear(&self, throttled: u64) {
        let now = self.begin.elapsed();
        let mut rate = self.rate();
        if !rate.hear(throttled, now) {
            rate.speed_up();
        }
    }

    fn rate(&self) -> MutexGuard<'_, Rate> {
        // The numbers are independent, so a panic elsewhere leaves none half written.
        self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rate {
    /// Starts a call, or returns how long to wait before the next attempt.
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

    /// Slows down and returns true if more attempts were throttled than known before.
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

    /// Starts `count` calls one after another from `now`; returns when the last one may start.
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
        // Two of them at ten per second, three at five.
        assert_eq!(begin.elapsed().as_millis(), 800);
        let other = pace.line("vpc", "us-east-1");
        for _ in 0..100 {
            other.wait(|| 0).await;
        }
        assert_eq!(begin.elapsed().as_millis(), 800, "another region");
    }

    /// Simulates a service with a limit of calls per second that counts what it refuses.
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
