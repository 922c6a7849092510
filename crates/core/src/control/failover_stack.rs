//! The stack that a failover works from, if the operator chose the files over what was applied.
//!
//! The mode record names it by its digest until the failback: so a later run of the failover, on
//! another machine or without the option, goes on with the same stack. A run that loses against
//! another one leaves a stack that nothing names.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cloud::sha256;
use crate::control::patient::parsed;
use crate::control::{Condition, ControlStore, StoreError};
use crate::stack::ResolvedStack;

/// Returns the key in the control bucket of the stack with this digest.
pub fn key(digest: &str) -> String {
    format!("failover/{digest}.json")
}

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

/// Reads the stack with this digest; `None` if it is gone, or is no longer what was stored.
///
/// # Errors
/// The store's errors.
pub async fn failover_stack(
    store: &dyn ControlStore,
    digest: &str,
) -> Result<Option<FailoverStack>, StoreError> {
    let parse = |body: &[u8]| match sha256(body) == digest {
        true => serde_json::from_slice(body).map_err(drop),
        false => Err(()),
    };
    match parsed(store, &key(digest), parse).await {
        Ok(found) => Ok(found.and_then(|(stack, _)| stack.ok())),
        Err(StoreError::NoBucket { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Stores the stack of a failover that begins or goes on, and returns its digest, which the mode
/// record then has.
///
/// # Errors
/// The store's errors.
pub async fn keep(store: &dyn ControlStore, stack: &FailoverStack) -> Result<String, StoreError> {
    // Strings, times and JSON always have a JSON form.
    let body = serde_json::to_vec(stack).unwrap_or_default();
    let digest = sha256(&body);
    store.put(&key(&digest), body, Condition::Always).await?;
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::memory::Memory;

    #[tokio::test]
    async fn a_stack_is_read_by_its_digest_and_only_as_it_was_stored() {
        let store = Memory::default();
        let stack = |run: &str| FailoverStack {
            at: Timestamp::UNIX_EPOCH,
            run: run.to_owned(),
            stack: serde_json::from_value(serde_json::json!({
                "facts": { "name": "demo", "primary": "us-east-1", "standby": "us-west-2", "control": "c" },
                "posture": "warm", "objective": { "tier": 2 }, "components": {}, "sim": {}, "hash": "abc",
            }))
            .unwrap(),
        };
        let won = keep(&store, &stack("won")).await.unwrap();
        let lost = keep(&store, &stack("lost")).await.unwrap();
        assert_ne!(won, lost, "one does not overwrite the other");
        let read = failover_stack(&store, &won).await.unwrap();
        assert_eq!(read.map(|it| it.run), Some("won".to_owned()));
        let other = store.get(&key(&lost)).await.unwrap().unwrap().0;
        for body in [b"{".to_vec(), other] {
            store.put(&key(&won), body, Condition::Always).await.unwrap();
            assert_eq!(failover_stack(&store, &won).await.unwrap(), None);
        }
        assert_eq!(failover_stack(&store, "0f").await.unwrap(), None);
    }
}
