//! The bridge from typed kinds to JSON.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Kind;

/// A spec or live value that does not have the shape its kind expects: a plan file or a world of another version.
#[derive(Debug, thiserror::Error)]
#[error("{kind}: {what} has an unexpected shape: {source}")]
pub struct ShapeError {
    /// The kind.
    pub kind: &'static str,
    /// `spec` or `live`.
    pub what: &'static str,
    /// What serde says.
    #[source]
    pub source: serde_json::Error,
}

/// The bridge from [`Kind`] and its capabilities to their erased halves: `&Erased::<Bucket>::NEW`.
pub struct Erased<K>(PhantomData<fn() -> K>);

impl<K: Kind> Erased<K> {
    /// The only value.
    pub const NEW: Self = Self(PhantomData);
}

fn typed<K: Kind, T: DeserializeOwned>(what: &'static str, value: &Value) -> Result<T, ShapeError> {
    T::deserialize(value).map_err(|source| ShapeError { kind: K::NAME, what, source })
}

/// Reads a spec of kind `K`.
pub(super) fn spec<K: Kind>(value: &Value) -> Result<K::Spec, ShapeError> {
    typed::<K, _>("spec", value)
}

/// Reads a live value of kind `K`.
pub(super) fn live<K: Kind>(value: &Value) -> Result<K::Live, ShapeError> {
    typed::<K, _>("live", value)
}
