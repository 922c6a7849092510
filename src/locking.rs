//! The stack's lock at the edge: who takes it from whom, and what to say where it is not to be had.

use std::sync::Arc;
use std::time::Duration;

use drstack_core::control::StoreError;
use drstack_core::control::lock::{self, Holder, Lock, LockError};

use crate::exit::{Exit, Failure};
use crate::session::{FAILBACK, FAILOVER, Session, store_failure};

/// How often a takeover looks whether another one still lives: some times while a holder gives one sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(4);

impl Session {
    /// Takes the stack's lock for a takeover or a handing back: from a run of any other kind it is taken away, since that
    /// run works for a world that is no more. Its journal is sealed, so that it starts nothing further.
    pub(crate) async fn lock_over(&self, purpose: &str) -> Result<Lock, Failure> {
        let held = lock::holder(&*self.store).await.map_err(|error| self.lock_failure(&error))?;
        let Some((holder, _)) = held else { return self.lock(purpose).await };
        if !matches!(holder.purpose.as_str(), FAILOVER | FAILBACK) {
            let Holder { owner, host, purpose: theirs, .. } = &holder;
            self.ui.warn(&format!(
                "taking the lock from `drstack {theirs}` of {owner} on {host}: it starts nothing more"
            ));
            let by = format!("drstack {purpose}");
            lock::break_lock(&*self.store, &by).await.map_err(|error| self.lock_failure(&error))?;
        }
        self.until_alive_or_dead().await?;
        self.lock(purpose).await
    }

    /// Waits while another takeover holds the lock and it is not known whether it lives: it gives a sign of life, or its lease ends.
    async fn until_alive_or_dead(&self) -> Result<(), Failure> {
        let holder = async || match lock::holder(&*self.store).await {
            Ok(held) => Ok(held.map(|(holder, _)| holder).filter(|it| it.until > self.cloud.now())),
            Err(error) => Err(self.lock_failure(&error)),
        };
        let Some(first) = holder().await? else { return Ok(()) };
        let Holder { owner, host, purpose, .. } = &first;
        self.ui.note(&format!(
            "`drstack {purpose}` of {owner} on {host} has the lock: waiting for a sign of life"
        ));
        // Bounded: a lease that nobody renews ends.
        while holder().await? == Some(first.clone()) {
            tokio::time::sleep(SIGN_OF_LIFE).await;
        }
        Ok(())
    }

    /// Takes the stack's lock for a run, making the control bucket where it is missing.
    pub(crate) async fn lock(&self, purpose: &str) -> Result<Lock, Failure> {
        let _busy = self.ui.busy(format!("Taking the lock in `{}`", self.stack.facts.control));
        // Making it, or mending its settings, is nothing for a takeover: without it there is nothing to take over with.
        if purpose != FAILOVER {
            self.store.ensure().await.map_err(|error| store_failure(&error))?;
        }
        let now = self.cloud.now();
        let holder = Holder {
            owner: whoami::username().unwrap_or_else(|_| "unknown".to_owned()),
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            purpose: purpose.to_owned(),
            run: format!("{}-{:08x}", now.strftime("%Y%m%dT%H%M%SZ"), fastrand::u32(..)),
            since: now,
            until: now,
            epoch: 1,
        };
        tracing::debug!(run = holder.run, purpose, "taking the lock");
        Lock::take(Arc::clone(&self.store), holder, now).await.map_err(|error| self.lock_failure(&error))
    }

    pub(crate) fn lock_failure(&self, error: &LockError) -> Failure {
        match error {
            LockError::Held(holder) => {
                let left = holder.until.duration_since(self.cloud.now());
                let left = crate::views::duration(left.unsigned_abs());
                let hint = format!(
                    "wait: without a sign of life the lock is free in {left}; `drstack unlock` breaks it"
                );
                Failure::new(Exit::Locked, error, hint)
            }
            LockError::Lost => {
                Failure::new(Exit::Locked, error, "run `drstack plan` to see where things stand")
            }
            LockError::Broken(_) => {
                Failure::new(Exit::Locked, error, "run `drstack unlock`: it puts a new one in its place")
            }
            // Somebody took it and gave it back in between.
            LockError::Store(refused @ StoreError::Refused { .. }) => {
                Failure::new(Exit::Locked, refused, "run it again to see what is to be done now")
            }
            LockError::Store(error) => store_failure(error),
        }
    }
}
