//! Records: what the control store keeps beside lock and journals.

use crate::control::{Condition, ControlStore, StoreError};
use crate::facts::Facts;

const FACTS: &str = "facts.json";

/// The last captured facts; none where there is no bucket or nothing was captured yet.
///
/// # Errors
/// What the store says; facts that cannot be read are an error, not an absence.
pub async fn facts(store: &dyn ControlStore) -> Result<Facts, StoreError> {
    match store.get(FACTS).await {
        Ok(Some((body, _))) => serde_json::from_slice(&body)
            .map_err(|error| StoreError::Broken { key: FACTS.to_owned(), message: error.to_string() }),
        Ok(None) | Err(StoreError::NoBucket { .. }) => Ok(Facts::default()),
        Err(error) => Err(error),
    }
}

/// Keeps `facts`, in place of the last ones.
///
/// # Errors
/// What the store says.
pub async fn keep_facts(store: &dyn ControlStore, facts: &Facts) -> Result<(), StoreError> {
    // Strings, times and JSON: always has a JSON form.
    let body = serde_json::to_vec(facts).unwrap_or_default();
    store.put(FACTS, body, Condition::Always).await.map(|_| ())
}
