//! Takes the stack's lock for an operation, and explains why it cannot be taken.

use std::sync::Arc;
use std::time::Duration;

use drstack_core::component::StackFacts;
use drstack_core::control::StoreError;
use drstack_core::control::lease::{LEASE, later};
use drstack_core::control::lock::{self, Holder, Lock, LockError};
use drstack_core::plan::Intent;

use crate::failure::{Failure, Status, store_failure};
use crate::operator::Busy;
use crate::session::Session;
use crate::steps::stop::unless_stopped;

/// How often a failover checks if another holder is alive: several times per renewal period of a
/// holder.
const SIGN_OF_LIFE: Duration = Duration::from_secs(4);

impl Session {
    /// Takes the stack's lock for a failover or a failback.
    ///
    /// It takes the lock from a run of any other kind. If the holder is itself a failover or a
    /// failback, it waits until that run is known to be alive or dead.
    pub(crate) async fn lock_over(&self, intent: Intent) -> Result<Lock, Failure> {
        // A failover does not create the bucket or fix its settings: without the bucket there is
        // nothing to fail over with.
        if !intent.fails_over() {
            self.store.ensure().await.map_err(|error| store_failure(&error))?;
        }
        let mut taken = self.take_lock(intent, None).await;
        if let Err(LockError::Held(holder)) = taken {
            self.until_alive_or_dead(&holder).await?;
            taken = self.take_lock(intent, Some(&holder)).await;
        }
        let (lock, from) = taken.map_err(|error| self.lock_failure(&error))?;
        let lock = self.unless_stopped_meanwhile(lock).await?;
        if let Some(Holder { owner, host, purpose, .. }) = from {
            self.warn(&format!(
                "took the lock from `drstack {purpose}` of {owner} on {host}: it starts nothing more, and what it has running is stopped"
            ));
        }
        Ok(lock)
    }

    async fn take_lock(
        &self,
        intent: Intent,
        dead: Option<&Holder>,
    ) -> Result<(Lock, Option<Holder>), LockError> {
        let _busy = self.taking();
        Lock::take_from_others(Arc::clone(&self.store), self.holder(intent), self.now(), dead).await
    }

    /// Waits until `first` is known to be alive or dead: it renews the lock, or its lease expires.
    async fn until_alive_or_dead(&self, first: &Holder) -> Result<(), Failure> {
        let Holder { owner, host, purpose, .. } = first;
        self.note(&format!(
            "`drstack {purpose}` of {owner} on {host} has the lock: waiting for a sign of life"
        ));
        // By this clock: the lease may have been written by one that is ahead.
        let dead_at = later(self.now(), LEASE);
        while first.until.min(dead_at) > self.now() {
            let held = lock::holder(&*self.store).await.map_err(|error| self.lock_failure(&error))?;
            if !held.is_some_and(|(holder, _)| holder == *first) {
                break;
            }
            let rest = async {
                self.app.host.rest(SIGN_OF_LIFE).await;
                Ok(())
            };
            unless_stopped(&*self.app.host, 1, rest).await?;
        }
        Ok(())
    }

    /// Takes the stack's lock for a run, and creates the control bucket if it does not exist.
    pub(crate) async fn lock(&self, intent: Intent) -> Result<Lock, Failure> {
        let _busy = self.taking();
        self.store.ensure().await.map_err(|error| store_failure(&error))?;
        let taken = Lock::take(Arc::clone(&self.store), self.holder(intent), self.now()).await;
        self.unless_stopped_meanwhile(taken.map_err(|error| self.lock_failure(&error))?).await
    }

    /// Releases `lock` again if the user has asked the program to stop while it was taken.
    async fn unless_stopped_meanwhile(&self, lock: Lock) -> Result<Lock, Failure> {
        match self.expect_no_stop() {
            Ok(()) => Ok(lock),
            Err(failure) => {
                release(lock).await?;
                Err(failure)
            }
        }
    }

    fn taking(&self) -> Busy {
        self.busy(format!("Taking the lock in `{}`", self.stack.facts.control))
    }

    /// Returns a new run as the future lock holder.
    fn holder(&self, intent: Intent) -> Holder {
        let (now, purpose) = (self.now(), self.purpose(intent));
        let run = self.app.host.run(now);
        tracing::debug!(run, purpose, "taking the lock");
        Holder {
            owner: self.app.host.user(),
            host: self.app.host.name(),
            purpose: purpose.to_owned(),
            run,
            since: now,
            until: now,
            epoch: 1,
            in_flight: Default::default(),
        }
    }

    /// The command that removes the lock, with the files of the stack and without.
    fn unlock(&self) -> String {
        let StackFacts { name, control, standby, .. } = &self.stack.facts;
        format!(
            "`drstack unlock STACK` (without its files `drstack unlock --bundle s3://{control}/{name} --region {standby}`)"
        )
    }

    pub(crate) fn lock_failure(&self, error: &LockError) -> Failure {
        match error {
            LockError::Held(holder) => {
                let left = holder.until.duration_since(self.cloud.now());
                let left = crate::text::duration(left.unsigned_abs());
                let hint = format!(
                    "wait: the lock expires in {left} if that run is dead; {} removes it now",
                    self.unlock()
                );
                Failure::new(Status::Locked, error, hint)
            }
            LockError::Lost | LockError::Lapsed => {
                Failure::new(Status::Locked, error, "run `drstack plan STACK` to see where things stand")
            }
            LockError::Broken(_) => {
                let hint = format!("run {}: it puts a new one in its place", self.unlock());
                Failure::new(Status::Locked, error, hint)
            }
            // Another run took the lock and released it in between.
            LockError::Store(refused @ StoreError::Refused { .. }) => {
                Failure::new(Status::Locked, refused, "run it again to see what is to be done now")
            }
            LockError::Store(error) => store_failure(error),
        }
    }
}

/// Releases a lock under which nothing was begun.
pub(crate) async fn release(lock: Lock) -> Result<(), Failure> {
    let begun = lock.begun().clone();
    lock.release(&begun)
        .await
        .map_err(|error| Failure::new(Status::Failed, error, "`drstack unlock STACK` frees the stack"))
}
