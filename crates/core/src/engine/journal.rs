//! The journal: what a run is about to do and what came of it, written to the control store as it happens.
//!
//! A journal is numbered segments, each written only if absent. That is the fence too: whoever takes the lock seals the old
//! run by writing its next segment, and the old run, which writes its intents before any call, is refused.
//!
//! A run may be held up between the answer to its last segment and the calls whose intents that holds, or between two
//! tries of one call. So it looks at its [`Permit`] before each call: it ends with the lease, before which nobody takes
//! over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::address::{Address, ComponentAddress};
use crate::control::lease::{Lease, Permit};
use crate::control::{Condition, ControlStore, StoreError};
use crate::kind::Action;
use crate::plan::StepId;

#[cfg(test)]
mod tests;

/// How often sealing tries the next number of a run that is still writing. Such a run writes a segment in the time of
/// one call, sealing takes two; one that is faster this often is alive, and the lock says so next time.
const CHASE: usize = 50;

/// The format this build writes.
pub const FORMAT: u32 = 1;

/// One line of a journal. Holds addresses, ids and hashes, never a spec.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "entry")]
pub enum Entry {
    /// The run began.
    RunStarted {
        /// [`FORMAT`].
        format: u32,
        /// `apply`, `destroy`.
        purpose: String,
        /// Steps of its plan.
        steps: usize,
        /// What runs before it began to make, and may have made.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        begun: BTreeSet<Address>,
        /// When.
        at: Timestamp,
    },
    /// A call is about to be made.
    Intent {
        /// Which step.
        step: StepId,
        /// Its resource.
        address: Address,
        /// What is done.
        action: Action,
        /// The call's idempotency token.
        token: String,
    },
    /// The step is done and its resource ready.
    Done {
        /// Which step.
        step: StepId,
        /// The name or id of what it made or changed.
        id: String,
    },
    /// It is done with less than was wanted.
    Degraded {
        /// Which step.
        step: StepId,
        /// Which rung of its ladder, and why.
        rung: String,
    },
    /// The step failed.
    Failed {
        /// Which step.
        step: StepId,
        /// It was a creation, and a look found nothing of it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        without_trace: bool,
        /// Nothing answered its last call, which may still have its effect.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unanswered: bool,
        /// Why.
        error: String,
    },
    /// The run ended by itself.
    RunFinished {
        /// When.
        at: Timestamp,
    },
    /// Another run took the lock; nothing may follow.
    Sealed {
        /// Which one.
        by: String,
    },
}

/// Why the journal cannot go on.
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
    /// The lease of the run's lock ran out, or the lock was lost.
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

/// The journal of one run, at its end.
pub struct Journal {
    store: Arc<dyn ControlStore>,
    run: String,
    next: u64,
    permit: Permit,
    begun: Begun,
}

/// What was begun to be made and is not known to be done: it may be there without the stack's tags.
#[derive(Default)]
struct Begun {
    before: BTreeSet<Address>,
    now: BTreeMap<StepId, Address>,
    /// Steps whose calls may be under way, whatever they do.
    open: BTreeMap<StepId, Address>,
    /// What else may have a call under way: a damaged line names it, or its step's number came twice.
    beside: BTreeSet<Address>,
}

impl Begun {
    fn hear(&mut self, entry: &Entry) {
        match entry {
            Entry::RunStarted { begun, .. } => self.before.extend(begun.iter().cloned()),
            Entry::Intent { step, address, action, .. } => {
                // A number that comes twice is no reason to forget whose it was.
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

    /// A line that is no entry, another version's or damaged: what it names may be what it says was begun.
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

/// The address with this text, if it looks like one: `bucket.models/bucket`, with or without keys.
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
    /// The journal of a new run.
    pub fn new(store: Arc<dyn ControlStore>, run: &str) -> Self {
        let permit = Permit { lease: None, ended: CancellationToken::new() };
        Self { store, run: run.to_owned(), next: 0, permit, begun: Begun::default() }
    }

    /// The same journal of a run that comes after others, which began to make `begun`.
    #[must_use]
    pub fn after(mut self, begun: BTreeSet<Address>) -> Self {
        self.begun.before = begun;
        self
    }

    /// What was begun to be made, by this run or before, and is not known to be done.
    pub fn begun(&self) -> BTreeSet<Address> {
        self.begun.all()
    }

    /// What a call of this run is on that has not ended, or has ended without an answer.
    pub fn unsettled(&self) -> BTreeSet<Address> {
        self.begun.unsettled()
    }

    /// The same journal of a run that may start calls only as long as `lease` lasts.
    #[must_use]
    pub fn under(self, lease: Lease) -> Self {
        Self { permit: Permit { lease: Some(lease), ..self.permit }, ..self }
    }

    /// The run it is of.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Whether the run may still start calls.
    pub fn permit(&self) -> Permit {
        self.permit.clone()
    }

    /// Whether what was written may be started at `now`.
    ///
    /// # Errors
    /// [`JournalError::Lapsed`] when the lease ran out.
    pub fn check(&self, now: Timestamp) -> Result<(), JournalError> {
        if self.permit.holds(now) { Ok(()) } else { Err(JournalError::Lapsed { run: self.run.clone() }) }
    }

    /// Writes `entries` as the next segment; they are durable when this returns. After an error the permit has ended.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] when another run wrote this segment, else what the store says.
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

    /// The answer may have been lost after the write: what is stored tells.
    async fn expect_own(&self, key: &str, body: &[u8], error: StoreError) -> Result<(), JournalError> {
        match self.store.get(key).await {
            Ok(Some((stored, _))) if stored == body => Ok(()),
            Ok(Some(_)) => Err(JournalError::Fenced { run: self.run.clone() }),
            Ok(None) | Err(_) => Err(JournalError::Store(error)),
        }
    }
}

/// What a run leaves to whoever comes after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// What it and those before it began to make, and is not known to be done.
    pub begun: BTreeSet<Address>,
    /// What its calls are on that may still have their effect: nothing says how they ended.
    pub unsettled: BTreeSet<Address>,
}

/// What `run` leaves behind, and those before it, which began `before`.
///
/// # Errors
/// What the store says. Of lines that cannot be read, of another version or damaged, all that they name counts as begun: what was
/// begun and is taken for somebody else's stands in the way for good, and the other way round one more look is made.
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

/// What `runs` leave behind, from their journals alone: for when there is no lock that says it.
///
/// It goes back from the last run to the first one that says what those before it had begun. The runs on that way died before they
/// wrote anything, so that each costs no more than its seal.
///
/// # Errors
/// What the store says.
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

/// The runs of which anything is kept, in the order in which they began: their names begin with that moment.
///
/// # Errors
/// What the store says.
pub async fn runs(store: &dyn ControlStore) -> Result<BTreeSet<String>, StoreError> {
    let keys = store.list("runs/").await?;
    Ok(keys.iter().filter_map(|key| key.split('/').nth(1)).map(str::to_owned).collect())
}

/// What `run` has written so far; lines that cannot be read are left out.
///
/// # Errors
/// What the store says.
pub async fn entries(store: &dyn ControlStore, run: &str) -> Result<Vec<Entry>, StoreError> {
    let lines = written(store, run).await?;
    Ok(lines.iter().filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// The lines that `run` has written so far, as they are.
async fn written(store: &dyn ControlStore, run: &str) -> Result<Vec<Vec<u8>>, StoreError> {
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
/// What the store says; [`StoreError::Refused`] when `run` is alive and writes faster than it can be sealed.
pub async fn seal(store: &dyn ControlStore, run: &str, by: &str) -> Result<(), StoreError> {
    let body = lines(&[Entry::Sealed { by: by.to_owned() }]);
    let mut key = String::new();
    for _ in 0..CHASE {
        // The run may still be writing: the segment that is ours is the first one that it does not have.
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
        // Strings, numbers and times: always has a JSON form.
        body.extend(serde_json::to_vec(entry).unwrap_or_default());
        body.push(b'\n');
    }
    body
}
