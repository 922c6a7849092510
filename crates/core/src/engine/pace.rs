//! Pace: how fast steps start, by kind and region, learned from throttling; pure.
//!
//! Each bucket fills at a rate that grows by a little with each call that went through and is halved by one that was
//! throttled. As long as nothing was throttled there is no rate, and nothing waits.

use std::collections::BTreeMap;
use std::time::Duration;

/// Calls per second after the first throttling: what the smallest of EC2's own buckets refills with.
const FIRST: f64 = 10.0;
/// The slowest: below this a throttled service would be indistinguishable from a dead one.
const LEAST: f64 = 0.5;
/// What a second of calls that went through adds to the rate. Steps reserve their starts ahead, up to as many as are at
/// work at once, so that a rate that grew faster would be learned too late.
const STEP: f64 = 0.05;
/// For how long throttling is answered once: calls that were under way together are refused together.
const ONCE: Duration = Duration::from_secs(1);

/// Buckets by kind and region.
#[derive(Debug, Default)]
pub(super) struct Pace(BTreeMap<(String, String), Bucket>);

/// One bucket; it begins to hold calls back when one is throttled. Times are since the run began.
#[derive(Debug, Default)]
struct Bucket {
    rate: Option<f64>,
    /// When the next call may start.
    next: Duration,
    /// When the rate was last halved.
    halved: Option<Duration>,
    /// How many attempts were throttled, as the cloud counts them.
    throttled: u64,
}

impl Pace {
    /// Reserves the next start at or after `now`, and says how long to wait for it.
    pub(super) fn reserve(&mut self, kind: &str, region: &str, now: Duration) -> Duration {
        self.bucket(kind, region).reserve(now)
    }

    /// A call ended; by now the cloud has counted `throttled` refused attempts of such calls.
    pub(super) fn hear(&mut self, kind: &str, region: &str, throttled: u64, now: Duration) {
        let bucket = self.bucket(kind, region);
        if throttled > bucket.throttled {
            bucket.throttled = throttled;
            bucket.slow_down(now);
        } else {
            bucket.speed_up();
        }
    }

    fn bucket(&mut self, kind: &str, region: &str) -> &mut Bucket {
        self.0.entry((kind.to_owned(), region.to_owned())).or_default()
    }
}

impl Bucket {
    fn reserve(&mut self, now: Duration) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        let start = self.next.max(now);
        self.next = start + Duration::from_secs_f64(1.0 / rate);
        start - now
    }

    fn slow_down(&mut self, now: Duration) {
        if self.halved.is_some_and(|halved| now < halved + ONCE) {
            return;
        }
        self.halved = Some(now);
        self.rate = Some(self.rate.map_or(FIRST, |rate| (rate / 2.0).max(LEAST)));
    }

    fn speed_up(&mut self) {
        self.rate = self.rate.map(|rate| rate + STEP / rate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Starts so many calls one after another, all of them asked for at `now`; returns when the last one may.
    fn last_of(pace: &mut Pace, count: u32, now: Duration) -> Duration {
        (0..count).map(|_| pace.reserve("vpc", "us-west-2", now)).last().unwrap()
    }

    #[test]
    fn nothing_waits_until_something_was_throttled() {
        let mut pace = Pace::default();
        pace.hear("vpc", "us-west-2", 0, SECOND);
        assert_eq!(last_of(&mut pace, 1000, SECOND), Duration::ZERO);
        pace.hear("vpc", "us-west-2", 1, SECOND);
        assert_eq!(last_of(&mut pace, 11, SECOND), SECOND);
        assert_eq!(pace.reserve("vpc", "us-east-1", SECOND), Duration::ZERO, "another region");
        assert_eq!(pace.reserve("subnet", "us-west-2", SECOND), Duration::ZERO, "another kind");
    }

    #[test]
    fn throttling_halves_the_rate_once_a_second_and_never_to_nothing() {
        let mut pace = Pace::default();
        for throttled in 1..9 {
            pace.hear("vpc", "us-west-2", throttled, SECOND);
        }
        assert_eq!(last_of(&mut pace, 11, SECOND), SECOND, "what was refused together counts once");
        for throttled in 9..99_u32 {
            pace.hear("vpc", "us-west-2", throttled.into(), SECOND * throttled);
        }
        let now = SECOND * 99;
        pace.reserve("vpc", "us-west-2", now);
        assert_eq!(pace.reserve("vpc", "us-west-2", now), SECOND * 2);
    }

    /// Against a service that takes so many calls a second, and counts what it refuses.
    #[test]
    fn the_pace_settles_below_the_limit() {
        for limit in [1.0, 3.0, 8.0, 40.0] {
            let (mut pace, mut now, mut refused, mut late) = (Pace::default(), Duration::ZERO, 0_u64, 0);
            let (mut allowance, mut calls) = (limit, 0);
            while now < SECOND * 600 {
                let wait = pace.reserve("vpc", "us-west-2", now).max(Duration::from_millis(5));
                now += wait;
                allowance = (allowance + wait.as_secs_f64() * limit).min(limit);
                if allowance < 1.0 {
                    refused += 1;
                    late += u32::from(now > SECOND * 300);
                } else {
                    allowance -= 1.0;
                }
                calls += u32::from(now > SECOND * 300);
                pace.hear("vpc", "us-west-2", refused, now);
            }
            assert!(late * 5 < calls, "limit {limit}: {late} of {calls} refused");
            assert!(f64::from(calls) > 300.0 * limit * 0.4, "limit {limit}: only {calls} calls");
        }
    }
}
