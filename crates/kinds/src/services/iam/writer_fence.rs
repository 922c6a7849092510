//! A fence around a writer of the primary region: an inline policy on a role of the user's that denies it to write the primary's
//! data while the standby region serves. IAM is changed from one region for all, so a failover leaves it as it is; the first
//! apply after it, which the primary answers, puts the policy, and a failback begins with lifting it.

use drstack_core::kind::{Capabilities, FieldChange, Kind, Lookup, Operation, Place, Role};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::services::operation;

/// What is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WriterFenceSpec {
    /// The role's name.
    pub role: String,
    /// Whether it is denied to write.
    pub denied: bool,
    /// The primary's buckets.
    pub buckets: Vec<String>,
    /// The primary's tables.
    pub tables: Vec<String>,
    /// The primary region.
    pub region: String,
    /// Its partition.
    pub partition: String,
}

/// What IAM reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WriterFenceLive {
    /// This stack's policy on the role; null where there is none.
    pub policy: Value,
}

/// What writes objects, as the Service Authorization Reference names it. Parts of an upload are `PutObject` too.
const OBJECTS: [&str; 3] = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject"];

/// What writes items. A transaction is allowed by what is in it.
const ITEMS: [&str; 7] = [
    "dynamodb:BatchWriteItem",
    "dynamodb:DeleteItem",
    "dynamodb:PartiQLDelete",
    "dynamodb:PartiQLInsert",
    "dynamodb:PartiQLUpdate",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
];

/// What denies it: a denial counts whatever other policies allow. Tables have the same name in both regions, so theirs is for the
/// primary region alone.
pub fn policy(spec: &WriterFenceSpec) -> Value {
    let mut statements = Vec::new();
    if !spec.buckets.is_empty() {
        let arns = spec.buckets.iter().map(|bucket| format!("arn:{}:s3:::{bucket}/*", spec.partition));
        let arns: Vec<String> = arns.collect();
        statements
            .push(json!({"Sid": "PrimaryObjects", "Effect": "Deny", "Action": OBJECTS, "Resource": arns}));
    }
    if !spec.tables.is_empty() {
        let arn = |table: &String| format!("arn:{}:dynamodb:{}:*:table/{table}", spec.partition, spec.region);
        let arns: Vec<String> = spec.tables.iter().map(arn).collect();
        statements.push(json!({
            "Sid": "PrimaryItems", "Effect": "Deny", "Action": ITEMS, "Resource": arns,
            "Condition": {"StringEquals": {"aws:RequestedRegion": spec.region}},
        }));
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn wanted(spec: &WriterFenceSpec) -> Value {
    if spec.denied { policy(spec) } else { Value::Null }
}

/// See the module.
pub struct WriterFence;

impl Kind for WriterFence {
    const NAME: &'static str = "writer-fence";
    const SUMMARY: &'static str =
        "inline policy that denies a role to write the primary's data while the standby serves";
    const LOOKUP: Lookup = Lookup::Name;
    const PLACES: &'static [Place] = &[Place::Global];
    const ROLE: Role = Role::Setting;
    const OPERATIONS: &'static [Operation] = &[
        operation("iam", "DeleteRolePolicy"),
        operation("iam", "GetRole"),
        operation("iam", "GetRolePolicy"),
        operation("iam", "PutRolePolicy"),
    ];
    const CAPABILITIES: Capabilities = Capabilities { needs_both_regions: true, ..Capabilities::NONE };
    type Spec = WriterFenceSpec;
    type Live = WriterFenceLive;

    fn diff(spec: &WriterFenceSpec, live: &WriterFenceLive) -> Vec<FieldChange> {
        FieldChange::of("policy", &live.policy, &wanted(spec)).into_iter().collect()
    }

    fn expect(spec: &WriterFenceSpec, _id: &str) -> WriterFenceLive {
        WriterFenceLive { policy: wanted(spec) }
    }
}

#[cfg(feature = "aws")]
mod aws;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_denies_writes_of_the_primary_and_nothing_else() {
        let spec = WriterFenceSpec {
            role: "serving".into(),
            denied: true,
            buckets: vec!["acme-models".into()],
            tables: vec!["acme-features".into()],
            region: "us-east-1".into(),
            partition: "aws".into(),
        };
        assert_eq!(
            policy(&spec),
            json!({"Version": "2012-10-17", "Statement": [
                {"Sid": "PrimaryObjects", "Effect": "Deny",
                 "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject"],
                 "Resource": ["arn:aws:s3:::acme-models/*"]},
                {"Sid": "PrimaryItems", "Effect": "Deny",
                 "Action": ["dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:PartiQLDelete",
                    "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:PutItem", "dynamodb:UpdateItem"],
                 "Resource": ["arn:aws:dynamodb:us-east-1:*:table/acme-features"],
                 "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}},
            ]})
        );
        let lifted = WriterFenceSpec { denied: false, ..spec };
        assert_eq!(WriterFence::expect(&lifted, "serving").policy, Value::Null);
    }
}
