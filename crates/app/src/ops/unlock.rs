//! Breaks a lock that a dead run left.

use drstack_core::control::StoreError;
use drstack_core::control::lock::{Holder, LockError, break_lock, holder, replace_broken};

use crate::failure::{Failure, Status, store_failure};
use crate::session::Session;

/// The name that breaks the lock, for the journal of the broken run.
const BY: &str = "drstack unlock";

/// The state of a stack's lock.
pub enum Held {
    /// No run holds it.
    Free,
    /// A run holds it.
    By {
        /// The holder.
        holder: Box<Holder>,
        /// True if its lease has not expired.
        is_alive: bool,
    },
    /// It cannot be read.
    Broken(String),
}

/// Reads the lock.
///
/// # Errors
/// Returns the error of the control bucket.
pub async fn look(session: &Session) -> Result<Held, Failure> {
    match holder(&*session.store).await {
        Ok(Some((held, _))) => {
            let is_alive = held.until > session.now();
            Ok(Held::By { holder: Box::new(held), is_alive })
        }
        Ok(None) | Err(LockError::Store(StoreError::NoBucket { .. })) => Ok(Held::Free),
        Err(error @ LockError::Broken(_)) => Ok(Held::Broken(error.to_string())),
        Err(error) => Err(failure(error)),
    }
}

/// Breaks the lock, which was read as `held`.
///
/// # Errors
/// Returns an error if the lock has another holder by now, or that of the control bucket.
pub async fn unlock(session: &Session, held: &Held) -> Result<(), Failure> {
    match held {
        Held::Free => Ok(()),
        Held::By { .. } => break_lock(&*session.store, BY).await.map_err(failure),
        Held::Broken(_) => {
            replace_broken(&*session.store, BY, session.now()).await.map(drop).map_err(failure)
        }
    }
}

fn failure(error: LockError) -> Failure {
    match error {
        LockError::Store(error) => store_failure(&error),
        other => Failure::new(Status::Failed, other, "look at `lock.json` in the control bucket"),
    }
}
