//! Capability of kinds that are checks.

use serde_json::Value;

use super::Kind;
use super::bridge::{Erased, ShapeError, spec};

/// A check: something that has to hold, without an object in AWS.
///
/// A check is never observed and has no owner. Each plan that contains it creates it; its creation is tried until it
/// holds.
pub trait Check: Kind {
    /// True if it asks the service itself, as users do, and not only its data.
    fn asks_service(spec: &Self::Spec) -> bool;
    /// The program that it runs on drstack's host, with its arguments; `None` if it runs none. What a bundle may run
    /// rests on this.
    fn command(spec: &Self::Spec) -> Option<Vec<String>>;
}

/// [`Check`] with its types erased to JSON.
#[expect(missing_docs, reason = "each method is the one of the same name on `Check`")]
pub trait DynCheck: Send + Sync {
    fn asks_service(&self, spec: &Value) -> Result<bool, ShapeError>;
    fn command(&self, spec: &Value) -> Result<Option<Vec<String>>, ShapeError>;
}

impl<K: Check> DynCheck for Erased<K> {
    fn asks_service(&self, of: &Value) -> Result<bool, ShapeError> {
        Ok(K::asks_service(&spec::<K>(of)?))
    }
    fn command(&self, of: &Value) -> Result<Option<Vec<String>>, ShapeError> {
        Ok(K::command(&spec::<K>(of)?))
    }
}
