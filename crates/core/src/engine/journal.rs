//! The journal: what a run is about to do and what came of it, written to the control store as it happens.
//!
//! A journal is numbered segments, each written only if absent. That is the fence too: whoever takes over seals the old
//! run by writing its next segment, and the old run, which writes its intents before any call, is refused.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::control::{Condition, ControlStore, StoreError};
use crate::kind::Action;
use crate::plan::StepId;

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
    /// The step failed.
    Failed {
        /// Which step.
        step: StepId,
        /// Why.
        error: String,
    },
    /// The run ended by itself.
    RunFinished {
        /// When.
        at: Timestamp,
    },
    /// Another run took over; nothing may follow.
    Sealed {
        /// Which one.
        by: String,
    },
}

/// Why the journal cannot go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// Another run took over.
    #[error("another run took over run {run}; nothing more was started")]
    Fenced {
        /// The run that was sealed.
        run: String,
    },
    /// The control bucket cannot be written.
    #[error("the journal cannot be written: {0}")]
    Store(StoreError),
}

/// The journal of one run, at its end.
#[derive(Clone)]
pub struct Journal {
    store: Arc<dyn ControlStore>,
    run: String,
    next: u64,
}

impl Journal {
    /// The journal of a new run.
    pub fn new(store: Arc<dyn ControlStore>, run: &str) -> Self {
        Self { store, run: run.to_owned(), next: 0 }
    }

    /// The run it is of.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Writes `entries` as the next segment; they are durable when this returns.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] when another run wrote this segment, else what the store says.
    pub async fn append(&mut self, entries: &[Entry]) -> Result<(), JournalError> {
        if entries.is_empty() {
            return Ok(());
        }
        let body = lines(entries);
        let key = segment(&self.run, self.next);
        match self.store.put(&key, body.clone(), Condition::Absent).await {
            Ok(_) => {}
            Err(StoreError::Refused { .. }) => self.expect_own(&key, &body).await?,
            // The answer may have been lost after the write: what is stored tells.
            Err(error @ StoreError::Cloud(_)) => {
                self.expect_own(&key, &body).await.map_err(|_| JournalError::Store(error))?;
            }
            Err(error) => return Err(JournalError::Store(error)),
        }
        self.next += 1;
        Ok(())
    }

    async fn expect_own(&self, key: &str, body: &[u8]) -> Result<(), JournalError> {
        match self.store.get(key).await {
            Ok(Some((stored, _))) if stored == body => Ok(()),
            Ok(_) => Err(JournalError::Fenced { run: self.run.clone() }),
            Err(error) => Err(JournalError::Store(error)),
        }
    }
}

/// Seals the journal of `run` in the name of `by`: from here on `run` starts no call.
///
/// # Errors
/// What the store says.
pub async fn seal(store: &dyn ControlStore, run: &str, by: &str) -> Result<(), StoreError> {
    let body = lines(&[Entry::Sealed { by: by.to_owned() }]);
    loop {
        // The run may still be writing: the segment that is ours is the first one that it does not have.
        let next = store.list(&format!("runs/{run}/journal/")).await?.len() as u64;
        match store.put(&segment(run, next), body.clone(), Condition::Absent).await {
            Err(StoreError::Refused { .. }) => {}
            other => return other.map(|_| ()),
        }
    }
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
