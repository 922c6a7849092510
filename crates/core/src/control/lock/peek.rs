//! A look at the lock that does not take it.

use std::collections::BTreeSet;

use super::{LockError, Record, stored};
use crate::address::Address;
use crate::control::{ControlStore, StoreError, journal};

/// What a run that does not take the lock can learn from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Peek {
    /// Epoch of the last holder while the lock is free, 0 if it was never held; `None` while it is
    /// held.
    ///
    /// A run that takes the lock at the very next epoch knows that no run came between, so what it
    /// observed before is still valid.
    pub free_since: Option<u64>,
    /// Creations that are not known to be done: the objects may exist without the stack's tags.
    pub begun: BTreeSet<Address>,
}

/// Reads the lock without taking it, and the journal of a run that still holds it or died with it.
///
/// If the lock is lost or cannot be parsed, the journals of the last runs tell what was begun.
///
/// # Errors
/// The store's errors.
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

/// Reads from the journals what was begun, when no lock says it. A deleted bucket has none.
async fn retraced(store: &dyn ControlStore) -> Result<BTreeSet<Address>, StoreError> {
    match journal::runs(store).await {
        Ok(runs) => Ok(journal::retraced(store, &runs).await?.begun),
        Err(StoreError::NoBucket { .. }) => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}
