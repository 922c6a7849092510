//! Capability of kinds that are named after their address and can never be renamed.

use serde_json::Value;

use super::bridge::{Erased, ShapeError, live, spec};
use super::{Kind, json};

/// A kind that is named after its address and can never be renamed.
///
/// Under another address it keeps its name, and is found by its tag if nothing has the new name.
pub trait KeepsName: Kind {
    /// True if its id is its name, by which it is found without its tags, too.
    const NAME_IS_ID: bool;
    /// True if a region has one object of a name at most. The name of a security group counts within its
    /// VPC alone.
    const IS_UNIQUE: bool = true;
    /// `spec` with the name that the live object has.
    fn under_its_name(spec: &Self::Spec, id: &str, live: &Self::Live) -> Self::Spec;
}

/// [`KeepsName`] with its types erased to JSON.
#[expect(missing_docs, reason = "each method is the one of the same name on `KeepsName`")]
pub trait DynKeepsName: Send + Sync {
    fn name_is_id(&self) -> bool;
    fn is_unique(&self) -> bool;
    fn under_its_name(&self, spec: &Value, id: &str, live: &Value) -> Result<Value, ShapeError>;
}

impl<K: KeepsName> DynKeepsName for Erased<K> {
    fn name_is_id(&self) -> bool {
        K::NAME_IS_ID
    }
    fn is_unique(&self) -> bool {
        K::IS_UNIQUE
    }
    fn under_its_name(&self, of: &Value, id: &str, found: &Value) -> Result<Value, ShapeError> {
        Ok(json(&K::under_its_name(&spec::<K>(of)?, id, &live::<K>(found)?)))
    }
}
