//! The lock: one object, taken, renewed and released by conditional writes, with a lease that can
//! expire.
//!
//! The object is never deleted: a released lock is marked free and keeps its epoch. An
//! unconditional delete could hit the lock of a run that has taken it meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::in_flight::InFlight;
use super::{Condition, ControlStore, StoreError, Version};
use crate::address::Address;
use crate::control::journal::{self, Left};
use crate::control::lease::{LEASE, Lease, MARGIN, later};
use crate::control::patient::parsed;
use crate::intent::Intent;
use crate::text::{plain, plain_text};

mod peek;
#[cfg(test)]
mod tests;

pub use peek::{Peek, peek};

/// Key of the lock object.
const KEY: &str = "lock.json";

/// Renewal period of the lease.
pub const RENEW: SignedDuration = SignedDuration::from_secs(20);

/// Attempts to take the lock from a holder that renews it meanwhile; it renews once per [`RENEW`].
const TRIES: usize = 3;

/// Pause before a failed renewal is retried.
const AGAIN: Duration = Duration::from_secs(2);

/// The lock holder, and what it holds the lock for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The user.
    #[serde(deserialize_with = "plain_text")]
    pub owner: String,
    /// The machine.
    #[serde(deserialize_with = "plain_text")]
    pub host: String,
    /// [`Intent::purpose`] of its run.
    #[serde(deserialize_with = "plain_text")]
    pub purpose: String,
    /// Run that holds the lock.
    #[serde(deserialize_with = "plain_text")]
    pub run: String,
    /// When the lock was taken.
    pub since: Timestamp,
    /// When the lease expires unless it is renewed.
    pub until: Timestamp,
    /// Epoch: rises with each holder.
    pub epoch: u64,
    /// Calls of earlier runs that may still land.
    #[serde(default, skip_serializing_if = "InFlight::is_empty")]
    pub in_flight: InFlight,
}

impl Holder {
    /// True if its run decides which region serves.
    pub fn changes_mode(&self) -> bool {
        [Intent::Failover, Intent::Failback].iter().any(|it| it.purpose() == self.purpose)
    }
}

/// Why the lock was not taken or kept.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds it.
    #[error("{} on {} holds the lock for `{}` since {:.0}", .0.owner, .0.host, .0.purpose, .0.since)]
    Held(Box<Holder>),
    /// It was this run's, and another run took it.
    #[error("another run took the lock")]
    Lost,
    /// It could not be renewed before the lease expired.
    #[error("the lock was not renewed in time: the control bucket did not answer")]
    Lapsed,
    /// The stored object is not a lock: another version's, or damaged.
    #[error("`{KEY}` in the control bucket cannot be read: {}", plain(&.0.to_string()))]
    Broken(serde_json::Error),
    /// The control store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The stored lock object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
enum Record {
    /// A run holds it, or held it until the lease expired.
    Held {
        /// The holder.
        #[serde(flatten)]
        holder: Holder,
        /// Creations that earlier runs began and may have finished. The holder's journal has them
        /// too, but only once it is started.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        begun: BTreeSet<Address>,
    },
    /// It was released or broken.
    Free {
        /// Epoch of the last holder.
        epoch: u64,
        /// Creations that runs began and may have finished.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        begun: BTreeSet<Address>,
        /// Calls of runs that may still land.
        #[serde(default, skip_serializing_if = "InFlight::is_empty")]
        in_flight: InFlight,
    },
}

/// The lock, held by this run.
pub struct Lock {
    store: Arc<dyn ControlStore>,
    holder: Holder,
    version: Version,
    until: watch::Sender<Timestamp>,
    begun: BTreeSet<Address>,
}

/// Reads the lock holder, if there is one.
///
/// # Errors
/// [`LockError::Broken`] and the store's errors.
pub async fn holder(store: &dyn ControlStore) -> Result<Option<(Holder, Version)>, LockError> {
    Ok(match stored(store).await? {
        Some((Record::Held { holder, .. }, version)) => Some((holder, version)),
        Some((Record::Free { .. }, _)) | None => None,
    })
}

/// Breaks the lock, after sealing the holder's journal so that it starts nothing more.
///
/// # Errors
/// [`LockError::Held`] if it changed hands meanwhile, and the store's errors.
pub async fn break_lock(store: &dyn ControlStore, by: &str) -> Result<(), LockError> {
    let Some((Record::Held { holder, begun }, _)) = stored(store).await? else { return Ok(()) };
    journal::seal(store, &holder.run, by).await?;
    let Left { begun, unsettled } = journal::left(store, &holder.run, begun).await?;
    let broken = Holder { in_flight: holder.in_flight.clone().and(unsettled, holder.until), ..holder };
    give_back(store, &broken, None, &begun).await
}

/// Frees a lock that cannot be parsed; returns true if there was one.
///
/// First it seals the journal of the last run, which may have been the holder.
///
/// # Errors
/// The store's errors.
pub async fn replace_broken(store: &dyn ControlStore, by: &str, now: Timestamp) -> Result<bool, LockError> {
    let Some((record, version)) = parsed(store, KEY, |it| serde_json::from_slice::<Record>(it)).await? else {
        return Ok(false);
    };
    if record.is_ok() {
        return Ok(false);
    }
    let runs = journal::runs(store).await?;
    if let Some(last) = runs.last() {
        journal::seal(store, last, by).await?;
    }
    let Left { begun, unsettled } = journal::retraced(store, &runs).await?;
    // The end of its lease is unknown too.
    let in_flight = InFlight::default().and(unsettled, later(now, LEASE));
    // The last epoch is unknown; seconds since 1970 are more than any stack has had holders.
    let epoch = u64::try_from(now.as_second()).unwrap_or(0);
    store.put(KEY, body(&Record::Free { epoch, begun, in_flight }), Condition::Matches(version)).await?;
    Ok(true)
}

impl Lock {
    /// Takes the lock if it is free or its lease expired; seals the journal of an expired holder
    /// first.
    ///
    /// # Errors
    /// [`LockError::Held`] if another run holds it or was faster.
    pub async fn take(
        store: Arc<dyn ControlStore>,
        wanted: Holder,
        now: Timestamp,
    ) -> Result<Self, LockError> {
        let (lock, _) = Self::take_from(store, wanted, now, &|_| false).await?;
        Ok(lock)
    }

    /// Takes the lock for a change of mode, even from a holder with any other purpose.
    ///
    /// That holder's run works toward an obsolete state. A `dead` one, which was seen without a
    /// sign of life for a whole lease, yields too. Returns the holder that lost the lock.
    ///
    /// # Errors
    /// [`LockError::Held`] if another change of mode holds it.
    pub async fn take_from_others(
        store: Arc<dyn ControlStore>,
        wanted: Holder,
        now: Timestamp,
        dead: Option<&Holder>,
    ) -> Result<(Self, Option<Holder>), LockError> {
        let yields = |held: &Holder| !held.changes_mode() || Some(held) == dead;
        for _ in 0..TRIES {
            match Self::take_from(Arc::clone(&store), wanted.clone(), now, &yields).await {
                // It renewed meanwhile: it is sealed, and renews only once per [`RENEW`].
                Err(LockError::Held(held)) if yields(&held) => {}
                // The lock was released meanwhile, by it or by another run.
                Err(LockError::Store(StoreError::Refused { .. })) => {}
                other => return other,
            }
        }
        Self::take_from(store, wanted, now, &yields).await
    }

    /// Takes the lock if it is free, if its lease expired, or if its holder `yields`.
    async fn take_from(
        store: Arc<dyn ControlStore>,
        wanted: Holder,
        now: Timestamp,
        yields: &(dyn Fn(&Holder) -> bool + Sync),
    ) -> Result<(Self, Option<Holder>), LockError> {
        let (mut from, mut unlocked) = (None, BTreeSet::new());
        let (epoch, condition, begun, in_flight) = match stored(&*store).await? {
            // It was never held, or the object was deleted.
            None => {
                unlocked = journal::runs(&*store).await?;
                let begun = journal::retraced(&*store, &unlocked).await?.begun;
                (1, Condition::Absent, begun, InFlight::default())
            }
            Some((Record::Free { epoch, begun, in_flight }, version)) => {
                (epoch.saturating_add(1), Condition::Matches(version), begun, in_flight)
            }
            Some((Record::Held { holder: held, .. }, _)) if held.until > now && !yields(&held) => {
                return Err(LockError::Held(Box::new(held)));
            }
            // Seal first: if the lock were taken first and its new holder died in between, no run
            // would seal this journal.
            Some((Record::Held { holder: held, begun }, version)) => {
                journal::seal(&*store, &held.run, &wanted.run).await?;
                let Left { begun, unsettled } = journal::left(&*store, &held.run, begun).await?;
                // No lease is longer, whatever the clock said by which it was written.
                let in_flight = held.in_flight.clone().and(unsettled, held.until.min(later(now, LEASE)));
                let epoch = held.epoch.saturating_add(1);
                from = Some(held).filter(|held| held.until > now);
                (epoch, Condition::Matches(version), begun, in_flight)
            }
        };
        let in_flight = in_flight.at(now);
        let holder = Holder { since: now, until: later(now, LEASE), epoch, in_flight, ..wanted };
        let record = Record::Held { holder: holder.clone(), begun: begun.clone() };
        let version = match store.put(KEY, body(&record), condition).await {
            Ok(version) => version,
            Err(error) => match self::holder(&*store).await? {
                // The answer was lost, the write was not.
                Some((held, version)) if held == holder => version,
                Some((held, _)) if held.until > now => return Err(LockError::Held(Box::new(held))),
                _ => return Err(error.into()),
            },
        };
        let until = watch::Sender::new(holder.until);
        let mut lock = Self { store, holder, version, until, begun };
        if let Some(last) = unlocked.last() {
            lock.seal_unlocked(last, now).await?;
        }
        Ok((lock, from))
    }

    /// Seals the `last` run of a deleted lock, and records what it has begun and may still change.
    ///
    /// Only once the lock is ours: before that, it may have been the run of a faster rival.
    async fn seal_unlocked(&mut self, last: &str, now: Timestamp) -> Result<(), LockError> {
        journal::seal(&*self.store, last, &self.holder.run).await?;
        let Left { begun, unsettled } = journal::left(&*self.store, last, BTreeSet::new()).await?;
        self.begun.extend(begun);
        // The end of the deleted lock's lease is unknown.
        self.holder.in_flight = self.holder.in_flight.clone().and(unsettled, later(now, LEASE));
        self.version = self.write(&self.holder, self.version.clone()).await?;
        Ok(())
    }

    /// Returns the creations that earlier runs began and may have finished.
    pub fn begun(&self) -> &BTreeSet<Address> {
        &self.begun
    }

    /// Returns the calls of earlier runs that may still land.
    pub fn in_flight(&self) -> &InFlight {
        &self.holder.in_flight
    }

    /// Sets the calls in flight; the next renewal or the release hands them on.
    pub fn set_in_flight(&mut self, in_flight: InFlight) {
        self.holder.in_flight = in_flight;
    }

    /// Returns the holder: this run.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// Returns when the next renewal is due.
    pub fn due(&self) -> Timestamp {
        self.holder.until.checked_sub(LEASE - RENEW).unwrap_or(Timestamp::MIN)
    }

    /// Returns the lease, for calls that are made under the lock.
    pub fn lease(&self) -> Lease {
        Lease(self.until.subscribe())
    }

    /// Renews the lease.
    ///
    /// # Errors
    /// [`LockError::Lost`] if another run took the lock; the store's errors, after which the
    /// renewal may be retried.
    pub async fn renew(&mut self, now: Timestamp) -> Result<(), LockError> {
        let renewed = Holder { until: later(now, LEASE), ..self.holder.clone() };
        self.version = match self.write(&renewed, self.version.clone()).await {
            Ok(version) => version,
            Err(error) => match holder(&*self.store).await? {
                // The answer was lost, the write was not.
                Some((held, version)) if held == renewed => version,
                // The write of an earlier renewal arrived late.
                Some((held, version)) if is_same(&held, &renewed) && version != self.version => {
                    self.write(&renewed, version).await?
                }
                Some((held, _)) if is_same(&held, &renewed) => return Err(error.into()),
                _ => {
                    self.until.send_replace(Timestamp::MIN);
                    return Err(LockError::Lost);
                }
            },
        };
        self.until.send_replace(renewed.until);
        self.holder = renewed;
        Ok(())
    }

    /// Renews the lease until the lock is lost or the lease expires by the clock; returns which.
    ///
    /// From then on the lease does not hold. `rest` pauses on the machine's own clock.
    pub async fn keep(&mut self, now: impl Fn() -> Timestamp, rest: impl AsyncFn(Duration)) -> LockError {
        let mut pause = RENEW.unsigned_abs();
        let mut refused = None;
        loop {
            rest(pause).await;
            // A missing answer must not outlast the lease; after the machine slept through the
            // lease, no time is left.
            let left = self.left(now());
            let renewed = tokio::time::timeout(left, self.renew(now())).await;
            match renewed {
                Ok(Ok(())) => (pause, refused) = (RENEW.unsigned_abs(), None),
                Ok(Err(error @ LockError::Store(_))) if !left.is_zero() => {
                    (pause, refused) = (AGAIN.min(left), Some(error));
                }
                Ok(Err(error)) => return self.ended(error),
                Err(_) => return self.ended(refused.unwrap_or(LockError::Lapsed)),
            }
        }
    }

    /// Returns how long the lease may still be relied on.
    fn left(&self, now: Timestamp) -> Duration {
        let until = self.holder.until.checked_sub(MARGIN).unwrap_or(Timestamp::MIN);
        Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO)
    }

    fn ended(&self, why: LockError) -> LockError {
        self.until.send_replace(Timestamp::MIN);
        why
    }

    /// Renews the lease if due, and checks that it holds by the clock: the machine may have slept.
    ///
    /// # Errors
    /// As [`Lock::renew`], and [`LockError::Lost`] if the lease is over.
    pub async fn confirm(&mut self, now: impl Fn() -> Timestamp) -> Result<(), LockError> {
        if self.due() <= now() {
            self.renew(now()).await?;
        }
        self.expect_lease(now())
    }

    /// Renews the lease, and checks that it holds by the clock: the answer may have outlasted the
    /// lease.
    ///
    /// # Errors
    /// As [`Lock::confirm`].
    pub async fn hold(&mut self, now: impl Fn() -> Timestamp) -> Result<(), LockError> {
        self.renew(now()).await?;
        self.expect_lease(now())
    }

    fn expect_lease(&self, now: Timestamp) -> Result<(), LockError> {
        if self.lease().holds(now) { Ok(()) } else { Err(LockError::Lost) }
    }

    /// Releases the lock if it is still ours, and records the creations that are not known to be
    /// done.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn release(self, begun: &BTreeSet<Address>) -> Result<(), LockError> {
        self.until.send_replace(Timestamp::MIN);
        match give_back(&*self.store, &self.holder, Some(self.version), begun).await {
            // Another run holds it by now.
            Err(LockError::Held(_)) => Ok(()),
            other => other,
        }
    }

    async fn write(&self, holder: &Holder, version: Version) -> Result<Version, StoreError> {
        let record = Record::Held { holder: holder.clone(), begun: self.begun.clone() };
        self.store.put(KEY, body(&record), Condition::Matches(version)).await
    }
}

/// Marks the lock of `ours` as free; its holder knows the `version` that it wrote.
///
/// If another run holds it by now, returns [`LockError::Held`].
async fn give_back(
    store: &dyn ControlStore,
    ours: &Holder,
    mut version: Option<Version>,
    begun: &BTreeSet<Address>,
) -> Result<(), LockError> {
    let (begun, in_flight) = (begun.clone(), ours.in_flight.clone());
    let free = body(&Record::Free { epoch: ours.epoch, begun, in_flight });
    let mut last = None;
    for _ in 0..=TRIES {
        let version = match version.take() {
            Some(version) => version,
            None => match holder(store).await? {
                None => return Ok(()),
                Some((held, version)) if is_same(&held, ours) => version,
                Some((held, _)) => return Err(LockError::Held(Box::new(held))),
            },
        };
        // Whatever the answer is, reading shows what is stored.
        match store.put(KEY, free.clone(), Condition::Matches(version)).await {
            Ok(_) => return Ok(()),
            Err(error) => last = Some(error),
        }
    }
    last.map_or(Ok(()), |error| Err(error.into()))
}

/// True if both are the same taking of the lock, renewed or not.
fn is_same(one: &Holder, other: &Holder) -> bool {
    (&one.run, one.epoch) == (&other.run, other.epoch)
}

async fn stored(store: &dyn ControlStore) -> Result<Option<(Record, Version)>, LockError> {
    let Some((record, version)) = parsed(store, KEY, |it| serde_json::from_slice(it)).await? else {
        return Ok(None);
    };
    Ok(Some((record.map_err(LockError::Broken)?, version)))
}

fn body(record: &Record) -> Vec<u8> {
    // Strings, numbers and times always have a JSON form.
    serde_json::to_vec(record).unwrap_or_default()
}
