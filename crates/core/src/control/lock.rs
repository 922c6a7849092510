//! The lock: one object, taken, kept and given back by conditional writes, with a lease that can run out.
//!
//! The object is never removed: one that is given back says so and keeps its epoch. An unconditional removal could hit
//! the lock of whoever took it meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::in_flight::InFlight;
use super::{Condition, ControlStore, StoreError, Version};
use crate::address::Address;
use crate::control::lease::{LEASE, Lease, MARGIN, later};
use crate::engine::journal::{self, Left};

#[cfg(test)]
mod tests;

/// Key of the lock.
const KEY: &str = "lock.json";

/// How often the holder gives a sign of life.
pub const RENEW: SignedDuration = SignedDuration::from_secs(20);

/// How often taking a lock away is tried against a holder that renews it meanwhile; one renewal comes in [`RENEW`].
const TRIES: usize = 3;

/// How soon a sign of life is given again that the store did not take.
const AGAIN: Duration = Duration::from_secs(2);

/// The purpose of a failover's run.
pub const FAILOVER: &str = "failover";

/// That of a failback.
pub const FAILBACK: &str = "failback";

/// Who holds the lock, and what for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The user.
    pub owner: String,
    /// The machine.
    pub host: String,
    /// `apply`, `destroy`, [`FAILOVER`], [`FAILBACK`].
    pub purpose: String,
    /// The run it is for.
    pub run: String,
    /// When it was taken.
    pub since: Timestamp,
    /// Until when it is held without a sign of life.
    pub until: Timestamp,
    /// Rises with each holder: a later one has a higher number.
    pub epoch: u64,
    /// Calls of runs before it that may still land.
    #[serde(default, skip_serializing_if = "InFlight::is_empty")]
    pub in_flight: InFlight,
}

impl Holder {
    /// Whether its run decides which region serves.
    pub fn changes_mode(&self) -> bool {
        matches!(self.purpose.as_str(), FAILOVER | FAILBACK)
    }
}

/// Why the lock was not taken or kept.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else holds it.
    #[error("{} on {} holds the lock for `{}` since {:.0}", .0.owner, .0.host, .0.purpose, .0.since)]
    Held(Box<Holder>),
    /// It was ours, and somebody took it over.
    #[error("another run took the lock")]
    Lost,
    /// It could not be renewed as long as the lease lasted.
    #[error("the lock was not renewed in time: the control bucket did not answer")]
    Lapsed,
    /// What is stored is not a lock: another version's, or damaged.
    #[error("`{KEY}` in the control bucket cannot be read: {0}")]
    Broken(serde_json::Error),
    /// The control store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
enum Record {
    /// Somebody holds it, or did until the lease ran out.
    Held {
        /// Who.
        #[serde(flatten)]
        holder: Holder,
        /// What runs before the holder's began to make, and may have made: its journal says so too, but only once it is begun.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        begun: BTreeSet<Address>,
    },
    /// It was given back or broken.
    Free {
        /// That of the last holder.
        epoch: u64,
        /// What runs began to make, and may have made.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        begun: BTreeSet<Address>,
        /// Calls of runs that may still land.
        #[serde(default, skip_serializing_if = "InFlight::is_empty")]
        in_flight: InFlight,
    },
}

/// The lock, held.
pub struct Lock {
    store: Arc<dyn ControlStore>,
    holder: Holder,
    version: Version,
    until: watch::Sender<Timestamp>,
    begun: BTreeSet<Address>,
}

/// The holder, if there is one.
///
/// # Errors
/// [`LockError::Broken`] and what the store says.
pub async fn holder(store: &dyn ControlStore) -> Result<Option<(Holder, Version)>, LockError> {
    Ok(match stored(store).await? {
        Some((Record::Held { holder, .. }, version)) => Some((holder, version)),
        Some((Record::Free { .. }, _)) | None => None,
    })
}

/// What the lock tells somebody who only looks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Peek {
    /// The epoch of the last holder while nobody holds the lock, 0 where nobody ever did; `None` while somebody does.
    /// Whoever takes the lock at the very next epoch knows that no run came between: what it saw before still stands.
    pub free_since: Option<u64>,
    /// What runs began to make and are not known to have done: it may be there without the stack's tags.
    pub begun: BTreeSet<Address>,
}

/// Looks at the lock, and at the journal of a run that still holds it or died with it. A lock that is lost or cannot be read is no
/// reason to know nothing: the journals of the last runs say what was begun.
///
/// # Errors
/// What the store says.
pub async fn peek(store: &dyn ControlStore) -> Result<Peek, LockError> {
    Ok(match stored(store).await {
        Ok(Some((Record::Free { epoch, begun, .. }, _))) => Peek { free_since: Some(epoch), begun },
        Ok(Some((Record::Held { holder, begun }, _))) => {
            Peek { free_since: None, begun: journal::left(store, &holder.run, begun).await?.begun }
        }
        Ok(None) | Err(LockError::Store(StoreError::NoBucket { .. })) => {
            Peek { free_since: Some(0), begun: retraced(store).await? }
        }
        Err(LockError::Broken(_)) => Peek { free_since: None, begun: retraced(store).await? },
        Err(error) => return Err(error),
    })
}

/// Takes the lock from whoever holds it, after sealing the holder's journal so that it starts nothing more.
///
/// # Errors
/// [`LockError::Held`] when it changed hands meanwhile, and what the store says.
pub async fn break_lock(store: &dyn ControlStore, by: &str) -> Result<(), LockError> {
    let Some((Record::Held { holder, begun }, _)) = stored(store).await? else { return Ok(()) };
    journal::seal(store, &holder.run, by).await?;
    let Left { begun, unsettled } = journal::left(store, &holder.run, begun).await?;
    let broken = Holder { in_flight: holder.in_flight.clone().and(unsettled, holder.until), ..holder };
    give_back(store, &broken, None, &begun).await
}

/// Frees a lock that cannot be read, after sealing the journal of the last run, which may have been its holder. True
/// where there was one.
///
/// # Errors
/// What the store says.
pub async fn replace_broken(store: &dyn ControlStore, by: &str, now: Timestamp) -> Result<bool, LockError> {
    let Some((found, version)) = store.get(KEY).await? else { return Ok(false) };
    if serde_json::from_slice::<Record>(&found).is_ok() {
        return Ok(false);
    }
    let runs = journal::runs(store).await?;
    if let Some(last) = runs.last() {
        journal::seal(store, last, by).await?;
    }
    let Left { begun, unsettled } = journal::retraced(store, &runs).await?;
    // Nobody knows until when its lease lasts either.
    let in_flight = InFlight::default().and(unsettled, later(now, LEASE));
    // Nobody knows the last epoch; seconds since 1970 are more than any stack has had holders.
    let epoch = u64::try_from(now.as_second()).unwrap_or(0);
    store.put(KEY, body(&Record::Free { epoch, begun, in_flight }), Condition::Matches(version)).await?;
    Ok(true)
}

/// What was begun, where no lock says it: as the journals have it. A bucket that is gone by now has none.
async fn retraced(store: &dyn ControlStore) -> Result<BTreeSet<Address>, StoreError> {
    match journal::runs(store).await {
        Ok(runs) => Ok(journal::retraced(store, &runs).await?.begun),
        Err(StoreError::NoBucket { .. }) => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

impl Lock {
    /// Takes the lock; one whose lease ran out is taken, after sealing its holder's journal.
    ///
    /// # Errors
    /// [`LockError::Held`] when somebody else holds it or was faster.
    pub async fn take(
        store: Arc<dyn ControlStore>,
        wanted: Holder,
        now: Timestamp,
    ) -> Result<Self, LockError> {
        let (lock, _) = Self::take_from(store, wanted, now, &|_| false).await?;
        Ok(lock)
    }

    /// Takes the lock for a change of mode: from a run of any other kind it is taken away, since that run works for a world
    /// that is no more. Says whom it was taken away from.
    ///
    /// # Errors
    /// [`LockError::Held`] when another change of mode holds it.
    pub async fn take_from_others(
        store: Arc<dyn ControlStore>,
        wanted: Holder,
        now: Timestamp,
    ) -> Result<(Self, Option<Holder>), LockError> {
        let yields = |held: &Holder| !held.changes_mode();
        for _ in 0..TRIES {
            match Self::take_from(Arc::clone(&store), wanted.clone(), now, &yields).await {
                // It gave a sign of life meanwhile: it is sealed, and gives no more than one in [`RENEW`].
                Err(LockError::Held(held)) if yields(&held) => {}
                // It gave the lock back meanwhile, or another one did.
                Err(LockError::Store(StoreError::Refused { .. })) => {}
                other => return other,
            }
        }
        Self::take_from(store, wanted, now, &yields).await
    }

    /// Takes the lock if nobody holds it, from whose lease ran out, and from whoever `yields`.
    async fn take_from(
        store: Arc<dyn ControlStore>,
        wanted: Holder,
        now: Timestamp,
        yields: &(dyn Fn(&Holder) -> bool + Sync),
    ) -> Result<(Self, Option<Holder>), LockError> {
        let (mut from, mut unlocked) = (None, BTreeSet::new());
        let (epoch, condition, begun, in_flight) = match stored(&*store).await? {
            // Nobody ever held it, or somebody removed it.
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
            // Sealed first: were the lock taken first and its taker died in between, nobody would seal this journal.
            Some((Record::Held { holder: held, begun }, version)) => {
                journal::seal(&*store, &held.run, &wanted.run).await?;
                let Left { begun, unsettled } = journal::left(&*store, &held.run, begun).await?;
                let in_flight = held.in_flight.clone().and(unsettled, held.until);
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

    /// Seals the `last` run of a lock that was removed, and keeps what it has begun meanwhile and may still change. Only once the lock is ours: before, it may
    /// have been the run of whoever was faster.
    async fn seal_unlocked(&mut self, last: &str, now: Timestamp) -> Result<(), LockError> {
        journal::seal(&*self.store, last, &self.holder.run).await?;
        let Left { begun, unsettled } = journal::left(&*self.store, last, BTreeSet::new()).await?;
        self.begun.extend(begun);
        // Nobody knows until when the lease of the lock that was removed lasts.
        self.holder.in_flight = self.holder.in_flight.clone().and(unsettled, later(now, LEASE));
        self.version = self.write(&self.holder, self.version.clone()).await?;
        Ok(())
    }

    /// What runs before this one began to make, and may have made.
    pub fn begun(&self) -> &BTreeSet<Address> {
        &self.begun
    }

    /// Calls of runs before this one that may still land.
    pub fn in_flight(&self) -> &InFlight {
        &self.holder.in_flight
    }

    /// What is known of calls in flight by now: the next sign of life, or the giving back, says it to whoever comes next.
    pub fn set_in_flight(&mut self, in_flight: InFlight) {
        self.holder.in_flight = in_flight;
    }

    /// Who holds it: this run.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// When the next sign of life is due.
    pub fn due(&self) -> Timestamp {
        self.holder.until.checked_sub(LEASE - RENEW).unwrap_or(Timestamp::MIN)
    }

    /// How long it may be relied on, for whoever starts calls under it.
    pub fn lease(&self) -> Lease {
        Lease(self.until.subscribe())
    }

    /// Gives a sign of life.
    ///
    /// # Errors
    /// [`LockError::Lost`] when somebody took it over; what the store says, after which it may be tried again.
    pub async fn renew(&mut self, now: Timestamp) -> Result<(), LockError> {
        let renewed = Holder { until: later(now, LEASE), ..self.holder.clone() };
        self.version = match self.write(&renewed, self.version.clone()).await {
            Ok(version) => version,
            Err(error) => match holder(&*self.store).await? {
                // The answer was lost, the write was not.
                Some((held, version)) if held == renewed => version,
                // That of an earlier sign of life was.
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

    /// Gives signs of life until the lock is lost, or its lease is over by the clock with none taken; says which. From then on the lease
    /// does not hold. `rest` pauses on the machine's own clock.
    pub async fn keep(&mut self, now: impl Fn() -> Timestamp, rest: impl AsyncFn(Duration)) -> LockError {
        let mut pause = RENEW.unsigned_abs();
        let mut refused = None;
        loop {
            rest(pause).await;
            // An answer that never comes must not outlast the lease, and a machine that slept through it has none.
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

    /// How long it may be relied on.
    fn left(&self, now: Timestamp) -> Duration {
        let until = self.holder.until.checked_sub(MARGIN).unwrap_or(Timestamp::MIN);
        Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO)
    }

    fn ended(&self, why: LockError) -> LockError {
        self.until.send_replace(Timestamp::MIN);
        why
    }

    /// Gives a sign of life where one is due, and demands that the lock is still ours by the clock: the machine may have slept.
    ///
    /// # Errors
    /// As [`Lock::renew`], and [`LockError::Lost`] where the lease is over.
    pub async fn confirm(&mut self, now: impl Fn() -> Timestamp) -> Result<(), LockError> {
        if self.due() <= now() {
            self.renew(now()).await?;
        }
        self.expect_lease(now())
    }

    /// Gives a sign of life, and demands that the lock is still ours by the clock: the answer may have taken longer than the lease lasts.
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

    /// Gives the lock back, if it is still ours, and says what has been begun and is not known to be done.
    ///
    /// # Errors
    /// What the store says.
    pub async fn release(self, begun: &BTreeSet<Address>) -> Result<(), LockError> {
        self.until.send_replace(Timestamp::MIN);
        match give_back(&*self.store, &self.holder, Some(self.version), begun).await {
            // It is somebody else's by now.
            Err(LockError::Held(_)) => Ok(()),
            other => other,
        }
    }

    async fn write(&self, holder: &Holder, version: Version) -> Result<Version, StoreError> {
        let record = Record::Held { holder: holder.clone(), begun: self.begun.clone() };
        self.store.put(KEY, body(&record), Condition::Matches(version)).await
    }
}

/// Marks the lock of `ours` as free; its holder knows the `version` that it has written. That somebody else holds it by now is
/// [`LockError::Held`].
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
        // Whatever the answer is, what is stored tells.
        match store.put(KEY, free.clone(), Condition::Matches(version)).await {
            Ok(_) => return Ok(()),
            Err(error) => last = Some(error),
        }
    }
    last.map_or(Ok(()), |error| Err(error.into()))
}

/// Whether both are the same taking of the lock, renewed or not.
fn is_same(one: &Holder, other: &Holder) -> bool {
    (&one.run, one.epoch) == (&other.run, other.epoch)
}

async fn stored(store: &dyn ControlStore) -> Result<Option<(Record, Version)>, LockError> {
    let Some((body, version)) = store.get(KEY).await? else { return Ok(None) };
    Ok(Some((serde_json::from_slice(&body).map_err(LockError::Broken)?, version)))
}

fn body(record: &Record) -> Vec<u8> {
    // Strings, numbers and times: always has a JSON form.
    serde_json::to_vec(record).unwrap_or_default()
}
