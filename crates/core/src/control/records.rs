//! Other records in the control store, beside lock and journals: facts and call logs.

use serde::{Deserialize, Serialize};

use crate::calls::{CallNote, lines};
use crate::component::StackFacts;
use crate::control::patient::parsed;
use crate::control::{Condition, ControlStore, StoreError, Version};
use crate::facts::Facts;

const FACTS: &str = "facts.json";

/// Stored facts, with the version that they replace.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The facts.
    pub facts: Facts,
    /// The stack that was applied last, with its regions; `None` before the first apply.
    pub of: Option<StackFacts>,
    /// True if what is stored cannot be used, and has to be stored anew.
    pub is_damaged: bool,
    version: Option<Version>,
}

/// The facts as they are stored.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    /// With the stack that they are of.
    Of { of: StackFacts, facts: Facts },
    /// As drstack stored them before it named the stack.
    Bare(Facts),
}

/// Reads the last captured facts; empty if there is no bucket or nothing was captured yet.
///
/// # Errors
/// The store's errors; facts that cannot be parsed are an error, not an absence.
pub async fn facts(store: &dyn ControlStore) -> Result<Kept, StoreError> {
    match parsed(store, FACTS, |it| serde_json::from_slice(it)).await {
        Ok(Some((stored, version))) => {
            let stored = stored
                .map_err(|error| StoreError::Broken { key: FACTS.to_owned(), message: error.to_string() })?;
            let (of, facts) = match stored {
                Stored::Of { of, facts } => (Some(of), facts),
                Stored::Bare(facts) => (None, facts),
            };
            Ok(Kept { facts, of, is_damaged: false, version: Some(version) })
        }
        Ok(None) | Err(StoreError::NoBucket { .. }) => Ok(Kept::default()),
        Err(error) => Err(error),
    }
}

/// Returns `facts` of the stack `of`, to be stored in place of what is there and cannot be used.
///
/// # Errors
/// The store's errors.
pub async fn in_place_of_damaged(
    store: &dyn ControlStore,
    facts: Facts,
    of: StackFacts,
) -> Result<Kept, StoreError> {
    let version = store.get(FACTS).await?.map(|(_, version)| version);
    Ok(Kept { facts, of: Some(of), is_damaged: true, version })
}

/// Stores `kept`, for the stack `of`, in place of the version that it was read from.
///
/// # Errors
/// [`StoreError::Refused`] if another run has stored its own meanwhile; the store's errors.
pub async fn keep_facts(store: &dyn ControlStore, kept: &Kept, of: &StackFacts) -> Result<(), StoreError> {
    let stored = Stored::Of { of: of.clone(), facts: kept.facts.clone() };
    // Strings, times and JSON always have a JSON form.
    let body = serde_json::to_vec(&stored).unwrap_or_default();
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

    fn of() -> StackFacts {
        let [name, primary, standby, control] =
            ["demo", "us-east-1", "us-west-2", "demo-control"].map(str::to_owned);
        StackFacts { name, primary, standby, control, permissions_boundary: None }
    }

    #[tokio::test]
    async fn facts_name_their_stack_and_older_ones_are_read_without() {
        let store = Memory::default();
        store.ensure().await.unwrap();
        let older = br#"{"primary/bucket/a":{"captured_at":"1970-01-01T00:00:00Z","value":"first"}}"#;
        store.put(FACTS, older.to_vec(), Condition::Always).await.unwrap();
        let kept = facts(&store).await.unwrap();
        assert_eq!(
            (kept.of.as_ref(), &kept.facts.answers["primary/bucket/a"].value),
            (None, &"first".into())
        );
        keep_facts(&store, &kept, &of()).await.unwrap();
        let again = facts(&store).await.unwrap();
        assert_eq!((again.of, again.facts), (Some(of()), kept.facts));
        store.put(FACTS, b"[]".to_vec(), Condition::Always).await.unwrap();
        assert!(matches!(facts(&store).await, Err(StoreError::Broken { .. })));
    }

    #[tokio::test]
    async fn facts_are_kept_only_in_place_of_those_that_were_read() {
        let store = Memory::default();
        store.ensure().await.unwrap();
        for value in ["first", "second"] {
            let [early, late] = [facts(&store).await.unwrap(), facts(&store).await.unwrap()];
            keep_facts(&store, &with(early, value), &of()).await.unwrap();
            let refused = keep_facts(&store, &with(late, "stale"), &of()).await;
            assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
            assert_eq!(facts(&store).await.unwrap().facts.answers["key"].value, value);
        }
    }

    #[tokio::test]
    async fn facts_whose_answer_was_lost_are_kept() {
        let store = Memory::default();
        store.ensure().await.unwrap();
        store.fate(&[Fate::AnswerLost, Fate::Lost]);
        keep_facts(&store, &with(Kept::default(), "first"), &of()).await.unwrap();
        let lost = keep_facts(&store, &with(facts(&store).await.unwrap(), "second"), &of()).await;
        assert!(matches!(lost, Err(StoreError::Cloud(_))), "{lost:?}");
    }
}
