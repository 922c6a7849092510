//! Capability of kinds that keep data in both regions.

use serde_json::Value;

use super::Kind;
use super::bridge::{Erased, ShapeError, live, spec};
use crate::sides::Copied;

/// A kind that keeps data in both regions.
pub trait Replication: Kind {
    /// The data that `spec` keeps in both regions; `None` if it keeps none.
    fn copied(spec: &Self::Spec) -> Option<Copied>;
    /// Why the copy cannot serve, as a sentence; `None` if it can.
    fn unwell(_live: &Self::Live) -> Option<String> {
        None
    }
}

/// [`Replication`] with its types erased to JSON.
#[expect(missing_docs, reason = "each method is the one of the same name on `Replication`")]
pub trait DynReplication: Send + Sync {
    fn copied(&self, spec: &Value) -> Result<Option<Copied>, ShapeError>;
    fn unwell(&self, live: &Value) -> Result<Option<String>, ShapeError>;
}

impl<K: Replication> DynReplication for Erased<K> {
    fn copied(&self, of: &Value) -> Result<Option<Copied>, ShapeError> {
        Ok(K::copied(&spec::<K>(of)?))
    }
    fn unwell(&self, of: &Value) -> Result<Option<String>, ShapeError> {
        Ok(K::unwell(&live::<K>(of)?))
    }
}
