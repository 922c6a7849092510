//! The stack that a failover works from, if the operator chose the files over what was applied.
//!
//! It lies beside the mode record, which names its hash until the failback: so a later run of the
//! failover, on another machine or without the option, goes on with the same stack.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::control::patient::parsed;
use crate::control::{Condition, ControlStore, StoreError};
use crate::stack::ResolvedStack;

/// Its key in the control bucket.
pub const KEY: &str = "failover.json";

/// The stack of a failover, and the run that brought it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailoverStack {
    /// When the run began.
    pub at: Timestamp,
    /// Id of the run.
    pub run: String,
    /// The stack.
    pub stack: ResolvedStack,
}

/// Reads the stack of the last failover that worked from files; `None` if none ever did.
///
/// # Errors
/// The store's errors; a stack that cannot be parsed is an error, not an absence.
pub async fn failover_stack(store: &dyn ControlStore) -> Result<Option<FailoverStack>, StoreError> {
    match parsed(store, KEY, |it| serde_json::from_slice(it)).await {
        Ok(Some((Ok(stack), _))) => Ok(Some(stack)),
        Ok(Some((Err(error), _))) => {
            Err(StoreError::Broken { key: KEY.to_owned(), message: error.to_string() })
        }
        Ok(None) | Err(StoreError::NoBucket { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Stores the stack of a failover that begins or goes on; the mode record then names its hash.
///
/// # Errors
/// The store's errors.
pub async fn keep(store: &dyn ControlStore, stack: &FailoverStack) -> Result<(), StoreError> {
    // Strings, times and JSON always have a JSON form.
    let body = serde_json::to_vec(stack).unwrap_or_default();
    store.put(KEY, body, Condition::Always).await.map(drop)
}
