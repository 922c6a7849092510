//! What a failback has to undo: settings of others, which runs changed while the standby region served.
//!
//! Nobody owns such a setting, so no listing shows it. Its name is written down before the first call
//! that changes it, and stands until a failback is complete, also where the run that changed it died.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::control::patient::parsed;
use crate::control::{Condition, ControlStore, StoreError, Version};

const KEY: &str = "undo.json";

/// A setting that a run may have changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Setting {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The address that the stack had it at.
    pub address: Address,
}

/// Reads the settings; empty if there is no bucket, or nothing is to be undone.
///
/// # Errors
/// The store's errors; a record that cannot be parsed is an error, not an absence.
pub async fn settings(store: &dyn ControlStore) -> Result<BTreeSet<Setting>, StoreError> {
    match recorded(store).await? {
        None => Ok(BTreeSet::new()),
        Some((Ok(settings), _)) => Ok(settings),
        Some((Err(message), _)) => Err(StoreError::Broken { key: KEY.to_owned(), message }),
    }
}

/// Adds `settings` to those that are to be undone. A damaged record is replaced.
///
/// # Errors
/// [`StoreError::Refused`] if another run has stored its own meanwhile; the store's errors.
pub async fn add(store: &dyn ControlStore, settings: BTreeSet<Setting>) -> Result<(), StoreError> {
    let (mut all, condition) = match recorded(store).await? {
        None => (BTreeSet::new(), Condition::Absent),
        Some((before, version)) => (before.unwrap_or_default(), Condition::Matches(version)),
    };
    if settings.is_subset(&all) {
        return Ok(());
    }
    all.extend(settings);
    // Names always have a JSON form.
    let body = serde_json::to_vec(&all).unwrap_or_default();
    let Err(error) = store.put(KEY, body.clone(), condition).await else { return Ok(()) };
    match store.get(KEY).await {
        // The answer was lost, the write was not.
        Ok(Some((stored, _))) if stored == body => Ok(()),
        _ => Err(error),
    }
}

/// Deletes the record after a failback that undid them all.
///
/// # Errors
/// The store's errors.
pub async fn clear(store: &dyn ControlStore) -> Result<(), StoreError> {
    match recorded(store).await? {
        None => Ok(()),
        Some(_) => store.delete(KEY).await,
    }
}

/// Reads the record, or why it cannot be parsed; `None` if there is none.
async fn recorded(
    store: &dyn ControlStore,
) -> Result<Option<(Result<BTreeSet<Setting>, String>, Version)>, StoreError> {
    match parsed(store, KEY, |it| serde_json::from_slice(it)).await {
        Ok(found) => Ok(found.map(|(it, version)| (it.map_err(|error| error.to_string()), version))),
        Err(StoreError::NoBucket { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::memory::{Fate, Memory};

    fn role(name: &str) -> BTreeSet<Setting> {
        let address = Address::parse(&format!("fence.writers/deny-{name}")).unwrap();
        [Setting { kind: "writer-fence".to_owned(), name: name.to_owned(), address }].into()
    }

    #[tokio::test]
    async fn settings_add_up_until_they_are_undone() {
        let store = Memory::default();
        assert_eq!(settings(&store).await.unwrap(), [].into(), "no bucket");
        store.ensure().await.unwrap();
        for name in ["a", "b", "a"] {
            add(&store, role(name)).await.unwrap();
        }
        assert_eq!(settings(&store).await.unwrap(), role("a").into_iter().chain(role("b")).collect());
        clear(&store).await.unwrap();
        assert_eq!(settings(&store).await.unwrap(), [].into());
        clear(&store).await.unwrap();
    }

    #[tokio::test]
    async fn a_lost_answer_is_no_failure_and_a_damaged_record_no_absence() {
        let store = Memory::default();
        store.ensure().await.unwrap();
        add(&store, role("a")).await.unwrap();
        store.fate(&[Fate::AnswerLost]);
        add(&store, role("b")).await.unwrap();
        store.fate(&[Fate::Lost]);
        assert!(add(&store, role("c")).await.is_err());
        store.put(KEY, b"{".to_vec(), Condition::Always).await.unwrap();
        assert!(matches!(settings(&store).await, Err(StoreError::Broken { .. })));
        add(&store, role("c")).await.unwrap();
        assert_eq!(settings(&store).await.unwrap(), role("c"));
    }
}
