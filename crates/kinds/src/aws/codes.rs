//! The meaning of services' error codes. Some mean the same everywhere, others depend on the
//! service.

/// Error codes of one service.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Codes {
    /// The service is throttling.
    pub(crate) throttled: &'static [&'static str],
    /// The region has no more capacity.
    pub(crate) no_capacity: &'static [&'static str],
    /// The account has reached its quota.
    pub(crate) quota: &'static [&'static str],
    /// Another operation is in progress; the same call is accepted later.
    pub(crate) conflict: &'static [&'static str],
}

/// Codes for throttling at any service.
const THROTTLED: &[&str] = &[
    "EC2ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];
/// Codes for missing permission.
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
];
/// Codes for credentials whose session has ended. EC2 says `RequestExpired`, DynamoDB and others
/// `ExpiredTokenException`, the rest `ExpiredToken`.
const EXPIRED: &[&str] = &["ExpiredToken", "ExpiredTokenException", "RequestExpired"];
/// Codes for a reached quota, unless the service gives them another meaning.
const QUOTA: &[&str] =
    &["LimitExceeded", "LimitExceededException", "ResourceLimitExceeded", "ServiceQuotaExceededException"];
/// Codes for a concurrent change of the same object.
const CONFLICT: &[&str] =
    &["ConcurrentModification", "ResourceContention", "ResourceInUse", "ResourceInUseException"];

impl Codes {
    /// True if `code` means throttling.
    pub(crate) fn is_throttling(&self, code: &str) -> bool {
        self.throttled.contains(&code) || THROTTLED.contains(&code)
    }

    pub(crate) fn is_denied(&self, code: &str) -> bool {
        DENIED.contains(&code)
    }

    pub(crate) fn is_expired(&self, code: &str) -> bool {
        EXPIRED.contains(&code)
    }

    pub(crate) fn is_no_capacity(&self, code: &str) -> bool {
        self.no_capacity.contains(&code)
    }

    pub(crate) fn is_quota(&self, code: &str) -> bool {
        self.quota.contains(&code) || QUOTA.contains(&code) && !self.throttled.contains(&code)
    }

    pub(crate) fn is_conflict(&self, code: &str) -> bool {
        self.conflict.contains(&code) || CONFLICT.contains(&code)
    }
}
