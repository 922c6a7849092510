//! Every driver with its types erased, by name of the kind.

use std::marker::PhantomData;

use drstack_core::cloud::{Call, CloudError, Found, Presence, Read};
use drstack_core::kind::FieldChange;
use drstack_core::sides::{Copied, Sides};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Driver, Seen, Target};

/// A [`Driver`] with its types erased to JSON.
pub(crate) trait DynDriver: Send + Sync {
    fn read<'a>(&self, at: &'a Target<'a>, ids: &'a [String]) -> BoxFuture<'a, Read>;
    fn exist<'a>(
        &self,
        at: &'a Target<'a>,
        ids: &'a [String],
    ) -> BoxFuture<'a, Vec<Result<Presence, CloudError>>>;
    fn list_owned<'a>(
        &self,
        at: &'a Target<'a>,
        except: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Found>, CloudError>>;
    fn create<'a>(
        &self,
        at: &'a Target<'a>,
        call: &'a Call,
        spec: &'a Value,
    ) -> BoxFuture<'a, Result<Found, CloudError>>;
    fn update<'a>(
        &self,
        at: &'a Target<'a>,
        call: &'a Call,
        id: &'a str,
        spec: &'a Value,
        changes: &'a [FieldChange],
    ) -> BoxFuture<'a, Result<(), CloudError>>;
    fn delete<'a>(
        &self,
        at: &'a Target<'a>,
        call: &'a Call,
        id: &'a str,
    ) -> BoxFuture<'a, Result<(), CloudError>>;
    fn sides<'a>(
        &self,
        primary: &'a Target<'a>,
        standby: &'a Target<'a>,
        copied: &'a Copied,
        since: Option<Timestamp>,
    ) -> BoxFuture<'a, Result<Sides, CloudError>>;
}

/// The bridge from [`Driver`] to [`DynDriver`].
pub(crate) struct ErasedDriver<K>(PhantomData<fn() -> K>);

impl<K> ErasedDriver<K> {
    pub(crate) const NEW: Self = Self(PhantomData);
}

fn found<K: Driver>(seen: Seen<K::Live>) -> Result<Found, CloudError> {
    let Seen { id, owner, live } = seen;
    let live = serde_json::to_value(live).map_err(|error| shape::<K>("live", &error))?;
    Ok(Found { id, owner, live })
}

fn spec<K: Driver, T: DeserializeOwned>(value: &Value) -> Result<T, CloudError> {
    T::deserialize(value).map_err(|error| shape::<K>("spec", &error))
}

fn shape<K: Driver>(what: &str, error: &serde_json::Error) -> CloudError {
    CloudError::Other { operation: K::NAME.to_owned(), message: format!("unexpected {what}: {error}") }
}

impl<K: Driver> DynDriver for ErasedDriver<K> {
    fn read<'a>(&self, at: &'a Target<'a>, ids: &'a [String]) -> BoxFuture<'a, Read> {
        Box::pin(async move {
            let looked = K::read(at, ids).await;
            looked.into_iter().map(|look| look?.map(found::<K>).transpose()).collect()
        })
    }

    fn exist<'a>(
        &self,
        at: &'a Target<'a>,
        ids: &'a [String],
    ) -> BoxFuture<'a, Vec<Result<Presence, CloudError>>> {
        Box::pin(K::exist(at, ids))
    }

    fn list_owned<'a>(
        &self,
        at: &'a Target<'a>,
        except: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Found>, CloudError>> {
        Box::pin(async move { K::list_owned(at, except).await?.into_iter().map(found::<K>).collect() })
    }

    fn create<'a>(
        &self,
        at: &'a Target<'a>,
        call: &'a Call,
        wanted: &'a Value,
    ) -> BoxFuture<'a, Result<Found, CloudError>> {
        Box::pin(async move { found::<K>(K::create(at, call, &spec::<K, _>(wanted)?).await?) })
    }

    fn update<'a>(
        &self,
        at: &'a Target<'a>,
        call: &'a Call,
        id: &'a str,
        wanted: &'a Value,
        changes: &'a [FieldChange],
    ) -> BoxFuture<'a, Result<(), CloudError>> {
        Box::pin(async move { K::update(at, call, id, &spec::<K, _>(wanted)?, changes).await })
    }

    fn delete<'a>(
        &self,
        at: &'a Target<'a>,
        call: &'a Call,
        id: &'a str,
    ) -> BoxFuture<'a, Result<(), CloudError>> {
        Box::pin(K::delete(at, call, id))
    }

    fn sides<'a>(
        &self,
        primary: &'a Target<'a>,
        standby: &'a Target<'a>,
        copied: &'a Copied,
        since: Option<Timestamp>,
    ) -> BoxFuture<'a, Result<Sides, CloudError>> {
        Box::pin(K::sides(primary, standby, copied, since))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_kind_has_a_driver() {
        for kind in crate::kinds().iter() {
            assert!(crate::resources::driver(kind.name()).is_some(), "{} has no driver", kind.name());
        }
    }
}
