//! Facts: what the live primary said at the last capture, so that they outlive it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kind::Place;

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
}

/// All answers, by [`FactQuery::key`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Facts(pub BTreeMap<String, Fact>);

/// What is known about one question.
#[derive(Clone, Debug, PartialEq)]
pub enum Known<T> {
    /// The answer.
    Yes(T),
    /// It was asked for, and does not exist.
    Absent,
    /// Never answered.
    Unknown,
}

impl Facts {
    /// The answer to `query` in the reader's own shape. A shape from another version counts as never answered.
    pub fn get<T: for<'de> Deserialize<'de>>(&self, query: &FactQuery) -> Known<T> {
        match self.0.get(&query.key()) {
            None => Known::Unknown,
            Some(fact) if fact.value.is_null() => Known::Absent,
            Some(fact) => T::deserialize(&fact.value).map_or(Known::Unknown, Known::Yes),
        }
    }
}
