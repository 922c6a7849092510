//! Results of SDK calls for one resource.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use drstack_core::cloud::CloudError;

use super::Target;
use super::errors::{classify, has_code};

impl Target<'_> {
    /// Classifies the error of `operation`, such as `s3:PutBucketReplication`.
    #[expect(clippy::needless_pass_by_value, reason = "it is the last anybody sees of the SDK's error")]
    pub(crate) fn failed<E>(&self, operation: &str, error: SdkError<E, HttpResponse>) -> CloudError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        classify(operation, self.region, &error)
    }
}

/// Returns the answer, or `None` if the service reports one of `codes`, which mean that the object
/// is absent.
pub(crate) fn absent<T, E>(
    at: &Target<'_>,
    operation: &str,
    codes: &[&str],
    answer: Result<T, SdkError<E, HttpResponse>>,
) -> Result<Option<T>, CloudError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if has_code(&error, codes) => Ok(None),
        Err(error) => Err(at.failed(operation, error)),
    }
}

/// Maps the error of a builder; all required fields are set.
pub(crate) fn built<T>(
    operation: &str,
    made: Result<T, aws_smithy_types::error::operation::BuildError>,
) -> Result<T, CloudError> {
    made.map_err(|error| CloudError::Other { operation: operation.to_owned(), message: error.to_string() })
}
