//! Capability of kinds whose updates depend on what was there before.

use serde_json::Value;

use super::bridge::{Erased, ShapeError, live, spec};
use super::{Kind, json};

/// A kind whose updates depend on what was there before.
pub trait Revised: Kind {
    /// Maximum number of updates of one change, each made once the one before is ready: more than one for kinds that
    /// let go of something only after its replacement stands.
    const ROUNDS: usize = 1;
    /// Outputs that an update may change; what uses them is updated after it.
    const VOLATILE: &'static [&'static str] = &[];

    /// The live value after an update of `before` to `spec`.
    fn expect_after(spec: &Self::Spec, id: &str, before: &Self::Live) -> Self::Live;
}

/// [`Revised`] with its types erased to JSON.
#[expect(missing_docs, reason = "each method is the item of the same name on `Revised`")]
pub trait DynRevised: Send + Sync {
    fn rounds(&self) -> usize;
    fn volatile(&self) -> &'static [&'static str];
    fn expect_after(&self, spec: &Value, id: &str, before: &Value) -> Result<Value, ShapeError>;
}

impl<K: Revised> DynRevised for Erased<K> {
    fn rounds(&self) -> usize {
        K::ROUNDS
    }
    fn volatile(&self) -> &'static [&'static str] {
        K::VOLATILE
    }
    fn expect_after(&self, of: &Value, id: &str, before: &Value) -> Result<Value, ShapeError> {
        Ok(json(&K::expect_after(&spec::<K>(of)?, id, &live::<K>(before)?)))
    }
}
