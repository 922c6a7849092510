//! Other records in the control store, beside lock and journals: facts and call logs.

use crate::calls::{CallNote, lines};
use crate::control::{Condition, ControlStore, StoreError, Version};
use crate::facts::Facts;

const FACTS: &str = "facts.json";

/// Stored facts, with the version that they replace.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The facts.
    pub facts: Facts,
    version: Option<Version>,
}

/// Reads the last captured facts; empty if there is no bucket or nothing was captured yet.
///
/// # Errors
/// The store's errors; facts that cannot be parsed are an error, not an absence.
pub async fn facts(store: &dyn ControlStore) -> Result<Kept, StoreError> {
    match store.get(FACTS).await {
        Ok(Some((body, version))) => {
            let facts = serde_json::from_slice(&body)
                .map_err(|error| StoreError::Broken { key: FACTS.to_owned(), message: error.to_string() })?;
            Ok(Kept { facts, version: Some(version) })
        }
        Ok(None) | Err(StoreError::NoBucket { .. }) => Ok(Kept::default()),
        Err(error) => Err(error),
    }
}

/// Stores `kept` in place of the version that it was read from.
///
/// # Errors
/// [`StoreError::Refused`] if another run has stored its own meanwhile; the store's errors.
pub async fn keep_facts(store: &dyn ControlStore, kept: &Kept) -> Result<(), StoreError> {
    // Strings, times and JSON always have a JSON form.
    let body = serde_json::to_vec(&kept.facts).unwrap_or_default();
    let condition = kept.version.clone().map_or(Condition::Absent, Condition::Matches);
    let Err(error) = store.put(FACTS, body.clone(), condition).await else { return Ok(()) };
    match store.get(FACTS).await {
        // The answer was lost, the write was not.
        Ok(Some((stored, _))) if stored == body => Ok(()),
        _ => Err(error),
    }
}

/// Stores the call log of `run` at `runs/RUN/calls.jsonl`.
///
/// # Errors
/// The store's errors.
pub async fn keep_calls(store: &dyn ControlStore, run: &str, notes: &[CallNote]) -> Result<(), StoreError> {
    store.put(&format!("runs/{run}/calls.jsonl"), lines(notes), Condition::Always).await.map(drop)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::control::memory::{Fate, Memory};
    use crate::facts::Fact;

    fn with(kept: Kept, value: &str) -> Kept {
        let fact = Fact::new(Timestamp::UNIX_EPOCH, value.into());
        let answers = [("key".to_owned(), fact)].into();
        Kept { facts: Facts { answers, ..Facts::default() }, ..kept }
    }

    #[tokio::test]
    async fn facts_are_kept_only_in_place_of_those_that_were_read() {
        let store = Memory::default();
        store.ensure().await.unwrap();
        for value in ["first", "second"] {
            let [early, late] = [facts(&store).await.unwrap(), facts(&store).await.unwrap()];
            keep_facts(&store, &with(early, value)).await.unwrap();
            let refused = keep_facts(&store, &with(late, "stale")).await;
            assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
            assert_eq!(facts(&store).await.unwrap().facts.answers["key"].value, value);
        }
    }

    #[tokio::test]
    async fn facts_whose_answer_was_lost_are_kept() {
        let store = Memory::default();
        store.ensure().await.unwrap();
        store.fate(&[Fate::AnswerLost, Fate::Lost]);
        keep_facts(&store, &with(Kept::default(), "first")).await.unwrap();
        let lost = keep_facts(&store, &with(facts(&store).await.unwrap(), "second")).await;
        assert!(matches!(lost, Err(StoreError::Cloud(_))), "{lost:?}");
    }
}
