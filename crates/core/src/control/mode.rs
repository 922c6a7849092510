//! The mode: which region serves, stored beside the lock.
//!
//! Every plan reads it; only a failover and a failback change it. It is stored again in the standby
//! region ([`crate::control::witness`]), so that a lost record is not taken for one that never
//! existed.

use jiff::Timestamp;

use crate::control::patient::parsed;
use crate::control::record::{FORMAT, Record};
use crate::control::witness::{Doubt, Testimony};
use crate::control::{Condition, ControlStore, StoreError, Version};
use crate::intent::{Intent, Options};
use crate::minimum::Minimums;
use crate::objective::{Mode, Standing};

const KEY: &str = "mode.json";

/// The stored record with its version.
#[derive(Clone, Debug, Default)]
pub struct KeptMode {
    /// The record; `None` before the first change. In doubt it is what the witnesses say, marked as
    /// an incomplete change.
    pub record: Option<Record>,
    /// Why the record cannot be relied on.
    pub doubt: Option<Doubt>,
    /// Witnesses that `record` is taken from while in doubt, for people.
    pub witnesses: Vec<String>,
    /// The second record, as far as it could be read.
    pub testimony: Option<Testimony>,
    pub(super) version: Option<Version>,
}

impl KeptMode {
    /// Returns which region serves: the primary, before the first change.
    pub fn standing(&self) -> Standing {
        self.record.as_ref().map(|record| record.standing.clone()).unwrap_or_default()
    }

    /// True if the change to this mode is complete, beyond doubt.
    pub fn is_complete(&self) -> bool {
        self.doubt.is_none() && self.record.as_ref().is_none_or(|record| record.complete)
    }

    /// Returns when the change to this mode began, if known.
    pub fn since(&self) -> Option<Timestamp> {
        self.record.as_ref().map(|record| record.since).filter(|it| *it != Timestamp::UNIX_EPOCH)
    }

    /// Returns when the outage was noticed that still lasts: a failover has begun, and no run has
    /// found that all it was asked for serves. A planned failover, during which the primary serves,
    /// is none.
    pub fn outage(&self) -> Option<Timestamp> {
        let record = self.record.as_ref().filter(|it| it.standing.mode == Mode::Active)?;
        record.detected.filter(|_| record.served.is_none())
    }

    /// True if a planned failover is not complete: the primary answered when it began.
    pub fn is_planned(&self) -> bool {
        // A later repair is no outage either, and follows one.
        let has_outage = self.record.as_ref().is_none_or(|it| it.detected.is_some());
        self.standing().mode == Mode::Active && !self.is_complete() && !has_outage
    }

    /// Returns `failover`, with the options by which an incomplete one goes on with what it was asked for. A planned one
    /// goes on as such only where the primary `answers`.
    pub fn failover_on(&self, answers: bool) -> String {
        let mut command = "failover".to_owned();
        if answers && self.is_planned() {
            command.push_str(" --planned");
        }
        if self.standing().mode == Mode::Active && !self.is_complete() {
            for address in self.standing().only {
                // A key of `for_each` is quoted for a shell.
                let quote = if address.contains('[') { "'" } else { "" };
                command.push_str(&format!(" --only {quote}{address}{quote}"));
            }
        }
        command
    }

    /// True if the standby region serves all that was asked for: the failover is complete, and its
    /// outage over.
    pub fn is_served(&self) -> bool {
        self.standing().mode == Mode::Active && self.is_complete() && self.outage().is_none()
    }

    /// Returns the standing that a run with these options plans for.
    pub fn standing_for(&self, options: &Options) -> Standing {
        let now = self.standing();
        let only = if options.intent.fails_over() { &options.targets[..] } else { &now.only[..] };
        Standing { planned: options.intent == Intent::PlannedFailover, ..self.next(options.mode, only) }
    }

    /// True if a run that does not change the mode was planned for another mode.
    ///
    /// Then a failover or failback has happened since the run began.
    pub fn is_past(&self, intent: Intent, mode: Mode) -> bool {
        !intent.changes_mode() && self.standing().mode != mode
    }

    /// Returns the standing of a change to `mode` that begins or resumes.
    ///
    /// A change that begins raises the epoch. A failover of `only` these addresses adds them to
    /// those that have failed over already; an empty list means all.
    pub fn next(&self, mode: Mode, only: &[String]) -> Standing {
        let now = self.standing();
        let begun = now.mode == mode;
        let mut all = if begun && now.mode == Mode::Active { now.only.clone() } else { Vec::new() };
        // The list of failed-over parts may be lost with the record: then only the parts named now
        // are known.
        let is_in_part = self.testimony.as_ref().is_some_and(|it| self.doubt.is_some() && it.in_part);
        let was_whole = begun && now.only.is_empty() && !is_in_part;
        all.extend(only.iter().cloned());
        all.sort();
        all.dedup();
        let whole = mode == Mode::Standby || only.is_empty() || was_whole;
        let only = if whole { Vec::new() } else { all };
        let epoch = if begun && only == now.only { now.epoch } else { now.epoch.saturating_add(1) };
        // An accepted minimum and the chosen files hold for this failover only.
        let (minimum, files) = match begun && mode == Mode::Active {
            true => (now.minimum, now.files),
            false => (Minimums::default(), None),
        };
        Standing { mode, epoch, only, minimum, files, planned: false }
    }

    /// Returns the same without an outage: whoever states which region serves says that none lasts. The
    /// second record does not know that the outage of its failover is over.
    #[must_use]
    pub fn stated(&self) -> Self {
        let without = |it: &Record| Record { detected: None, served: None, ..it.clone() };
        Self { record: self.record.as_ref().map(without), ..self.clone() }
    }

    /// Records that `run` begins or resumes a change to `standing`; from here on that is the mode.
    ///
    /// A resumed change keeps the `since` of its first run. A failover from an outage that still
    /// lasts keeps when it was first `detected`.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if another run changed it meanwhile; the store's errors.
    pub async fn begin(
        &self,
        store: &dyn ControlStore,
        standing: Standing,
        since: Timestamp,
        detected: Option<Timestamp>,
        run: &str,
    ) -> Result<Self, StoreError> {
        let run = run.to_owned();
        let goes_on = |it: &&Record| it.standing.mode == standing.mode && it.since > Timestamp::UNIX_EPOCH;
        let since = self.record.as_ref().filter(goes_on).map_or(since, |it| it.since.min(since));
        let is_same = self.outage().is_some() || (self.is_served() && self.standing().only == standing.only);
        let begun = self.record.as_ref().filter(|_| standing.mode == Mode::Active && is_same);
        let first = begun.and_then(|it| it.detected);
        let detected = match (first, detected) {
            (Some(first), Some(now)) => Some(first.min(now)),
            (first, now) => first.or(now),
        };
        // What serves already has not stopped because a run looks again.
        let served = begun.and_then(|it| it.served);
        let complete = false;
        self.put(store, Record { format: FORMAT, standing, since, detected, served, run, complete }).await
    }

    /// Records that all that was asked for serves since `at`, which ends the outage; `None` if another
    /// run has changed the mode since this one, or the outage is over.
    ///
    /// # Errors
    /// As [`KeptMode::begin`].
    pub async fn end_outage(
        &self,
        store: &dyn ControlStore,
        at: Timestamp,
    ) -> Result<Option<Self>, StoreError> {
        let now = recorded(store).await?;
        let run = |it: &Self| it.record.as_ref().map(|record| record.run.clone());
        match now.record.clone().filter(|it| it.complete && now.outage().is_some()) {
            Some(record) if run(&now) == run(self) => {
                now.put(store, Record { served: Some(at), ..record }).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Records that the change is complete.
    ///
    /// # Errors
    /// As [`KeptMode::begin`].
    pub async fn complete(&self, store: &dyn ControlStore) -> Result<Self, StoreError> {
        match self.record.clone() {
            Some(record) => self.put(store, Record { complete: true, ..record }).await,
            None => Ok(self.clone()),
        }
    }

    /// Returns the mode after this record was written to the control bucket.
    fn recorded(&self, record: Record, version: Version) -> Self {
        let testimony = self.testimony.clone();
        Self { record: Some(record), version: Some(version), testimony, ..Self::default() }
    }

    async fn put(&self, store: &dyn ControlStore, record: Record) -> Result<Self, StoreError> {
        // Numbers, times and names always have a JSON form.
        let body = serde_json::to_vec(&record).unwrap_or_default();
        let condition = self.version.clone().map_or(Condition::Absent, Condition::Matches);
        match store.put(KEY, body.clone(), condition).await {
            Ok(version) => Ok(self.recorded(record, version)),
            Err(error) => match store.get(KEY).await {
                // The answer was lost, the write was not.
                Ok(Some((stored, version))) if stored == body => Ok(self.recorded(record, version)),
                _ => Err(error),
            },
        }
    }
}

/// Reads the record in the control bucket; in doubt if it is damaged.
pub(super) async fn recorded(store: &dyn ControlStore) -> Result<KeptMode, StoreError> {
    let (record, version) = match parsed(store, KEY, |it| serde_json::from_slice::<Record>(it)).await {
        Ok(Some((record, version))) => (record, Some(version)),
        Ok(None) | Err(StoreError::NoBucket { .. }) => return Ok(KeptMode::default()),
        Err(error) => return Err(error),
    };
    match record {
        Ok(record) if record.format > FORMAT => {
            let message = format!("its format {} is newer than this drstack", record.format);
            Err(StoreError::Newer { key: KEY.to_owned(), message })
        }
        Ok(record) => Ok(KeptMode { record: Some(record), version, ..KeptMode::default() }),
        Err(error) => {
            let doubt = Some(Doubt::Damaged(error.to_string()));
            Ok(KeptMode { doubt, version, ..KeptMode::default() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::ComponentAddress;
    use crate::control::memory::{Fate, Memory};

    #[tokio::test]
    async fn a_change_raises_the_epoch_and_one_that_goes_on_does_not() {
        let store = Memory::default();
        store.ensure().await.unwrap();
        let first = recorded(&store).await.unwrap();
        assert_eq!((first.standing(), first.is_complete()), (Standing::default(), true));
        let active = first.next(Mode::Active, &[]);
        assert_eq!(active.epoch, 1);
        let begun = first.begin(&store, active.clone(), Timestamp::UNIX_EPOCH, None, "run-1").await.unwrap();
        let stored = recorded(&store).await.unwrap();
        assert_eq!((stored.standing(), stored.is_complete()), (active.clone(), false));
        assert_eq!(stored.next(Mode::Active, &[]), active);
        assert_eq!(stored.next(Mode::Standby, &[]).epoch, 2);
        let refused = first.begin(&store, active.clone(), Timestamp::UNIX_EPOCH, None, "run-2").await;
        assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
        store.fate(&[Fate::AnswerLost]);
        begun.complete(&store).await.unwrap();
        assert!(recorded(&store).await.unwrap().is_complete());
    }

    #[tokio::test]
    async fn a_change_that_goes_on_is_since_its_first_run() {
        let store = Memory::default();
        store.ensure().await.unwrap();
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let begin = async |kept: &KeptMode, mode, seconds| {
            kept.begin(&store, kept.next(mode, &[]), at(seconds), None, "run").await.unwrap()
        };
        let since = |kept: &KeptMode| kept.record.as_ref().map(|it| it.since);
        let first = begin(&KeptMode::default(), Mode::Active, 100).await;
        let again = begin(&first.complete(&store).await.unwrap(), Mode::Active, 200).await;
        assert_eq!((since(&first), since(&again)), (Some(at(100)), Some(at(100))));
        let back = begin(&again, Mode::Standby, 300).await;
        assert_eq!(since(&back), Some(at(300)));
        assert_eq!(since(&begin(&back, Mode::Active, 400).await), Some(at(400)));
    }

    #[tokio::test]
    async fn an_outage_lasts_until_all_that_was_asked_for_serves() {
        let store = Memory::default();
        store.ensure().await.unwrap();
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let begin = async |kept: &KeptMode, only: &[String], detected| {
            let standing = kept.next(Mode::Active, only);
            kept.begin(&store, standing, at(500), Some(at(detected)), "run").await.unwrap()
        };
        let detected = |kept: &KeptMode| kept.record.as_ref().and_then(|it| it.detected);
        let part = begin(&KeptMode::default(), &["pool.a".to_owned()], 100).await;
        assert_eq!(
            part.end_outage(&store, at(600)).await.unwrap().map(|it| detected(&it)),
            None,
            "not complete"
        );
        let again = begin(&part, &["pool.a".to_owned()], 900).await;
        assert_eq!(detected(&again), Some(at(100)), "a run after an incomplete one counts from the first");
        let complete = again.complete(&store).await.unwrap();
        assert_eq!(
            (complete.outage(), complete.is_served()),
            (Some(at(100)), false),
            "nothing said it serves"
        );
        let again = begin(&complete, &["pool.a".to_owned()], 950).await;
        assert_eq!(
            detected(&again),
            Some(at(100)),
            "so does one after a run that was complete and no recovery"
        );
        let complete = again.complete(&store).await.unwrap();
        let served = complete.end_outage(&store, at(990)).await.unwrap().unwrap();
        assert_eq!((served.outage(), served.is_served()), (None, true));
        assert!(complete.end_outage(&store, at(999)).await.unwrap().is_none(), "it is over");
        let repair = begin(&served, &["pool.a".to_owned()], 2000).await.complete(&store).await.unwrap();
        assert_eq!((repair.outage(), repair.is_served()), (None, true), "a later repair is no outage");
        let rest = begin(&repair, &[], 3000).await;
        assert_eq!(
            (detected(&rest), rest.outage()),
            (Some(at(3000)), Some(at(3000))),
            "the rest has its own"
        );
    }

    #[tokio::test]
    async fn the_end_of_an_outage_is_not_written_over_another_run() {
        let store = Memory::default();
        store.ensure().await.unwrap();
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let first = KeptMode::default();
        let active = first.next(Mode::Active, &[]);
        let begun = first.begin(&store, active, at(100), Some(at(90)), "run-1").await.unwrap();
        let complete = begun.complete(&store).await.unwrap();
        let back = complete.begin(&store, complete.next(Mode::Standby, &[]), at(200), None, "run-2").await;
        assert_eq!(back.unwrap().outage(), None);
        assert!(begun.end_outage(&store, at(300)).await.unwrap().is_none());
        assert_eq!(recorded(&store).await.unwrap().standing().mode, Mode::Standby);
    }

    #[tokio::test]
    async fn a_failover_of_a_part_grows_and_is_failed_back_whole() {
        let store = Memory::default();
        store.ensure().await.unwrap();
        let only = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let put = async |kept: KeptMode, standing: Standing| {
            let begun = kept.begin(&store, standing, Timestamp::UNIX_EPOCH, None, "run").await.unwrap();
            begun.complete(&store).await.unwrap()
        };
        let first = KeptMode::default();
        let one = first.next(Mode::Active, &only(&["pool.a"]));
        assert_eq!((one.epoch, &one.only), (1, &only(&["pool.a"])));
        assert_eq!(one.mode_of(&ComponentAddress::new("pool.b")), Mode::Standby);
        let kept = put(first, one.clone()).await;
        assert_eq!(kept.next(Mode::Active, &only(&["pool.a"])), one, "it goes on");
        let two = kept.next(Mode::Active, &only(&["pool.b"]));
        assert_eq!((two.epoch, &two.only), (2, &only(&["pool.a", "pool.b"])));
        let kept = put(kept, two).await;
        let whole = kept.next(Mode::Active, &[]);
        assert_eq!((whole.epoch, &whole.only), (3, &only(&[])));
        assert_eq!(
            kept.next(Mode::Standby, &[]),
            Standing { mode: Mode::Standby, epoch: 3, ..Standing::default() }
        );
        let kept = put(kept, whole.clone()).await;
        assert_eq!(kept.next(Mode::Active, &only(&["pool.a"])), whole, "a part of what has failed over");
    }

    #[tokio::test]
    async fn an_accepted_minimum_and_the_files_are_kept_until_it_is_failed_back() {
        let store = Memory::default();
        store.ensure().await.unwrap();
        let mut active = KeptMode::default().next(Mode::Active, &[]);
        active.minimum.accept(None, "40%".parse().unwrap());
        active.files = Some("0f".repeat(32));
        let first = KeptMode::default();
        first.begin(&store, active.clone(), Timestamp::UNIX_EPOCH, None, "run-1").await.unwrap();
        let kept = recorded(&store).await.unwrap();
        assert_eq!(kept.next(Mode::Active, &[]), active, "a run that goes on accepts it too");
        let back = kept.next(Mode::Standby, &[]);
        assert!(back.minimum.is_empty() && back.files.is_none(), "{back:?}");
        let stored = String::from_utf8(store.get(KEY).await.unwrap().unwrap().0).unwrap();
        assert!(stored.contains("\"minimum\":{\"all\":\"40%\"}"), "{stored}");
    }

    #[tokio::test]
    async fn a_newer_or_damaged_record_is_no_absence() {
        let store = Memory::default();
        store.ensure().await.unwrap();
        let newer = "{\"format\":2,\"mode\":\"active\",\"epoch\":1,\"since\":\"1970-01-01T00:00:00Z\",\"run\":\"r\",\"complete\":true}";
        store.put(KEY, newer.as_bytes().to_vec(), Condition::Always).await.unwrap();
        assert!(matches!(recorded(&store).await, Err(StoreError::Newer { .. })));
        store.put(KEY, b"{".to_vec(), Condition::Always).await.unwrap();
        let damaged = recorded(&store).await.unwrap();
        assert!(matches!(damaged.doubt, Some(Doubt::Damaged(_))), "{damaged:?}");
        assert!(!damaged.is_complete());
        // It is replaced, and never ignored.
        let standing = damaged.next(Mode::Active, &[]);
        damaged.begin(&store, standing, Timestamp::UNIX_EPOCH, None, "run").await.unwrap();
        assert_eq!(recorded(&store).await.unwrap().standing().epoch, 1);
    }
}
