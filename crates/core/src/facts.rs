//! Facts: what the live primary said at the last capture, so that they outlive it.

mod levels;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cloud::CloudError;
use crate::kind::Place;

pub use levels::{DAYS, Level, remember};

/// One question to a live region: `{kind: "group", name: "fleet-inference", place: Primary}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FactQuery {
    /// What is asked about: `group`, `table`, `bucket`, `zones`, ... each known to one reader in the kinds crate.
    pub kind: String,
    /// Its name; empty where the region has only one.
    pub name: String,
    /// Which region is asked.
    pub place: Place,
}

impl FactQuery {
    /// Asks the primary about `name`.
    pub fn primary(kind: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), name: name.to_owned(), place: Place::Primary }
    }

    /// Asks the standby region about `name`.
    pub fn standby(kind: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), name: name.to_owned(), place: Place::Standby }
    }

    /// Asks which account the credentials belong to: every bucket of the stack has to be that account's.
    pub fn account() -> Self {
        Self::standby("account", "")
    }

    /// The key under which the answer is kept.
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
    /// When it was asked.
    pub captured_at: Timestamp,
    /// What was answered; `null` when what it is about did not exist.
    pub value: Value,
    /// What a number in it was before, where its highest counts; see [`levels`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<Level>,
}

impl Fact {
    /// An answer of this moment.
    pub fn new(captured_at: Timestamp, value: Value) -> Self {
        Self { captured_at, value, levels: Vec::new() }
    }
}

/// All answers by [`FactQuery::key`], and which of them could not be asked for anew.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Facts {
    /// The answers, fresh or of an earlier run.
    pub answers: BTreeMap<String, Fact>,
    /// Why this run got no answer; never kept, since the next run asks again.
    #[serde(skip)]
    pub failed: BTreeMap<String, CloudError>,
}

/// What is known about one question.
#[derive(Clone, Debug, PartialEq)]
pub enum Known<T> {
    /// The answer.
    Yes(T),
    /// It was asked for, and does not exist.
    Absent,
    /// There is no answer. It never stands for a default: nothing is written by it.
    Unknown(NoAnswer),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// No run asked before.
    #[error("no run has asked for it yet")]
    NeverAsked,
    /// This run asked, and the call failed.
    #[error("{0}")]
    Failed(CloudError),
    /// Another version of drstack kept it in another shape.
    #[error("another version of drstack kept the answer")]
    OtherVersion,
}

impl NoAnswer {
    /// What to do next, as an imperative sentence.
    pub fn hint(&self) -> String {
        match self {
            Self::Failed(error) => error.hint(),
            Self::NeverAsked | Self::OtherVersion => {
                "run `drstack apply` while AWS answers: it keeps the answers".to_owned()
            }
        }
    }
}

impl Facts {
    /// The answer to `query` in the reader's own shape: the one of this run, else the last one that was kept.
    pub fn get<T: for<'de> Deserialize<'de>>(&self, query: &FactQuery) -> Known<T> {
        let key = query.key();
        let failed = self.failed.get(&key);
        // A refusal is an answer too, and the kept one must not hide it.
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

    /// Whether a level is not among those that `before` kept: only what is kept counts for the next run.
    pub fn has_new_levels(&self, before: &Facts) -> bool {
        self.answers.iter().any(|(key, fact)| {
            let kept = before.answers.get(key).map_or(&[][..], |it| &it.levels);
            fact.levels != kept
        })
    }

    /// What a change of the primary lacks that rests on the answer to `query`; none where this run got one.
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
        Some(Lacking { text, kept: kept.is_some() })
    }
}

/// A fact that a resource rests on and that this run did not get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lacking {
    /// Why, and what to do about it.
    pub text: String,
    /// An earlier answer stands in for it: good enough to compare with, not to change anything by.
    pub kept: bool,
}
