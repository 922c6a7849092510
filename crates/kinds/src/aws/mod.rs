//! The AWS half: clients, errors, the control bucket, and the bridge from typed drivers to [`Cloud`].
//!
//! [`Cloud`]: drstack_core::cloud::Cloud

mod clients;
mod cloud;
mod driver;
mod drivers;
mod errors;
mod facts;
pub(crate) mod iam;
pub(crate) mod s3;
mod store;
pub(crate) mod tags;

pub use clients::Aws;
pub use cloud::AwsCloud;
pub use driver::{Driver, Looked, Seen, Target};
pub(crate) use errors::{absent, has_code};

use std::future::Future;

use drstack_core::cloud::CloudError;
use futures_util::StreamExt;

/// Looks at work at once where a service has no bulk call: hides latency, stays far below every service's limit.
const LOOKS: usize = 16;

/// `look` for each of `ids`, several at once, answers in order.
pub(crate) async fn each<L, F>(ids: &[String], look: impl Fn(String) -> F) -> Looked<L>
where
    F: Future<Output = Result<Option<Seen<L>>, CloudError>>,
{
    let looks: Vec<F> = ids.iter().cloned().map(look).collect();
    futures_util::stream::iter(looks).buffered(LOOKS).collect().await
}
