//! Both sides of replicated data, as numbers: the sim has no objects or items, only counts of
//! pending ones.

use drstack_core::sides::{Changed, Copied, Reported, Sides};
use jiff::{SignedDuration, Timestamp};

use crate::config::{Backlog, millis};

/// Compares the two sides of `copied`, `age` milliseconds after the run began. The backlog shrinks
/// evenly.
pub(crate) fn sides(
    backlog: Option<&Backlog>,
    copied: &Copied,
    age: u64,
    now: Timestamp,
    since: Option<Timestamp>,
) -> Sides {
    let nothing = Backlog::default();
    let Backlog { waiting, drains, standby_only, untold } = backlog.unwrap_or(&nothing);
    let left = match drains.map(millis) {
        None => *waiting,
        Some(whole) if age >= whole => 0,
        // Rounded up: the last one arrives when the whole time is over.
        Some(whole) => (waiting * (whole - age)).div_ceil(whole),
    };
    let metrics = copied.metrics.is_some();
    let reported = metrics.then_some(Reported { at: now, waiting: Some(left), latency: None });
    if *untold {
        return Sides { reported, ..Sides::untold() };
    }
    let both_write = copied.both_write;
    let begun = SignedDuration::from_millis(i64::try_from(age).unwrap_or(i64::MAX));
    Sides {
        waiting: left + if both_write { *standby_only } else { 0 },
        oldest: now.checked_sub(begun).ok().filter(|_| left > 0 && !both_write),
        primary_only: left,
        standby_only: *standby_only,
        differ: 0,
        changed: since.filter(|_| !both_write).map(|_| Changed { primary: left, standby: *standby_only }),
        compared: waiting + standby_only,
        is_whole: true,
        reported,
        examples: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_drains_evenly_and_ends_when_its_time_is_over() {
        let objects = Copied {
            kind: "rule",
            name: "a".to_owned(),
            copy: "b".to_owned(),
            unit: "object",
            both_write: false,
            deletions: true,
            is_dated: true,
            shows_keys: true,
            means: "objects are compared",
            metrics: None,
        };
        let backlog =
            Backlog { waiting: 10, drains: Some(SignedDuration::from_secs(10)), ..Backlog::default() };
        let at = |seconds: i64| {
            let now = Timestamp::from_second(seconds).unwrap();
            sides(Some(&backlog), &objects, u64::try_from(seconds).unwrap() * 1000, now, None)
        };
        assert_eq!([0, 3, 9, 10, 11].map(|it| at(it).waiting), [10, 7, 1, 0, 0]);
        assert_eq!(at(3).oldest, Timestamp::from_second(0).ok());
        assert!(at(10).is_drained(Timestamp::UNIX_EPOCH) && at(10).oldest.is_none());
        let never = Backlog { drains: None, ..backlog.clone() };
        let later = sides(Some(&never), &objects, 1_000_000, Timestamp::UNIX_EPOCH, None);
        assert_eq!(later.waiting, 10);
        let untold = Backlog { untold: true, ..Backlog::default() };
        assert!(
            !sides(Some(&untold), &objects, 0, Timestamp::UNIX_EPOCH, None).is_drained(Timestamp::UNIX_EPOCH)
        );
    }
}
