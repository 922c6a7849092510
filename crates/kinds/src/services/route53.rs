//! Amazon Route 53.

#[cfg(feature = "aws")]
pub(crate) mod calls;
pub mod dns_fact;
pub mod dns_record;
pub mod dns_weights;
pub mod health_check;

#[cfg(feature = "aws")]
crate::aws::client!(aws_sdk_route53, "route53", route53);

#[cfg(feature = "aws")]
pub(crate) const CODES: crate::aws::Codes = crate::aws::Codes {
    throttled: &["PriorRequestNotComplete"],
    no_capacity: &[],
    quota: &["TooManyHealthChecks"],
    conflict: &["HealthCheckInUse", "NoSuchHealthCheck"],
};
