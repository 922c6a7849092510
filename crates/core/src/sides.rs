//! Comparison of data that is replicated between both regions: what one side has and the other
//! lacks.
//!
//! Numbers here are counted, never guessed; if counting is impossible, the result says so.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Number of differing names kept as examples; more do not help a reader.
const EXAMPLES: usize = 3;

/// Data that a resource keeps in both regions, as its kind declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The kind whose driver compares it.
    pub kind: &'static str,
    /// Name of the data, as the primary knows it.
    pub name: String,
    /// Name of the copy in the standby region.
    pub copy: String,
    /// What it consists of: `object`, `item`.
    pub unit: &'static str,
    /// True if both regions may write it, so that replication goes in either direction.
    pub both_write: bool,
    /// True if deletions in the primary are replicated to the standby.
    pub deletions: bool,
    /// True if write times are known.
    pub is_dated: bool,
    /// True if its keys may be shown; keys of items may be personal names.
    pub shows_keys: bool,
    /// What counts as the same, a sentence: a reader has to know what a zero stands for.
    pub means: &'static str,
    /// Id under which the service keeps metrics of the replication, if it keeps any.
    pub metrics: Option<String>,
}

/// One object or item on one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// False for a mark that it was deleted.
    pub is_there: bool,
    /// Content, as far as a listing shows it: an object's size, an item's hash.
    pub content: String,
    /// Version; a replica has the version of its original.
    pub version: Option<String>,
    /// When it was written, if known.
    pub modified: Option<Timestamp>,
}

/// The content of one side, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Newest state of each key.
    pub entries: BTreeMap<String, Entry>,
    /// True if the listing is complete. Otherwise it is complete up to the last key.
    pub is_whole: bool,
}

/// Number of entries written at or after a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// In the primary.
    pub primary: u64,
    /// In the standby.
    pub standby: u64,
}

/// Latest replication metrics of the service itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reported {
    /// The minute that the metrics are about, some minutes ago.
    pub at: Timestamp,
    /// Pending operations, as the service counts them.
    pub waiting: Option<u64>,
    /// Maximum replication latency in seconds. If the service counts no pending ones,
    /// it only covers what has arrived, and cannot show that nothing is pending.
    #[schemars(range(min = 0))]
    pub latency: Option<f64>,
}

/// Result of comparing the two sides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sides {
    /// Entries that replication has yet to bring to the standby: writes and, if replicated,
    /// deletions. If both regions write, in either direction.
    pub waiting: u64,
    /// When the oldest of these was written; null if not known.
    pub oldest: Option<Timestamp>,
    /// Entries that only the primary has.
    pub primary_only: u64,
    /// Entries that only the standby has.
    pub standby_only: u64,
    /// Entries that both have with different content.
    pub differ: u64,
    /// Entries written since the requested moment; null if write times are not known.
    pub changed: Option<Changed>,
    /// Number of keys compared.
    pub compared: u64,
    /// True if all keys were compared; otherwise the numbers cover the first ones, and there may be
    /// more.
    pub is_whole: bool,
    /// Metrics of the service; null if they were not requested or do not exist.
    pub reported: Option<Reported>,
    /// Some keys that differ, if they may be shown.
    pub examples: Vec<String>,
}

impl Sides {
    /// Result for data that is too large to count.
    pub fn untold() -> Self {
        Self::default()
    }

    /// True if it is known that nothing is pending.
    ///
    /// Either everything was compared, or the service itself has counted none, and not before `since`.
    pub fn is_drained(&self, since: Timestamp) -> bool {
        let none = |it: Reported| it.waiting == Some(0) && it.at >= since;
        self.waiting == 0 && (self.is_whole || self.reported.is_some_and(none))
    }
}

/// Compares two listings of `copied`, and counts what was written at or after `since`.
///
/// Counting starts at the second that contains `since`: S3 reports write times in whole seconds,
/// and a possible write must not be missed.
pub fn compare(copied: &Copied, primary: &Listed, standby: &Listed, since: Option<Timestamp>) -> Sides {
    let last = |side: &Listed| {
        let last = side.entries.last_key_value().map(|(key, _)| key.clone());
        (!side.is_whole).then_some(last).map(Option::unwrap_or_default)
    };
    // Beyond the end of a truncated listing nothing is known.
    let end = [last(primary), last(standby)].into_iter().flatten().min();
    let keys: BTreeSet<&String> = primary.entries.keys().chain(standby.entries.keys()).collect();
    let known = keys.into_iter().take_while(|key| end.as_ref().is_none_or(|end| *key <= end));
    let mut sides = Sides { is_whole: end.is_none(), ..Sides::default() };
    let mut changed = Changed::default();
    for key in known {
        sides.compared += 1;
        let (ours, theirs) = (primary.entries.get(key), standby.entries.get(key));
        if let Some(since) = since.map(Timestamp::as_second) {
            let after =
                |it: Option<&Entry>| it.and_then(|it| it.modified).is_some_and(|it| it.as_second() >= since);
            changed.primary += u64::from(after(ours));
            // A replica has the write time of its original (S3 User Guide): it was not written in
            // the standby.
            changed.standby += u64::from(after(theirs) && !is_copy(ours, theirs));
        }
        let waits = sides.count(copied, ours, theirs);
        if waits {
            sides.waiting += 1;
            let written = ours.and_then(|it| it.modified);
            sides.oldest = [sides.oldest, written].into_iter().flatten().min();
        }
        let is_same = !waits && are_same(ours, theirs);
        if !is_same && copied.shows_keys && sides.examples.len() < EXAMPLES {
            sides.examples.push(key.clone());
        }
    }
    sides.changed = since.filter(|_| copied.is_dated).map(|_| changed);
    sides
}

impl Sides {
    /// Counts one key; returns true if replication has yet to bring it.
    fn count(&mut self, copied: &Copied, primary: Option<&Entry>, standby: Option<&Entry>) -> bool {
        let both_write = copied.both_write;
        let there = |it: Option<&Entry>| it.is_some_and(|it| it.is_there);
        match (there(primary), there(standby)) {
            (true, false) => {
                self.primary_only += 1;
                true
            }
            (false, true) => {
                self.standby_only += 1;
                let is_deletion = primary.is_some() && is_newer(primary, standby);
                both_write || is_deletion && copied.deletions
            }
            (true, true) if !are_same(primary, standby) => {
                self.differ += 1;
                both_write || is_newer(primary, standby)
            }
            _ => false,
        }
    }
}

/// True if the standby holds what the primary holds: the same version, or equal content written no
/// earlier.
fn are_same(primary: Option<&Entry>, standby: Option<&Entry>) -> bool {
    let (Some(primary), Some(standby)) = (primary, standby) else {
        // A delete marker without a counterpart equals nothing.
        return !primary.or(standby).is_some_and(|it| it.is_there);
    };
    if !primary.is_there || !standby.is_there {
        return primary.is_there == standby.is_there;
    }
    is_copy(Some(primary), Some(standby))
        || primary.content == standby.content && standby.modified >= primary.modified
}

/// True if replication made one from the other.
fn is_copy(primary: Option<&Entry>, standby: Option<&Entry>) -> bool {
    let version = primary.and_then(|it| it.version.as_ref());
    version.is_some() && version == standby.and_then(|it| it.version.as_ref())
}

fn is_newer(primary: Option<&Entry>, standby: Option<&Entry>) -> bool {
    primary.and_then(|it| it.modified) > standby.and_then(|it| it.modified)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn at(second: i64) -> Option<Timestamp> {
        Timestamp::from_second(second).ok()
    }

    fn object(size: u64, version: &str, second: i64) -> Entry {
        Entry {
            is_there: true,
            content: size.to_string(),
            version: Some(version.to_owned()),
            modified: at(second),
        }
    }

    fn deleted(second: i64) -> Entry {
        Entry { is_there: false, ..object(0, "", second) }
    }

    fn listed(entries: &[(&str, Entry)]) -> Listed {
        let entries = entries.iter().map(|(key, it)| ((*key).to_owned(), it.clone())).collect();
        Listed { entries, is_whole: true }
    }

    fn objects(deletions: bool) -> Copied {
        Copied {
            kind: "rule",
            name: "a".to_owned(),
            copy: "b".to_owned(),
            unit: "object",
            both_write: false,
            deletions,
            is_dated: true,
            shows_keys: true,
            means: "objects are compared",
            metrics: None,
        }
    }

    #[test]
    fn a_copy_has_the_version_or_the_content_of_what_it_is_a_copy_of() {
        let primary = listed(&[
            ("replicated", object(5, "v1", 10)),
            ("copied-by-hand", object(5, "v2", 10)),
            ("overwritten", object(5, "v4", 30)),
            ("coming", object(5, "v5", 20)),
        ]);
        let standby = listed(&[
            ("replicated", object(5, "v1", 10)),
            ("copied-by-hand", object(5, "w2", 11)),
            ("overwritten", object(5, "v3", 10)),
        ]);
        let sides = compare(&objects(true), &primary, &standby, None);
        assert_eq!((sides.waiting, sides.primary_only, sides.differ, sides.standby_only), (2, 1, 1, 0));
        assert_eq!((sides.oldest, sides.compared, sides.is_whole), (at(20), 4, true));
        assert_eq!(sides.examples, ["coming", "overwritten"]);
        assert!(!sides.is_drained(Timestamp::UNIX_EPOCH) && sides.changed.is_none());
        assert!(compare(&objects(true), &standby, &standby, None).is_drained(Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn a_deletion_waits_where_deletions_are_copied_and_nowhere_else() {
        let primary = listed(&[("gone", deleted(20)), ("written-over-there", deleted(5))]);
        let standby = listed(&[
            ("gone", object(5, "v1", 10)),
            ("written-over-there", object(5, "w", 9)),
            ("its-own", object(5, "w", 9)),
        ]);
        let sides = compare(&objects(true), &primary, &standby, None);
        assert_eq!((sides.waiting, sides.standby_only), (1, 3));
        assert_eq!(compare(&objects(false), &primary, &standby, None).waiting, 0);
        let marks = listed(&[("gone", deleted(20))]);
        assert!(
            compare(&objects(true), &marks, &Listed { is_whole: true, ..Listed::default() }, None)
                .is_drained(Timestamp::UNIX_EPOCH)
        );
    }

    #[test]
    fn what_the_standby_wrote_later_is_a_difference_and_no_backlog() {
        let primary = listed(&[("a", object(5, "v1", 10)), ("copied", object(5, "v2", 90))]);
        let mut standby = listed(&[("a", object(6, "w1", 100)), ("b", object(6, "w2", 50))]);
        standby.entries.insert("copied".to_owned(), object(5, "v2", 90));
        let sides = compare(&objects(true), &primary, &standby, at(60));
        assert_eq!((sides.waiting, sides.differ, sides.standby_only), (0, 1, 1));
        assert_eq!(sides.changed, Some(Changed { primary: 1, standby: 1 }));
        // Both were written in the second in which `since` lies.
        let within = at(90).and_then(|it| it.checked_add(SignedDuration::from_millis(900)).ok());
        let sides = compare(&objects(true), &primary, &standby, within);
        assert_eq!(sides.changed, Some(Changed { primary: 1, standby: 1 }));
    }

    #[test]
    fn beyond_the_end_of_a_listing_nothing_is_told_and_nothing_is_called_drained() {
        let primary = listed(&[("a", object(5, "v1", 10)), ("z", object(5, "v2", 10))]);
        let mut standby = listed(&[("a", object(5, "v1", 10)), ("b", object(5, "w", 10))]);
        standby.is_whole = false;
        let sides = compare(&objects(true), &primary, &standby, None);
        assert_eq!((sides.waiting, sides.standby_only, sides.compared), (0, 1, 2));
        assert!(
            !sides.is_drained(Timestamp::UNIX_EPOCH) && !Sides::untold().is_drained(Timestamp::UNIX_EPOCH)
        );
    }

    #[test]
    fn what_is_too_large_has_drained_once_its_service_counts_none_and_not_long_ago() {
        let reported = |waiting, second| {
            let at = Timestamp::from_second(second).unwrap();
            Sides { reported: Some(Reported { at, waiting, latency: Some(0.0) }), ..Sides::untold() }
        };
        let since = Timestamp::from_second(60).unwrap();
        assert!(reported(Some(0), 60).is_drained(since));
        assert!(!reported(Some(0), 59).is_drained(since), "that was before");
        assert!(!reported(Some(1), 60).is_drained(since) && !reported(None, 60).is_drained(since));
        let known = Sides { waiting: 1, ..reported(Some(0), 60) };
        assert!(!known.is_drained(since), "one was seen that is not there");
    }

    #[test]
    fn tables_are_written_on_both_sides_and_their_items_are_not_named() {
        let item =
            |hash: &str| Entry { is_there: true, content: hash.to_owned(), version: None, modified: None };
        let primary = listed(&[("k1", item("x")), ("k2", item("y")), ("k3", item("z"))]);
        let standby = listed(&[("k2", item("y")), ("k3", item("older")), ("k4", item("w"))]);
        let items = Copied {
            unit: "item",
            both_write: true,
            deletions: true,
            is_dated: false,
            shows_keys: false,
            ..objects(true)
        };
        let sides = compare(&items, &primary, &standby, at(0));
        assert_eq!((sides.waiting, sides.primary_only, sides.standby_only, sides.differ), (3, 1, 1, 1));
        assert!(sides.examples.is_empty() && sides.changed.is_none() && sides.oldest.is_none());
    }
}
