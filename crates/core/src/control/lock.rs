//! The lock: one object, taken and kept by conditional writes, with a lease that can run out.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Condition, ControlStore, StoreError, Version};
use crate::engine::journal::seal;

/// Key of the lock.
const KEY: &str = "lock.json";

/// How long a lock is held without a sign of life. Three missed renewals; short enough for whoever waits at night.
pub const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// How often the holder gives a sign of life.
pub const RENEW: SignedDuration = SignedDuration::from_secs(20);

/// Who holds the lock, and what for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The user.
    pub owner: String,
    /// The machine.
    pub host: String,
    /// `apply`, `destroy`.
    pub purpose: String,
    /// The run it is for.
    pub run: String,
    /// When it was taken.
    pub since: Timestamp,
    /// Until when it is held without a sign of life.
    pub until: Timestamp,
    /// Rises with each holder: a later one has a higher number.
    pub epoch: u64,
}

/// Why the lock was not taken or kept.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else holds it.
    #[error("{} on {} holds the lock for `{}` since {:.0}", .0.owner, .0.host, .0.purpose, .0.since)]
    Held(Box<Holder>),
    /// It was ours, and somebody took it over.
    #[error("the lock was taken over by another run")]
    Lost,
    /// What is stored is not a lock: another version's, or damaged.
    #[error("`{KEY}` in the control bucket cannot be read: {0}")]
    Broken(serde_json::Error),
    /// The control store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The lock, held.
pub struct Lock {
    store: Arc<dyn ControlStore>,
    holder: Holder,
    version: Version,
}

/// The holder, if there is one.
///
/// # Errors
/// [`LockError::Broken`] and what the store says.
pub async fn holder(store: &dyn ControlStore) -> Result<Option<(Holder, Version)>, LockError> {
    let Some((body, version)) = store.get(KEY).await? else { return Ok(None) };
    Ok(Some((serde_json::from_slice(&body).map_err(LockError::Broken)?, version)))
}

/// Removes the lock whoever holds it, after sealing the holder's journal so that it starts nothing more.
///
/// # Errors
/// What the store says.
pub async fn break_lock(store: &dyn ControlStore, by: &str) -> Result<(), LockError> {
    if let Some((holder, _)) = holder(store).await? {
        seal(store, &holder.run, by).await?;
    }
    Ok(store.delete(KEY).await?)
}

impl Lock {
    /// Takes the lock; one whose lease ran out is taken over, after sealing its holder's journal.
    ///
    /// # Errors
    /// [`LockError::Held`] when somebody else holds it or was faster.
    pub async fn take(
        store: Arc<dyn ControlStore>,
        wanted: Holder,
        now: Timestamp,
    ) -> Result<Self, LockError> {
        let mut wanted = Holder { since: now, until: now + LEASE, ..wanted };
        let condition = match holder(&*store).await? {
            None => Condition::Absent,
            Some((held, _)) if held.until > now => return Err(LockError::Held(Box::new(held))),
            Some((stale, version)) => {
                seal(&*store, &stale.run, &wanted.run).await?;
                wanted.epoch = stale.epoch + 1;
                Condition::Matches(version)
            }
        };
        match store.put(KEY, body(&wanted), condition).await {
            Ok(version) => Ok(Self { store, holder: wanted, version }),
            Err(error) => match holder(&*store).await? {
                // The answer was lost, the write was not.
                Some((held, version)) if held == wanted => Ok(Self { store, holder: wanted, version }),
                Some((held, _)) => Err(LockError::Held(Box::new(held))),
                None => Err(error.into()),
            },
        }
    }

    /// Who holds it: this run.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// When the next sign of life is due.
    pub fn due(&self) -> Timestamp {
        self.holder.until - LEASE + RENEW
    }

    /// Gives a sign of life.
    ///
    /// # Errors
    /// [`LockError::Lost`] when somebody took it over.
    pub async fn renew(&mut self, now: Timestamp) -> Result<(), LockError> {
        let renewed = Holder { until: now + LEASE, ..self.holder.clone() };
        let condition = Condition::Matches(self.version.clone());
        self.version = match self.store.put(KEY, body(&renewed), condition).await {
            Ok(version) => version,
            Err(StoreError::Refused { .. }) => match holder(&*self.store).await? {
                Some((held, version)) if held == renewed => version,
                _ => return Err(LockError::Lost),
            },
            Err(error) => return Err(error.into()),
        };
        self.holder = renewed;
        Ok(())
    }

    /// Gives the lock back, if it is still ours.
    ///
    /// # Errors
    /// What the store says.
    pub async fn release(self) -> Result<(), LockError> {
        match holder(&*self.store).await? {
            Some((held, _)) if held.run == self.holder.run => Ok(self.store.delete(KEY).await?),
            _ => Ok(()),
        }
    }
}

fn body(holder: &Holder) -> Vec<u8> {
    // Strings, numbers and times: always has a JSON form.
    serde_json::to_vec(holder).unwrap_or_default()
}
