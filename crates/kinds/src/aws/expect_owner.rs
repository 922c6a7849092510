//! Requires that the caller's account owns every bucket that a call names.
//!
//! All accounts share the names of buckets. A bucket with a name that drstack would choose may
//! belong to another account, with tags that claim this stack and a policy that admits its calls.
//! S3 rejects a request that names another owner than the bucket has ("bucket owner condition").

use std::sync::Arc;

use aws_sdk_s3::config::endpoint::Params;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::endpoint::EndpointResolverParams;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use drstack_core::cloud::not_of_account;

/// Header with the required owner of a bucket.
const EXPECTED: &str = "x-amz-expected-bucket-owner";
/// Header with the required owner of the bucket that an object is copied from.
const EXPECTED_SOURCE: &str = "x-amz-source-expected-bucket-owner";
/// Header with the source of a copy.
const COPIED: &str = "x-amz-copy-source";
/// Headers added to refusals: the bucket that was named, and its expected owner.
const REFUSED: [&str; 2] = ["x-drstack-bucket", "x-drstack-account"];

/// The operation that creates a bucket: it takes no condition.
const MAKES: &str = "CreateBucket";
/// Makes S3 refuse every bucket that `account` does not own. It applies to all calls, so none can
/// omit it.
#[derive(Debug)]
pub(crate) struct ExpectOwner {
    account: Arc<str>,
}

impl ExpectOwner {
    /// Creates it for a client of S3.
    pub(crate) fn new(account: &Arc<str>) -> Self {
        Self { account: Arc::clone(account) }
    }
}

/// Returns the bucket of a call; none if it names none, or creates it.
fn bucket(config: &ConfigBag) -> Option<&str> {
    let makes = config.load::<Metadata>().is_some_and(|it| it.name() == MAKES);
    let params = config.load::<EndpointResolverParams>().filter(|_| !makes)?;
    params.get::<Params>()?.bucket()
}

impl Intercept for ExpectOwner {
    fn name(&self) -> &'static str {
        "drstack-owner"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if bucket(config).is_none() {
            return Ok(());
        }
        let headers = context.request_mut().headers_mut();
        headers.try_insert(EXPECTED, self.account.to_string())?;
        if headers.contains_key(COPIED) {
            headers.try_insert(EXPECTED_SOURCE, self.account.to_string())?;
        }
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(bucket) = bucket(config).filter(|_| context.response().status().as_u16() == 403) else {
            return Ok(());
        };
        let headers = context.response_mut().headers_mut();
        for (name, value) in REFUSED.into_iter().zip([bucket, &self.account]) {
            headers.try_insert(name, value.to_owned())?;
        }
        Ok(())
    }
}

/// Returns the other possible meaning of a refusal with `code`: S3 uses the same words for a
/// missing permission.
pub(super) fn suspicion(answer: &HttpResponse, code: &str) -> Option<String> {
    if !matches!(code, "" | "AccessDenied") {
        return None;
    }
    let [bucket, account] = REFUSED.map(|name| answer.headers().get(name));
    Some(not_of_account(bucket?, account?))
}

#[cfg(test)]
mod tests;
