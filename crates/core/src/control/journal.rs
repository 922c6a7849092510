//! The journal: what a run is about to do and what came of it, written to the control store as it
//! happens.
//!
//! A journal consists of numbered segments, each written only if absent. That is the fence too: the
//! next lock holder seals the old run by writing its next segment. The old run writes its intents
//! before any call, so its write is refused.
//!
//! A run may stall between the answer to its last segment and the calls of those intents, or
//! between two attempts of one call. So it checks its [`Permit`] before each call. The permit ends
//! with the lease, before which no other run takes over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::address::{Address, ComponentAddress};
use crate::control::lease::{Lease, Permit};
use crate::control::{Condition, ControlStore, StoreError};
use crate::kind::Action;

#[cfg(test)]
mod tests;

/// How often sealing tries the next segment of a run that is still writing.
///
/// Such a run writes a segment in the time of one call; sealing takes two. A run that is faster
/// this often is alive, and the lock reports so next time.
const CHASE: usize = 50;

/// Index of a step within its plan, as the journal of its run names it.
pub type StepId = usize;

/// The format this build writes.
pub const FORMAT: u32 = 1;

/// One line of a journal. It holds addresses, ids and hashes, never a spec.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "entry")]
pub enum Entry {
    /// The run started.
    RunStarted {
        /// [`FORMAT`].
        format: u32,
        /// `apply`, `destroy`.
        purpose: String,
        /// Number of steps in its plan.
        steps: usize,
        /// Resources whose creation earlier runs began, and may have finished.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        begun: BTreeSet<Address>,
        /// Start time.
        at: Timestamp,
    },
    /// A call is about to be made.
    Intent {
        /// The step.
        step: StepId,
        /// Its resource.
        address: Address,
        /// The action.
        action: Action,
        /// The call's idempotency token.
        token: String,
    },
    /// The step is done and its resource ready.
    Done {
        /// The step.
        step: StepId,
        /// Name or id of the created or updated object.
        id: String,
    },
    /// The step is done with less than the stack wants.
    Degraded {
        /// The step.
        step: StepId,
        /// Rung of its ladder that it fell back to, and why.
        rung: String,
    },
    /// The step failed.
    Failed {
        /// The step.
        step: StepId,
        /// True if it was a creation and nothing of it was found.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        without_trace: bool,
        /// True if its last call was not answered, so it may still land.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unanswered: bool,
        /// Error message.
        error: String,
    },
    /// The run ended on its own.
    RunFinished {
        /// End time.
        at: Timestamp,
    },
    /// Another run took the lock; nothing may follow.
    Sealed {
        /// The run that sealed the journal.
        by: String,
    },
}

/// Why the journal cannot be written any more.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// Another run took the lock.
    #[error(
        "another run took the lock from run {run}; nothing more was started, and what was running is stopped"
    )]
    Fenced {
        /// The run that was sealed.
        run: String,
    },
    /// The lease of the run's lock expired, or the lock was lost.
    #[error(
        "the lock of run {run} was not renewed in time; nothing more was started, and what was running is stopped"
    )]
    Lapsed {
        /// The run.
        run: String,
    },
    /// The control bucket cannot be written.
    #[error("the journal cannot be written: {0}")]
    Store(StoreError),
}

/// The journal of one run, open at its end.
pub struct Journal {
    store: Arc<dyn ControlStore>,
    run: String,
    next: u64,
    permit: Permit,
    begun: Begun,
}

/// Creations that began and are not known to be done: the objects may exist without the stack's
/// tags.
#[derive(Default)]
struct Begun {
    before: BTreeSet<Address>,
    now: BTreeMap<StepId, Address>,
    /// Steps whose calls may be under way, whatever their action.
    open: BTreeMap<StepId, Address>,
    /// Other resources with a possible call: from a damaged line, or from a step id that came
    /// twice.
    beside: BTreeSet<Address>,
}

impl Begun {
    fn hear(&mut self, entry: &Entry) {
        match entry {
            Entry::RunStarted { begun, .. } => self.before.extend(begun.iter().cloned()),
            Entry::Intent { step, address, action, .. } => {
                // A repeated step id must not lose the first resource.
                let other = self.open.insert(*step, address.clone()).filter(|it| it != address);
                self.beside.extend(other);
                if *action == Action::Create {
                    self.before.extend(self.now.insert(*step, address.clone()).filter(|it| it != address));
                }
            }
            Entry::Done { step, .. } => {
                self.open.remove(step);
                if let Some(address) = self.now.remove(step) {
                    self.before.remove(&address);
                }
            }
            Entry::Failed { step, without_trace, unanswered, .. } => {
                if *without_trace {
                    self.now.remove(step);
                }
                if !*unanswered {
                    self.open.remove(step);
                }
            }
            _ => {}
        }
    }

    /// Handles a damaged line, or one of another version: whatever it names may have been begun.
    fn hear_damaged(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        for (at, _) in text.match_indices('"') {
            let quoted = serde_json::Deserializer::from_str(&text[at..]).into_iter::<String>().next();
            let named = quoted.and_then(Result::ok).and_then(|it| named(&it));
            self.beside.extend(named.clone());
            self.before.extend(named);
        }
    }

    fn all(&self) -> BTreeSet<Address> {
        self.before.iter().chain(self.now.values()).cloned().collect()
    }

    fn unsettled(&self) -> BTreeSet<Address> {
        self.open.values().chain(&self.beside).cloned().collect()
    }
}

/// Parses an address if `text` looks like one: `bucket.models/bucket`, with or without keys.
fn named(text: &str) -> Option<Address> {
    let is_plain = |part: &str| {
        !part.is_empty() && part.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '.' | '_' | '-'))
    };
    let (component, resource) = text.rsplit_once('/')?;
    let looks_so = is_plain(resource)
        && component.contains('.')
        && is_plain(&ComponentAddress::new(component).without_keys());
    Address::parse(text).filter(|_| looks_so)
}

impl Journal {
    /// Creates the journal of a new run.
    pub fn new(store: Arc<dyn ControlStore>, run: &str) -> Self {
        let permit = Permit { lease: None, ended: CancellationToken::new() };
        Self { store, run: run.to_owned(), next: 0, permit, begun: Begun::default() }
    }

    /// Sets what earlier runs began to create.
    #[must_use]
    pub fn after(mut self, begun: BTreeSet<Address>) -> Self {
        self.begun.before = begun;
        self
    }

    /// Returns the creations begun by this run or earlier ones that are not known to be done.
    pub fn begun(&self) -> BTreeSet<Address> {
        self.begun.all()
    }

    /// Returns the resources with a call of this run that has not ended, or ended without an
    /// answer.
    pub fn unsettled(&self) -> BTreeSet<Address> {
        self.begun.unsettled()
    }

    /// Limits the run's calls to the duration of `lease`.
    #[must_use]
    pub fn under(self, lease: Lease) -> Self {
        Self { permit: Permit { lease: Some(lease), ..self.permit }, ..self }
    }

    /// Returns the id of its run.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Returns the permit: whether the run may still start calls.
    pub fn permit(&self) -> Permit {
        self.permit.clone()
    }

    /// Checks that the written intents may be started at `now`.
    ///
    /// # Errors
    /// [`JournalError::Lapsed`] when the lease ran out.
    pub fn check(&self, now: Timestamp) -> Result<(), JournalError> {
        if self.permit.holds(now) { Ok(()) } else { Err(JournalError::Lapsed { run: self.run.clone() }) }
    }

    /// Writes `entries` as the next segment; they are durable on return. After an error the permit
    /// has ended.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] if another run wrote this segment, otherwise the store's error.
    pub async fn append(&mut self, entries: &[Entry]) -> Result<(), JournalError> {
        if entries.is_empty() {
            return Ok(());
        }
        entries.iter().for_each(|entry| self.begun.hear(entry));
        let (key, body) = (segment(&self.run, self.next), lines(entries));
        if let Err(error) = self.store.put(&key, body.clone(), Condition::Absent).await {
            self.expect_own(&key, &body, error).await.inspect_err(|_| self.permit.ended.cancel())?;
        }
        self.next += 1;
        Ok(())
    }

    /// Checks for a write whose answer was lost, by comparing what is stored.
    async fn expect_own(&self, key: &str, body: &[u8], error: StoreError) -> Result<(), JournalError> {
        match self.store.get(key).await {
            Ok(Some((stored, _))) if stored == body => Ok(()),
            Ok(Some(_)) => Err(JournalError::Fenced { run: self.run.clone() }),
            Ok(None) | Err(_) => Err(JournalError::Store(error)),
        }
    }
}

/// What a run leaves to its successor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Creations that it or earlier runs began and that are not known to be done.
    pub begun: BTreeSet<Address>,
    /// Resources with calls that may still land, since their outcome is unknown.
    pub unsettled: BTreeSet<Address>,
}

/// Reads what `run` leaves behind, and the earlier runs, which began `before`.
///
/// # Errors
/// The store's errors. Lines that cannot be read, of another version or damaged, count all that
/// they name as begun: an object that was begun and is taken for foreign would block the address
/// for good, while the opposite error costs only one more read.
pub async fn left(
    store: &dyn ControlStore,
    run: &str,
    before: BTreeSet<Address>,
) -> Result<Left, StoreError> {
    Ok(heard(&written(store, run).await?, before))
}

fn heard(lines: &[Vec<u8>], before: BTreeSet<Address>) -> Left {
    let mut begun = Begun { before, ..Begun::default() };
    for line in lines {
        match serde_json::from_slice(line) {
            Ok(entry) => begun.hear(&entry),
            Err(_) => begun.hear_damaged(line),
        }
    }
    Left { begun: begun.all(), unsettled: begun.unsettled() }
}

/// Reads what `runs` leave behind from their journals alone, for when there is no lock that says
/// it.
///
/// It goes back from the last run to the first one that records what earlier runs had begun. The
/// runs in between died before they wrote anything, so each costs no more than reading its seal.
///
/// # Errors
/// The store's errors.
pub async fn retraced(store: &dyn ControlStore, runs: &BTreeSet<String>) -> Result<Left, StoreError> {
    let is_start =
        |line: &Vec<u8>| matches!(serde_json::from_slice::<Entry>(line), Ok(Entry::RunStarted { .. }));
    let mut back = Vec::new();
    for run in runs.iter().rev() {
        let lines = written(store, run).await?;
        let says_what_was_before = lines.iter().any(is_start);
        back.push(lines);
        if says_what_was_before {
            break;
        }
    }
    let with = |all: Left, lines: &Vec<Vec<u8>>| {
        let Left { begun, unsettled } = heard(lines, all.begun);
        Left { begun, unsettled: all.unsettled.into_iter().chain(unsettled).collect() }
    };
    Ok(back.iter().rev().fold(Left::default(), with))
}

/// Lists the runs with stored objects, oldest first: their names begin with the start time.
///
/// # Errors
/// The store's errors.
pub async fn runs(store: &dyn ControlStore) -> Result<BTreeSet<String>, StoreError> {
    let keys = store.list("runs/").await?;
    Ok(keys.iter().filter_map(|key| key.split('/').nth(1)).map(str::to_owned).collect())
}

/// Reads the entries of `run`, and skips lines that cannot be parsed.
///
/// # Errors
/// The store's errors.
pub async fn entries(store: &dyn ControlStore, run: &str) -> Result<Vec<Entry>, StoreError> {
    let lines = written(store, run).await?;
    Ok(lines.iter().filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// Reads the raw lines of `run`.
pub(super) async fn written(store: &dyn ControlStore, run: &str) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut all = Vec::new();
    for key in store.list(&format!("runs/{run}/journal/")).await? {
        let Some((body, _)) = store.get(&key).await? else { continue };
        let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        all.extend(lines.map(<[u8]>::to_vec));
    }
    Ok(all)
}

/// Seals the journal of `run` in the name of `by`: from here on `run` starts no call.
///
/// # Errors
/// The store's errors; [`StoreError::Refused`] if `run` is alive and writes faster than it can be
/// sealed.
pub async fn seal(store: &dyn ControlStore, run: &str, by: &str) -> Result<(), StoreError> {
    let body = lines(&[Entry::Sealed { by: by.to_owned() }]);
    let mut key = String::new();
    for _ in 0..CHASE {
        // The run may still be writing: the seal goes into the first segment that it has not
        // written.
        let next = store.list(&format!("runs/{run}/journal/")).await?.len() as u64;
        key = segment(run, next);
        let Err(error) = store.put(&key, body.clone(), Condition::Absent).await else { return Ok(()) };
        let is_sealed = matches!(store.get(&key).await, Ok(Some((stored, _))) if stored == body);
        match error {
            _ if is_sealed => return Ok(()),
            StoreError::Refused { .. } => {}
            other => return Err(other),
        }
    }
    Err(StoreError::Refused { key })
}

fn segment(run: &str, number: u64) -> String {
    format!("runs/{run}/journal/{number:06}.jsonl")
}

fn lines(entries: &[Entry]) -> Vec<u8> {
    let mut body = Vec::new();
    for entry in entries {
        // Strings, numbers and times always have a JSON form.
        body.extend(serde_json::to_vec(entry).unwrap_or_default());
        body.push(b'\n');
    }
    body
}
