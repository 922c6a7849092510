//! The AWS half: clients, errors, the control bucket, and the bridge from typed drivers to
//! [`Cloud`].
//!
//! [`Cloud`]: drstack_core::cloud::Cloud

mod account;
mod answers;
mod ask;
mod capture;
mod clients;
mod cloud;
mod codes;
mod credentials;
mod driver;
mod drivers;
mod errors;
mod expect_owner;
pub(crate) mod gather;
mod interceptor;
pub(crate) mod once;
mod setting;
mod shared;
mod store;
pub(crate) mod tags;
mod trusted;

pub(crate) use answers::{absent, built};
pub(crate) use ask::{Ask, Asked, Asker, BulkAsk, NAMES, erased, plain};
pub use clients::Aws;
pub(crate) use clients::Client;
pub use cloud::AwsCloud;
pub(crate) use codes::Codes;
pub(crate) use driver::client;
pub use driver::{Driver, Looked, Seen, Target};
pub(crate) use drivers::{DynDriver, ErasedDriver};
pub(crate) use errors::{chain, code_of, has_code, passing};
pub(crate) use expect_owner::ExpectOwner;
pub(crate) use interceptor::Watch;
pub(crate) use setting::{SettingDriver, SwitchDriver, setting};

use std::collections::BTreeMap;
use std::future::Future;

use drstack_core::cloud::CloudError;
use futures_util::StreamExt;

/// Maximum number of parallel reads if a service has no bulk call: hides latency, and stays far
/// below every service's limit.
pub(crate) const LOOKS: usize = 16;

/// Calls `look` for each of `ids`, several at once, and returns the answers in order.
pub(crate) async fn each<L, F>(ids: &[String], look: impl Fn(String) -> F) -> Looked<L>
where
    F: Future<Output = Result<Option<Seen<L>>, CloudError>>,
{
    each_of(ids.to_vec(), look).await
}

/// Calls `look` for each of `items`, several at once, and returns the answers in order.
pub(crate) async fn each_of<I, T, F>(items: Vec<I>, look: impl Fn(I) -> F) -> Vec<T>
where
    F: Future<Output = T>,
{
    let looks: Vec<F> = items.into_iter().map(look).collect();
    futures_util::stream::iter(looks).buffered(LOOKS).collect().await
}

/// Returns the answers of one bulk call in the order of `ids`; ids without an answer are absent.
pub(crate) fn by_id<L: Clone>(ids: &[String], found: Result<Vec<Seen<L>>, CloudError>) -> Looked<L> {
    match found {
        Ok(found) => {
            let found: BTreeMap<&str, &Seen<L>> = found.iter().map(|seen| (seen.id.as_str(), seen)).collect();
            ids.iter().map(|id| Ok(found.get(id.as_str()).copied().cloned())).collect()
        }
        Err(error) => ids.iter().map(|_| Err(error.clone())).collect(),
    }
}
