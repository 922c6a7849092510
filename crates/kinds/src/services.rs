//! Services of AWS, one folder each: its calls, and its resources with a pure half and a calling
//! half.

pub mod autoscaling;
pub mod checks;
pub mod cloudwatch;
pub mod dynamodb;
pub mod ec2;
pub mod iam;
pub(crate) mod partition;
pub mod route53;
pub mod s3;
pub mod servicequotas;
pub mod sqs;
pub mod ssm;
pub mod sts;
mod switch;

use drstack_core::kind::Operation;
use drstack_core::link::Link;
use serde_json::{Value, json};

pub(crate) const fn operation(service: &'static str, action: &'static str) -> Operation {
    let operation = Operation::new(service, action);
    match partition::home(service, action) {
        Some(home) => operation.at(home),
        None => operation,
    }
}

/// Returns what a service demands of the caller to use a key for the object that the call is about.
pub(crate) const fn key(action: &'static str) -> Operation {
    Operation::new("kms", action).implied()
}

/// Returns a policy condition on buckets that holds only while `account` owns them.
pub(crate) fn owned_by(account: &str) -> Value {
    json!({"StringEquals": {"aws:ResourceAccount": account}})
}

/// Returns the texts of links without a meaningful order, sorted.
pub(crate) fn texts(links: &[Link]) -> Vec<String> {
    let mut texts: Vec<String> = links.iter().map(|link| link.text().to_owned()).collect();
    texts.sort();
    texts
}

/// Returns the meaning of the error codes of the service with this IAM prefix.
#[cfg(feature = "aws")]
pub(crate) fn codes(service: &str) -> crate::aws::Codes {
    match service {
        "autoscaling" => autoscaling::CODES,
        "dynamodb" => dynamodb::CODES,
        "ec2" => ec2::CODES,
        "iam" => iam::CODES,
        "route53" => route53::CODES,
        "s3" => s3::CODES,
        "sqs" => sqs::CODES,
        _ => crate::aws::Codes::default(),
    }
}

#[cfg(all(test, feature = "aws"))]
mod tests {
    use super::codes;

    #[test]
    fn a_limit_is_what_its_service_means_by_it() {
        let code = "LimitExceededException";
        assert!(codes("dynamodb").is_throttling(code) && !codes("dynamodb").is_quota(code));
        for service in ["ssm", "cloudwatch", "sqs"] {
            assert!(codes(service).is_quota(code) && !codes(service).is_throttling(code), "{service}");
        }
        assert!(codes("ec2").is_quota("VcpuLimitExceeded") && !codes("s3").is_quota("VcpuLimitExceeded"));
    }
}
