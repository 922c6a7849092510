//! Capability of kinds that say which region serves.

use serde_json::Value;

use super::Kind;
use super::bridge::{Erased, ShapeError, live};
use crate::objective::Mode;

/// What a live resource says about which region serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// The application may write in this region.
    Region(String),
    /// The mode has changed this many times.
    Epoch(u64),
    /// Traffic goes to the standby region.
    Traffic,
    /// It was sized for this mode, in this epoch.
    Mode(Mode, u64),
}

/// A kind whose live resources say which region serves.
pub trait Witness: Kind {
    /// What the live resource says; `None` if nothing.
    fn statement(id: &str, live: &Self::Live) -> Option<Statement>;
}

/// [`Witness`] with its types erased to JSON.
#[expect(missing_docs, reason = "each method is the one of the same name on `Witness`")]
pub trait DynWitness: Send + Sync {
    fn statement(&self, id: &str, live: &Value) -> Result<Option<Statement>, ShapeError>;
}

impl<K: Witness> DynWitness for Erased<K> {
    fn statement(&self, id: &str, of: &Value) -> Result<Option<Statement>, ShapeError> {
        Ok(K::statement(id, &live::<K>(of)?))
    }
}
