//! What the error codes of a service mean. Some mean the same everywhere, others what their service says.

/// Error codes of one service.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Codes {
    /// The service asks for fewer calls.
    pub(crate) throttled: &'static [&'static str],
    /// The region has none left.
    pub(crate) no_capacity: &'static [&'static str],
    /// The account may not have more.
    pub(crate) quota: &'static [&'static str],
    /// Something else is still going on; the same call is accepted later.
    pub(crate) conflict: &'static [&'static str],
}

/// They ask for fewer calls wherever they come from.
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
/// The account may not have more, except where the service means another thing by it.
const QUOTA: &[&str] =
    &["LimitExceeded", "LimitExceededException", "ResourceLimitExceeded", "ServiceQuotaExceededException"];
/// Another change of the same object goes on.
const CONFLICT: &[&str] =
    &["ConcurrentModification", "ResourceContention", "ResourceInUse", "ResourceInUseException"];

impl Codes {
    /// Whether `code` asks for fewer calls.
    pub(crate) fn is_throttling(&self, code: &str) -> bool {
        self.throttled.contains(&code) || THROTTLED.contains(&code)
    }

    pub(crate) fn is_denied(&self, code: &str) -> bool {
        DENIED.contains(&code)
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
