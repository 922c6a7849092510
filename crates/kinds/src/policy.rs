//! The IAM policy that drstack needs: the actions that kinds, facts and the control bucket declare,
//! and no other.

use std::collections::{BTreeMap, BTreeSet};

use drstack_core::kind::Operation;
use serde_json::{Value, json};

use crate::facts;
use crate::services::autoscaling::group::fleet::BURST;
use crate::services::operation;

/// Operations that the control bucket needs in addition to those of standby buckets.
pub const CONTROL: &[Operation] =
    &[operation("s3", "DeleteObject"), operation("s3", "GetObject"), operation("s3", "PutObject")];

/// Operations that compare the two sides of data.
pub const SIDES: &[Operation] = &[
    operation("cloudwatch", "GetMetricData"),
    operation("dynamodb", "DescribeTable"),
    operation("dynamodb", "Scan"),
    operation("s3", "ListBucketVersions"),
];

/// Paths of the roles and profiles that drstack creates.
const IAM_PATHS: [&str; 2] = ["arn:*:iam::*:role/drstack/*", "arn:*:iam::*:instance-profile/drstack/*"];
/// Services whose service-linked role AWS creates on first use.
const LINKED: [&str; 3] =
    ["autoscaling.amazonaws.com", "replication.dynamodb.amazonaws.com", "spot.amazonaws.com"];
/// Services that roles are passed to.
const PASSED_TO: [&str; 2] = ["ec2.amazonaws.com", "s3.amazonaws.com"];

/// Returns every declared operation, each once.
pub fn operations() -> BTreeSet<Operation> {
    let kinds = crate::kinds();
    let of_kinds = kinds.iter().flat_map(|kind| kind.operations().iter().copied());
    of_kinds
        .chain(facts::ALL.iter().flat_map(|(_, operations)| operations.iter().copied()))
        .chain(CONTROL.iter().chain(SIDES).copied())
        .collect()
}

/// Builds the policy: one statement per service; for IAM it is limited to objects that drstack
/// creates.
pub fn policy() -> Value {
    let mut by_service: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut statements = Vec::new();
    for Operation { service, action, .. } in operations() {
        let name = format!("{service}:{action}");
        match (service, action) {
            ("iam", "CreateServiceLinkedRole") => statements.push(json!({
                "Sid": "ServiceLinkedRoles", "Effect": "Allow", "Action": name, "Resource": "*",
                "Condition": {"StringEquals": {"iam:AWSServiceName": LINKED}},
            })),
            ("iam", "PassRole") => statements.push(json!({
                "Sid": "PassRole", "Effect": "Allow", "Action": name, "Resource": "*",
                "Condition": {"StringEquals": {"iam:PassedToService": PASSED_TO}},
            })),
            // Only instances that Fleet launched for a stack.
            ("ec2", "TerminateInstances") => statements.push(json!({
                "Sid": "LaunchedByFleet", "Effect": "Allow", "Action": name, "Resource": "*",
                "Condition": {"StringLike": {format!("aws:ResourceTag/{BURST}"): "*"}},
            })),
            // Listings are not limited to a path.
            ("iam", action) if action.starts_with("List") || action == "GetAccountAuthorizationDetails" => {
                by_service.entry("iam-list").or_default().push(name);
            }
            (service, _) => by_service.entry(service).or_default().push(name),
        }
    }
    for (service, actions) in by_service {
        let resource = if service == "iam" { json!(IAM_PATHS) } else { json!("*") };
        let sid: String = service.split('-').map(capital).collect();
        let mut statement = json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource});
        if service == "s3" {
            // No bucket of another account, whatever its policy allows.
            statement["Condition"] =
                json!({"StringEqualsIfExists": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}});
        }
        statements.push(statement);
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// Capitalizes `autoscaling` to `Autoscaling`: statement ids take letters and digits only.
fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `DRSTACK_BLESS=1` writes the file again.
    #[test]
    fn the_documented_policy_is_what_the_kinds_declare() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/iam-policy.json");
        let wanted = format!("{:#}\n", policy());
        if std::env::var_os("DRSTACK_BLESS").is_some() {
            std::fs::write(path, &wanted).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap();
        assert!(
            written == wanted,
            "docs/iam-policy.json is not what the kinds declare: run this test with DRSTACK_BLESS=1"
        );
    }
}
