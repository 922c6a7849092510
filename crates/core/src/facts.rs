//! Facts: captured state of the live primary, kept so that it outlives the primary.

mod levels;
mod moved;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cloud::CloudError;
use crate::kind::Place;

pub use levels::{DAYS, Level, remember};
pub use moved::{Moved, MovedField, moved};

/// One query to a live region: `{kind: "group", name: "fleet-inference", place: Primary}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FactQuery {
    /// Kind of fact: `group`, `table`, `bucket`, `zones`, ... each known to one reader in the kinds
    /// crate.
    pub kind: String,
    /// Name of the object; empty if the region has only one.
    pub name: String,
    /// The region to query.
    pub place: Place,
}

impl FactQuery {
    /// Queries the primary about `name`.
    pub fn primary(kind: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), name: name.to_owned(), place: Place::Primary }
    }

    /// Queries the standby region about `name`.
    pub fn standby(kind: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), name: name.to_owned(), place: Place::Standby }
    }

    /// Queries which account the credentials belong to: every bucket of the stack must be that
    /// account's.
    pub fn account() -> Self {
        Self::standby("account", "")
    }

    /// Returns the key under which the answer is stored.
    pub fn key(&self) -> String {
        let place = match self.place {
            Place::Primary => "primary",
            Place::Standby => "standby",
            Place::Global => "global",
        };
        format!("{place}/{}/{}", self.kind, self.name)
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// Time of the query.
    pub captured_at: Timestamp,
    /// The answer; `null` if the object did not exist.
    pub value: Value,
    /// Earlier values of a number in it whose peak counts; see [`levels`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<Level>,
}

impl Fact {
    /// Creates an answer of this moment.
    pub fn new(captured_at: Timestamp, value: Value) -> Self {
        Self { captured_at, value, levels: Vec::new() }
    }
}

/// All answers by [`FactQuery::key`], and which queries failed in this run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Facts {
    /// The answers, fresh or from an earlier run.
    pub answers: BTreeMap<String, Fact>,
    /// Why this run got no answer; never stored, since the next run queries again.
    #[serde(skip)]
    pub failed: BTreeMap<String, CloudError>,
}

/// Knowledge about one query.
#[derive(Clone, Debug, PartialEq)]
pub enum Known<T> {
    /// The answer.
    Yes(T),
    /// The query was answered: the object does not exist.
    Absent,
    /// There is no answer. It never means a default, and nothing is written because of it.
    Unknown(NoAnswer),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// No run has queried it before.
    #[error("no run has asked for it yet")]
    NeverAsked,
    /// This run queried it, and the call failed.
    #[error("{0}")]
    Failed(CloudError),
    /// Another version of drstack stored it in another shape.
    #[error("another version of drstack kept the answer")]
    OtherVersion,
}

impl NoAnswer {
    /// True if the region refused the question: this answer stays the same until the stack or the
    /// object changes.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Failed(CloudError::Invalid { .. }))
    }

    /// Returns what to do next, as an imperative sentence.
    pub fn hint(&self) -> String {
        match self {
            Self::Failed(error) => error.hint(),
            Self::NeverAsked | Self::OtherVersion => {
                "run `drstack apply STACK` while AWS answers: it keeps the answers".to_owned()
            }
        }
    }
}

impl Facts {
    /// Returns the answer to `query` in the reader's own shape: this run's, otherwise the last
    /// stored one.
    pub fn get<T: for<'de> Deserialize<'de>>(&self, query: &FactQuery) -> Known<T> {
        let key = query.key();
        let failed = self.failed.get(&key);
        // A refusal is an answer too, and a stored one must not hide it.
        if let Some(error @ CloudError::Invalid { .. }) = failed {
            return Known::Unknown(NoAnswer::Failed(error.clone()));
        }
        match self.answers.get(&key) {
            None => Known::Unknown(failed.cloned().map_or(NoAnswer::NeverAsked, NoAnswer::Failed)),
            Some(fact) if fact.value.is_null() => Known::Absent,
            Some(fact) => {
                T::deserialize(&fact.value).map_or(Known::Unknown(NoAnswer::OtherVersion), Known::Yes)
            }
        }
    }

    /// Lets the peaks of numbers count at `now` that were seen too long ago, for as long as nobody
    /// can see new ones.
    pub fn keep_levels(&mut self, now: Timestamp) {
        self.answers.values_mut().for_each(|fact| levels::keep(&mut fact.levels, now));
    }

    /// True if a level is not among those stored in `before`: only stored levels count for the next
    /// run.
    pub fn has_new_levels(&self, before: &Facts) -> bool {
        self.answers.iter().any(|(key, fact)| {
            let kept = before.answers.get(key).map_or(&[][..], |it| &it.levels);
            fact.levels != kept
        })
    }

    /// Returns what a change of the primary lacks if it depends on `query`; `None` if this run got
    /// an answer.
    pub(crate) fn lacks(&self, query: &FactQuery) -> Option<Lacking> {
        let key = query.key();
        let failed = self.failed.get(&key);
        let is_refused = matches!(failed, Some(CloudError::Invalid { .. }));
        let kept = self.answers.get(&key).filter(|_| !is_refused).map(|fact| fact.captured_at);
        let why = match (failed, kept) {
            (Some(error), _) => NoAnswer::Failed(error.clone()),
            (None, Some(_)) => return None,
            (None, None) => NoAnswer::NeverAsked,
        };
        let text = match kept {
            Some(at) => format!("{why}; the answer of {at:.0} is no basis for a change; {}", why.hint()),
            None => format!("{why}; {}", why.hint()),
        };
        let silent = failed.and_then(CloudError::silent_region).map(str::to_owned);
        Some(Lacking { query: key, text, silent, kept: kept.is_some() })
    }
}

/// A fact that a resource depends on and that this run did not get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lacking {
    /// Key of its query.
    pub query: String,
    /// The reason, and what to do about it.
    pub text: String,
    /// The region that did not answer, if that is the reason.
    pub silent: Option<String>,
    /// True if there is an earlier answer: good enough to compare with, but not to change anything
    /// by.
    pub kept: bool,
}
