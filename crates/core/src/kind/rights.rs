//! Capability of kinds that grant or deny rights.

use serde_json::Value;

use super::bridge::{Erased, ShapeError, live, spec};
use super::{Kind, json};

/// A kind whose objects grant or deny rights by a policy.
///
/// While the standby region serves, an apply takes none of them away: what serves may need them, and
/// what is denied may not write yet.
pub trait Rights: Kind {
    /// `spec` with the rights that `live` has beside; `None` if it has no others.
    fn with_those_of(spec: &Self::Spec, live: &Self::Live) -> Option<Self::Spec>;
}

/// [`Rights`] with its types erased to JSON.
#[expect(missing_docs, reason = "each method is the one of the same name on `Rights`")]
pub trait DynRights: Send + Sync {
    fn with_those_of(&self, spec: &Value, live: &Value) -> Result<Option<Value>, ShapeError>;
}

impl<K: Rights> DynRights for Erased<K> {
    fn with_those_of(&self, of: &Value, found: &Value) -> Result<Option<Value>, ShapeError> {
        Ok(K::with_those_of(&spec::<K>(of)?, &live::<K>(found)?).map(|it| json(&it)))
    }
}
