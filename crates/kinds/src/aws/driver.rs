//! The typed half of a driver: what a resource's file implements beside its `Kind`.

use std::future::Future;

use drstack_core::cloud::{Call, CloudError, Owner, Scope};
use drstack_core::kind::{FieldChange, Kind, Place};
use drstack_core::sides::{Copied, Sides};
use jiff::Timestamp;

use super::Aws;

/// Where calls go.
pub struct Target<'a> {
    /// Clients.
    pub aws: &'a Aws,
    /// The stack served.
    pub scope: &'a Scope,
    /// Primary, standby or global.
    pub place: Place,
    /// The region of `place`, as AWS names it.
    pub region: &'a str,
}

/// A live resource, typed.
#[derive(Clone, Debug)]
pub struct Seen<L> {
    /// The name it was looked up by, or the id AWS gave it.
    pub id: String,
    /// Whose it is.
    pub owner: Owner,
    /// What AWS reports.
    pub live: L,
}

/// One bulk read's answers, in the order of the ids.
pub type Looked<L> = Vec<Result<Option<Seen<L>>, CloudError>>;

/// One AWS object, effect half.
///
/// Assumes: dependencies are live. Guarantees: the same token twice has the effect of one call; `Ok(None)` means certainly
/// absent, never "could not look"; create on what exists and is ours is success; delete of what is absent is success.
pub trait Driver: Kind {
    /// Looks them up; in bulk wherever AWS has a bulk call, else with bounded concurrency.
    fn read(at: &Target<'_>, ids: &[String]) -> impl Future<Output = Looked<Self::Live>> + Send;
    /// All that the stack owns, by tag or marked name; `except`, which somebody reads by name, may be left out. Kinds that
    /// nobody owns (settings) answer nothing.
    fn list_owned(
        at: &Target<'_>,
        except: &[String],
    ) -> impl Future<Output = Result<Vec<Seen<Self::Live>>, CloudError>> + Send;
    /// Makes it and says what is there now; the engine waits until it is ready.
    fn create(
        at: &Target<'_>,
        call: &Call,
        spec: &Self::Spec,
    ) -> impl Future<Output = Result<Seen<Self::Live>, CloudError>> + Send;
    /// Changes these fields.
    fn update(
        at: &Target<'_>,
        call: &Call,
        id: &str,
        spec: &Self::Spec,
        changes: &[FieldChange],
    ) -> impl Future<Output = Result<(), CloudError>> + Send;
    /// Takes it away.
    fn delete(at: &Target<'_>, call: &Call, id: &str) -> impl Future<Output = Result<(), CloudError>> + Send;
    /// Compares both sides of the data that it keeps in both regions, for kinds with [`drstack_core::kind::Replication`].
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

/// The client of a service, for its folder: the crate, the IAM prefix, and how [`Target`] calls it.
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
