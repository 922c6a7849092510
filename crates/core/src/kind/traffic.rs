//! Capability of kinds that move traffic between the regions.

use std::time::Duration;

use serde_json::Value;

use super::Kind;
use super::bridge::{Erased, ShapeError, live, spec};

/// A kind that moves traffic between the regions.
pub trait Traffic: Kind {
    /// Upper bound of the time that a change waits between its shares of traffic, beside the time that its calls take.
    /// Both regions serve meanwhile.
    fn holds(_spec: &Self::Spec) -> Duration {
        Duration::ZERO
    }

    /// Time that a change of `live` waits before its next share, and after it.
    fn held(_spec: &Self::Spec, _live: &Self::Live) -> [Duration; 2] {
        [Duration::ZERO; 2]
    }
}

/// [`Traffic`] with its types erased to JSON.
#[expect(missing_docs, reason = "each method is the one of the same name on `Traffic`")]
pub trait DynTraffic: Send + Sync {
    fn holds(&self, spec: &Value) -> Result<Duration, ShapeError>;
    fn held(&self, spec: &Value, live: &Value) -> Result<[Duration; 2], ShapeError>;
}

impl<K: Traffic> DynTraffic for Erased<K> {
    fn holds(&self, of: &Value) -> Result<Duration, ShapeError> {
        Ok(K::holds(&spec::<K>(of)?))
    }
    fn held(&self, of: &Value, seen: &Value) -> Result<[Duration; 2], ShapeError> {
        Ok(K::held(&spec::<K>(of)?, &live::<K>(seen)?))
    }
}
