//! The account of the caller has to own every bucket that a call names.
//!
//! Names of buckets are shared by all accounts: a bucket of a name that we would choose may be another account's, with tags that say it is
//! ours and a policy that lets us in. S3 refuses a request that names another owner than the bucket has ("bucket owner condition").

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

/// Whose a bucket has to be.
const EXPECTED: &str = "x-amz-expected-bucket-owner";
/// Whose the bucket has to be that an object is copied from.
const EXPECTED_SOURCE: &str = "x-amz-source-expected-bucket-owner";
/// What is copied, where something is.
const COPIED: &str = "x-amz-copy-source";
/// Added to answers that refuse: which bucket was named, and whose it was expected to be.
const REFUSED: [&str; 2] = ["x-drstack-bucket", "x-drstack-account"];

/// The operation by which a bucket becomes the caller's: it takes no condition.
const MAKES: &str = "CreateBucket";
/// Lets S3 refuse every bucket that is not `account`'s: no call can forget to ask for it.
#[derive(Debug)]
pub(crate) struct ExpectOwner {
    account: Arc<str>,
}

impl ExpectOwner {
    /// For a client of S3.
    pub(crate) fn new(account: &Arc<str>) -> Self {
        Self { account: Arc::clone(account) }
    }
}

/// The bucket that a call is about; none where it names none, or makes it.
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

/// What a refusal with `code` may mean beside a missing permission: S3 answers both in the same words.
pub(super) fn suspicion(answer: &HttpResponse, code: &str) -> Option<String> {
    if !matches!(code, "" | "AccessDenied") {
        return None;
    }
    let [bucket, account] = REFUSED.map(|name| answer.headers().get(name));
    Some(not_of_account(bucket?, account?))
}

#[cfg(test)]
mod tests;
