//! The typed half of a driver, which a resource's file implements beside its `Kind`.

use std::future::Future;

use drstack_core::cloud::{Call, CloudError, Owner, Presence, Scope};
use drstack_core::kind::{FieldChange, Kind, Place};
use drstack_core::sides::{Copied, Sides};
use jiff::Timestamp;

use super::Aws;

/// The destination of calls.
pub struct Target<'a> {
    /// Clients.
    pub aws: &'a Aws,
    /// The stack.
    pub scope: &'a Scope,
    /// Primary, standby or global.
    pub place: Place,
    /// The region of `place`, as AWS names it.
    pub region: &'a str,
}

/// A live resource, typed.
#[derive(Clone, Debug)]
pub struct Seen<L> {
    /// The name it was read by, or the id that AWS gave it.
    pub id: String,
    /// Its owner.
    pub owner: Owner,
    /// The live state.
    pub live: L,
}

/// The answers of one bulk read, in the order of the ids.
pub type Looked<L> = Vec<Result<Option<Seen<L>>, CloudError>>;

/// The calling half of a kind: reads, lists, creates, updates and deletes one AWS object.
///
/// Assumes: dependencies are live. Guarantees: the same token twice has the effect of one call;
/// `Ok(None)` means certainly absent, never a failed read; a create of an object that the stack
/// already owns succeeds; a delete of an absent object succeeds.
pub trait Driver: Kind {
    /// Reads these objects; in bulk if AWS has a bulk call, else with bounded concurrency.
    fn read(at: &Target<'_>, ids: &[String]) -> impl Future<Output = Looked<Self::Live>> + Send;
    /// Says of each of these objects whether it exists, with one call each at most.
    ///
    /// By default by [`Driver::read`], for kinds whose bulk call is that already.
    fn exist(
        at: &Target<'_>,
        ids: &[String],
    ) -> impl Future<Output = Vec<Result<Presence, CloudError>>> + Send {
        let read = Self::read(at, ids);
        async { read.await.into_iter().map(|it| it.map(|seen| seen.is_some().into())).collect() }
    }
    /// Lists all objects that the stack owns, by tag or marked name.
    ///
    /// May leave out those in `except`, which are read by name. Kinds without owner (settings)
    /// return nothing.
    fn list_owned(
        at: &Target<'_>,
        except: &[String],
    ) -> impl Future<Output = Result<Vec<Seen<Self::Live>>, CloudError>> + Send;
    /// Creates the object and returns its live state; the engine waits until it is ready.
    fn create(
        at: &Target<'_>,
        call: &Call,
        spec: &Self::Spec,
    ) -> impl Future<Output = Result<Seen<Self::Live>, CloudError>> + Send;
    /// Updates these fields.
    fn update(
        at: &Target<'_>,
        call: &Call,
        id: &str,
        spec: &Self::Spec,
        changes: &[FieldChange],
    ) -> impl Future<Output = Result<(), CloudError>> + Send;
    /// Deletes the object.
    fn delete(at: &Target<'_>, call: &Call, id: &str) -> impl Future<Output = Result<(), CloudError>> + Send;
    /// Compares both sides of data that exists in both regions, for kinds with
    /// [`drstack_core::kind::Replication`].
    fn sides(
        _primary: &Target<'_>,
        _standby: &Target<'_>,
        copied: &Copied,
        _since: Option<Timestamp>,
    ) -> impl Future<Output = Result<Sides, CloudError>> + Send {
        let message = format!("{} cannot compare the {}s of `{}`", Self::NAME, copied.unit, copied.name);
        async { Err(CloudError::Other { operation: "sides".to_owned(), message }) }
    }
}

/// Declares the client of a service, for its folder: the crate, the IAM prefix, and the method of
/// [`Target`].
macro_rules! client {
    ($sdk:ident, $service:literal, $method:ident) => {
        impl $crate::aws::Client for $sdk::Client {
            const SERVICE: &'static str = $service;

            fn new(
                config: &aws_config::SdkConfig,
                watch: $crate::aws::Watch,
                _: &std::sync::Arc<str>,
            ) -> Self {
                Self::from_conf($sdk::config::Builder::from(config).interceptor(watch).build())
            }
        }

        impl $crate::aws::Target<'_> {
            pub(crate) fn $method(&self) -> std::sync::Arc<$sdk::Client> {
                self.aws.at(self.place).client()
            }
        }
    };
}
pub(crate) use client;
