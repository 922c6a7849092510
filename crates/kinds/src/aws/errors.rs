//! Converts errors of the SDK to drstack's, by code and never by message.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use drstack_core::cloud::CloudError;

use super::expect_owner::suspicion;
use crate::services::codes;

/// What the TLS library says of a certificate that it refuses. The SDK hides its type, so the
/// message is all that there is.
const UNTRUSTED: &str = "invalid peer certificate";

/// Classifies the error of `operation`, such as `s3:PutBucketReplication`, by its service's codes.
pub(crate) fn classify<E>(operation: &str, region: &str, error: &SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let Some(ours) = ours(error) {
        return ours.clone();
    }
    let operation = operation.to_owned();
    let SdkError::ServiceError(refusal) = error else {
        let message = chain(error);
        let answered = matches!(error, SdkError::ConstructionFailure(_) | SdkError::ResponseError(_));
        return match answered {
            true => CloudError::Other { operation, message },
            false if message.contains(UNTRUSTED) => {
                CloudError::Untrusted { operation, region: region.to_owned(), message }
            }
            false => CloudError::Unreachable { operation, region: region.to_owned(), message },
        };
    };
    let status = refusal.raw().status().as_u16();
    let meta = refusal.err().meta();
    let code = meta.code().unwrap_or_default().trim_start_matches("Client.").trim_start_matches("Server.");
    let message = match meta.message() {
        Some(text) => format!("{code}: {text}"),
        None if code.is_empty() => format!("HTTP {status}: {}", chain(error)),
        None => format!("{code} (HTTP {status})"),
    };
    let message = match suspicion(refusal.raw(), code) {
        Some(suspicion) => format!("{message}; {suspicion}"),
        None => message,
    };
    let codes = codes(operation.split(':').next().unwrap_or_default());
    match code {
        _ if codes.is_throttling(code) => CloudError::Throttled { operation },
        _ if codes.is_expired(code) => CloudError::Expired { operation, message },
        _ if codes.is_denied(code) => CloudError::Denied { operation, message },
        _ if codes.is_no_capacity(code) => CloudError::NoCapacity { operation, message },
        _ if codes.is_quota(code) => CloudError::Quota { operation, message },
        _ if codes.is_conflict(code) => CloudError::Conflict { operation, message },
        _ if status == 429 || status == 503 && code.is_empty() => CloudError::Throttled { operation },
        _ if status == 403 => CloudError::Denied { operation, message },
        _ if (400..500).contains(&status) => CloudError::Invalid {
            operation,
            code: if code.is_empty() { status.to_string() } else { code.to_owned() },
            message: meta.message().unwrap_or_default().to_owned(),
        },
        _ => CloudError::Other { operation, message },
    }
}

/// Returns drstack's own error, if drstack refused to send the call.
fn ours<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e CloudError> {
    std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
}

/// Joins the messages of an error and its causes.
///
/// The debug form is not used: it holds raw answers, and answers may hold user data.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut said: Vec<String> = causes.map(ToString::to_string).collect();
    said.dedup();
    said.join(": ")
}

/// True if the service refused with one of `codes`.
pub(crate) fn has_code<E>(error: &SdkError<E, HttpResponse>, codes: &[&str]) -> bool
where
    E: ProvideErrorMetadata,
{
    code_of(error).is_some_and(|it| codes.contains(&it))
}

/// Returns the code of a service's refusal.
pub(crate) fn code_of<E>(error: &SdkError<E, HttpResponse>) -> Option<&str>
where
    E: ProvideErrorMetadata,
{
    match error {
        SdkError::ServiceError(refusal) => refusal.err().meta().code(),
        _ => None,
    }
}

/// Returns a transient error for a refusal whose code alone does not show that.
pub(crate) fn passing<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let message = match error {
        SdkError::ServiceError(refusal) => refusal.err().meta().message().map(str::to_owned),
        _ => None,
    };
    let message = message.unwrap_or_else(|| chain(error));
    CloudError::Conflict { operation: operation.to_owned(), message }
}
