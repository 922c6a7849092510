//! Control planes that one region hosts for the whole partition.
//!
//! Source: AWS whitepaper "AWS Fault Isolation Boundaries", appendix A (partitional services).

/// IAM prefix of the service, the actions that go there (empty: all), and a readable name.
const HOMES: &[(&str, &[&str], &str)] = &[
    ("account", &[], "the account's control plane (us-east-1)"),
    ("iam", &[], "IAM's control plane (us-east-1)"),
    ("organizations", &[], "the control plane of Organizations (us-east-1)"),
    ("route53", &[], "Route 53's control plane (us-east-1)"),
    // A regional service whose names one region manages.
    ("s3", &["CreateBucket", "DeleteBucket"], "S3's bucket names (us-east-1)"),
];

/// Returns the control plane that the call goes to; `None` if it stays in its region.
pub(crate) const fn home(service: &str, action: &str) -> Option<&'static str> {
    let mut at = 0;
    while at < HOMES.len() {
        let (of, actions, home) = HOMES[at];
        if is(of, service) && (actions.is_empty() || is_among(actions, action)) {
            return Some(home);
        }
        at += 1;
    }
    None
}

/// True for services that have no control plane in any other region.
#[cfg(feature = "aws")]
pub(crate) fn is_partitional(service: &str) -> bool {
    HOMES.iter().any(|(of, actions, _)| *of == service && actions.is_empty())
}

const fn is_among(all: &[&str], text: &str) -> bool {
    let mut at = 0;
    while at < all.len() {
        if is(all[at], text) {
            return true;
        }
        at += 1;
    }
    false
}

/// Compares two texts, because `==` is not `const` yet.
const fn is(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::home;

    #[test]
    fn only_what_one_region_keeps_for_all_has_a_home() {
        assert!(home("iam", "GetRole").is_some() && home("route53", "ChangeResourceRecordSets").is_some());
        assert!(home("s3", "CreateBucket").is_some() && home("s3", "DeleteBucket").is_some());
        assert!(home("s3", "PutObject").is_none() && home("ec2", "DescribeVpcs").is_none());
        assert!(home("autoscaling", "UpdateAutoScalingGroup").is_none());
    }
}
