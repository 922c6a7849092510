//! Capability of kinds whose creation takes several calls.

use serde_json::Value;

use super::bridge::{Erased, ShapeError, spec};
use super::{Kind, json};

/// State after one of the calls of a creation that takes several.
#[derive(Clone, Debug, PartialEq)]
pub struct Halfway<L> {
    /// True if it is tagged by then; before, its owner is not known.
    pub tagged: bool,
    /// What the cloud reports.
    pub live: L,
}

impl<L> Halfway<L> {
    /// A state without tags.
    pub fn untagged(live: L) -> Self {
        Self { tagged: false, live }
    }

    /// A state with tags that is not complete yet.
    pub fn tagged(live: L) -> Self {
        Self { tagged: true, live }
    }
}

/// A kind whose creation takes several calls; a run may be killed after each.
pub trait Staged: Kind {
    /// True if AWS chooses its id and keeps a reference that only drstack gives: what was begun is known as the stack's
    /// without tags, and a creation from the same spec finds and finishes it.
    const KEEPS_REFERENCE: bool = false;
    /// The state after each call but the last. The simulator makes as many calls. Without tags, only the journal tells
    /// that an object is the stack's.
    fn halfway(spec: &Self::Spec, id: &str) -> Vec<Halfway<Self::Live>>;
}

/// [`Staged`] with its types erased to JSON.
#[expect(missing_docs, reason = "each method is the one of the same name on `Staged`")]
pub trait DynStaged: Send + Sync {
    fn keeps_reference(&self) -> bool;
    fn halfway(&self, spec: &Value, id: &str) -> Result<Vec<Halfway<Value>>, ShapeError>;
}

impl<K: Staged> DynStaged for Erased<K> {
    fn keeps_reference(&self) -> bool {
        K::KEEPS_REFERENCE
    }
    fn halfway(&self, of: &Value, id: &str) -> Result<Vec<Halfway<Value>>, ShapeError> {
        let all = K::halfway(&spec::<K>(of)?, id);
        Ok(all.iter().map(|it| Halfway { tagged: it.tagged, live: json(&it.live) }).collect())
    }
}
