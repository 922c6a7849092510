//! Levels: the peak of a number over several days, since one capture may fall into the night.

use std::cmp::Reverse;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Number of days that a level counts.
///
/// Load repeats weekly, so the busiest day of the last week is among them.
pub const DAYS: i64 = 7;

/// Value of a number at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// When it was captured.
    pub at: Timestamp,
    /// The value.
    pub value: u32,
}

impl Level {
    /// True if it is within [`DAYS`] of `now`. A level too far in the future no longer counts: the
    /// clock that wrote it was wrong.
    fn counts(&self, now: Timestamp) -> bool {
        now.duration_since(self.at).abs() <= SignedDuration::from_hours(24 * DAYS)
    }
}

/// Lets the peak of `levels` count at `now`, however old it is.
pub(super) fn keep(levels: &mut [Level], now: Timestamp) {
    let peak = levels.iter_mut().max_by_key(|it| it.value);
    if let Some(peak) = peak.filter(|it| !it.counts(now)) {
        peak.at = now;
    }
}

/// Adds `now` to the levels `before`; returns the peak that counts and the levels to store.
///
/// The level right before `now` counts however old it is: an operator who applies once a month has
/// seen one night and one day, and a fall shows in the second capture of it. Levels no higher than
/// a later one are dropped, and only the peak of each day is kept: at most one per day, the highest
/// first.
pub fn remember(before: &[Level], now: Level) -> (Level, Vec<Level>) {
    let last = before.last();
    let mut levels: Vec<Level> =
        before.iter().copied().filter(|it| it.counts(now.at) || Some(it) == last).collect();
    let day = |level: &Level| TimeZone::UTC.to_datetime(level.at).date();
    // If a value repeats within one day, the first one stays, so that nothing has to be stored
    // again for it.
    levels.retain(|it| it.value > now.value || it.value == now.value && day(it) == day(&now));
    levels.sort_by_key(|it| Reverse((it.value, it.at)));
    if levels.last().is_none_or(|last| day(last) != day(&now)) {
        levels.push(now);
    }
    (levels.first().copied().unwrap_or(now), levels)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn level(hour: i64, value: u32) -> Level {
        Level { at: Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour), value }
    }

    /// Returns the peak after all of these, and the most levels stored on the way.
    fn after(levels: &[Level]) -> (u32, usize) {
        let (mut kept, mut most, mut highest) = (Vec::new(), 0, 0);
        for now in levels {
            let (peak, next) = remember(&kept, *now);
            (kept, highest) = (next, peak.value);
            most = most.max(kept.len());
        }
        (highest, most)
    }

    #[test]
    fn the_highest_of_a_week_counts_and_an_older_one_does_not() {
        assert_eq!(after(&[level(12, 24), level(27, 2)]).0, 24);
        assert_eq!(after(&[level(12, 24), level(12 + 24 * 7, 2)]).0, 24);
        let older = [level(12, 24), level(30, 2), level(13 + 24 * 7, 2)];
        assert_eq!(after(&older).0, 2);
    }

    #[test]
    fn a_fall_after_a_long_time_counts_only_when_it_is_seen_twice() {
        let rarely = [level(12, 24), level(12 + 24 * 30, 2), level(12 + 24 * 60, 3)];
        assert_eq!([1, 2, 3].map(|looks| after(&rarely[..looks]).0), [24, 24, 3]);
    }

    #[test]
    fn when_a_peak_has_aged_out_the_peaks_after_it_count() {
        let busy = [level(12, 25), level(36, 24), level(60, 24), level(75, 2)];
        assert_eq!(after(&busy).0, 25);
        assert_eq!(after(&[&busy[..], &[level(12 + 24 * 8, 2)]].concat()).0, 24);
    }

    #[test]
    fn a_level_from_a_clock_that_ran_ahead_counts_no_longer_than_others() {
        assert_eq!(after(&[level(24 * 365, 24), level(1, 2), level(3, 2)]).0, 2);
    }

    proptest! {
        #[test]
        fn no_more_than_one_level_a_day_is_kept_and_the_highest_is_within_a_day_of_the_true_one(
            steps in proptest::collection::vec((1..30_i64, 0..40_u32), 1..80),
        ) {
            let mut hour = 0;
            let levels: Vec<Level> = steps.into_iter().map(|(step, value)| { hour += step; level(hour, value) }).collect();
            let within = |hours| levels.iter().filter(|it| it.at >= level(hour - hours, 0).at).map(|it| it.value).max();
            let (highest, most) = after(&levels);
            prop_assert!(most <= 8, "{most}");
            let before = levels.iter().rev().nth(1).map_or(0, |it| it.value);
            prop_assert!(highest <= within(24 * DAYS).unwrap().max(before), "{highest}");
            prop_assert!(Some(highest) >= within(24 * (DAYS - 1)), "{highest}");
        }
    }

    #[test]
    fn a_peak_counts_for_as_long_as_nobody_can_see_a_new_one() {
        let at = |days: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * days);
        let mut levels = vec![Level { at: at(0), value: 40 }];
        for day in (1..60).step_by(3) {
            let now = Level { at: at(day), value: 2 };
            keep(&mut levels, now.at);
            let (peak, kept) = remember(&levels, now);
            assert_eq!(peak.value, 40, "day {day}");
            levels = kept;
        }
        let (peak, _) = remember(&levels, Level { at: at(80), value: 2 });
        assert_eq!(peak.value, 2, "it counts no longer than others once they are seen again");
    }
}
