//! Capability of kinds that keep data in both regions.

use serde_json::Value;

use super::Kind;
use super::bridge::{Erased, ShapeError, spec};
use crate::sides::Copied;

/// A kind that keeps data in both regions.
pub trait Replication: Kind {
    /// The data that `spec` keeps in both regions; `None` if it keeps none.
    fn copied(spec: &Self::Spec) -> Option<Copied>;
}

/// [`Replication`] with its types erased to JSON.
#[expect(missing_docs, reason = "each method is the one of the same name on `Replication`")]
pub trait DynReplication: Send + Sync {
    fn copied(&self, spec: &Value) -> Result<Option<Copied>, ShapeError>;
}

impl<K: Replication> DynReplication for Erased<K> {
    fn copied(&self, of: &Value) -> Result<Option<Copied>, ShapeError> {
        Ok(K::copied(&spec::<K>(of)?))
    }
}
