//! Errors of the SDK as errors of the product, by code and never by message.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use drstack_core::cloud::CloudError;
use drstack_core::kind::Limit;

use super::Target;

/// The service asks for fewer calls.
const THROTTLED: &[&str] = &[
    "EC2ThrottledException",
    "LimitExceededException", // DynamoDB: too many table operations at once
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// Whether AWS's error code asks for fewer calls.
pub(crate) fn is_throttling(code: &str) -> bool {
    THROTTLED.contains(&code)
}

/// The credentials may not.
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
];
/// The region has none.
const NO_CAPACITY: &[&str] = &[
    "InsufficientCapacity",
    "InsufficientHostCapacity",
    "InsufficientInstanceCapacity",
    "InsufficientReservedInstanceCapacity",
    "UnfulfillableCapacity",
];
/// The account may not have more.
const QUOTA: &[&str] = &[
    "InstanceLimitExceeded",
    "LimitExceeded",
    "MaxSpotInstanceCountExceeded",
    "ResourceLimitExceeded",
    "RouteTableLimitExceeded",
    "SecurityGroupLimitExceeded",
    "SubnetLimitExceeded",
    "TooManyBuckets",
    "TooManyHealthChecks",
    "VcpuLimitExceeded",
    "VpcEndpointLimitExceeded",
    "VpcLimitExceeded",
];
/// Something else is still going on; the same call is accepted later.
const CONFLICT: &[&str] = &[
    "ConcurrentModification",
    "ConditionalRequestConflict",
    "DeleteConflict",
    "DependencyViolation",
    "ContinuousBackupsUnavailableException",
    "HealthCheckInUse",
    "IncorrectState",
    // Links lead to what is live: what EC2 does not find was made a moment ago.
    "InvalidAMIID.NotFound",
    "InvalidAMIID.Unavailable",
    "InvalidGroup.NotFound",
    "InvalidLaunchTemplateId.NotFound",
    "InvalidRouteTableID.NotFound",
    "InvalidSubnetID.NotFound",
    "InvalidVpcID.NotFound",
    "NoSuchHealthCheck",
    "OperationAborted",
    "ReplicaNotFoundException",
    "ResourceContention",
    "ResourceInUse",
    "ResourceInUseException",
    "ScalingActivityInProgress",
];

/// Launches that fail for what time does not mend.
const NEVER: &[&str] = &[
    "InvalidAMIID",
    "InvalidKMSKey",
    "InvalidSnapshot.NotFound",
    "InvalidSubnetID.NotFound",
    "InvalidGroup.NotFound",
];

/// What EC2 says of a limit, for activities that tell its words and not its code.
const SAID: &[(&str, Limit)] = &[
    ("current vCPU limit", Limit::Quota),
    ("Max spot instance count exceeded", Limit::Quota),
    ("do not have sufficient", Limit::Capacity),
    ("no Spot capacity available", Limit::Capacity),
];

/// The limit that a scaling activity names. Activities have no field for the error's code: it stands in their message, as one
/// word of it, and is looked for as such; some hold what EC2 says and no code.
pub(crate) fn limit_in(message: &str) -> Option<Limit> {
    let said = || SAID.iter().find(|(text, _)| message.contains(text)).map(|(_, limit)| *limit);
    let mut words = message.split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_');
    let named = words.find_map(|word| {
        let word = word.trim_start_matches("Client.").trim_start_matches("Server.").trim_end_matches('.');
        match word {
            // A type that a zone does not have: others may.
            "Unsupported" => Some(Limit::Capacity),
            _ if NO_CAPACITY.contains(&word) => Some(Limit::Capacity),
            _ if QUOTA.contains(&word) => Some(Limit::Quota),
            _ if NEVER.iter().any(|it| word.starts_with(it)) => Some(Limit::Never),
            _ => None,
        }
    });
    named.or_else(said)
}

impl Target<'_> {
    /// What went wrong with `operation`, such as `s3:PutBucketReplication`.
    #[expect(clippy::needless_pass_by_value, reason = "it is the last anybody sees of the SDK's error")]
    pub(crate) fn failed<E>(&self, operation: &str, error: SdkError<E, HttpResponse>) -> CloudError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        classify(operation, self.region, &error)
    }
}

/// As [`Target::failed`], for calls that serve no single resource.
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
    let message = match super::account::suspicion(refusal.raw(), code) {
        Some(suspicion) => format!("{message}; {suspicion}"),
        None => message,
    };
    match code {
        _ if THROTTLED.contains(&code) => CloudError::Throttled { operation },
        _ if DENIED.contains(&code) => CloudError::Denied { operation, message },
        _ if NO_CAPACITY.contains(&code) => CloudError::NoCapacity { operation, message },
        _ if QUOTA.contains(&code) => CloudError::Quota { operation, message },
        _ if CONFLICT.contains(&code) => CloudError::Conflict { operation, message },
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

/// The error with which drstack itself kept the call from being sent, if it did.
fn ours<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e CloudError> {
    std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
}

/// What an error and its causes say. Not their debug form: that holds raw answers, and answers may hold user data.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut said: Vec<String> = causes.map(ToString::to_string).collect();
    said.dedup();
    said.join(": ")
}

/// True when the service refused with one of `codes`.
pub(crate) fn has_code<E>(error: &SdkError<E, HttpResponse>, codes: &[&str]) -> bool
where
    E: ProvideErrorMetadata,
{
    matches!(error, SdkError::ServiceError(refusal) if refusal.err().meta().code().is_some_and(|it| codes.contains(&it)))
}

/// A refusal that passes by itself, where the code alone does not say so.
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

/// The answer, or `None` where the service says with one of `codes` that there is nothing.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_known_by_its_code_and_by_what_ec2_says_of_it() {
        let quota = "You have requested more vCPU capacity than your current vCPU limit of 16 allows for the instance bucket. \
                     Launching EC2 instance failed.";
        let capacity =
            "We currently do not have sufficient g5.xlarge capacity in the Availability Zone you requested.";
        let coded = "Could not launch Spot Instances. UnfulfillableCapacity - Unable to fulfill capacity.";
        assert_eq!(limit_in(quota), Some(Limit::Quota));
        assert_eq!(limit_in(capacity), Some(Limit::Capacity));
        assert_eq!(limit_in(coded), Some(Limit::Capacity));
        assert_eq!(limit_in("Instance failed to complete user's Lifecycle Action"), None);
    }
}
