//! The writer fence kind: an inline policy that denies a user's role to write the primary's data
//! while the standby serves.
//!
//! IAM changes go through one region for all, so a failover leaves the policy as it is. The first
//! apply after it, which the primary answers, writes the policy, and a failback begins with lifting
//! it.

use drstack_core::kind::{Capabilities, Erased, FieldChange, Kind, Lookup, Operation, Place, Rights, Role};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::rights;
use crate::services::operation;

/// The desired state of a writer fence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WriterFenceSpec {
    /// The role's name.
    pub role: String,
    /// True if writes are denied.
    pub denied: bool,
    /// The primary's buckets.
    pub buckets: Vec<String>,
    /// The primary's tables.
    pub tables: Vec<String>,
    /// The primary region.
    pub region: String,
    /// Its partition.
    pub partition: String,
    /// Statements beside these, which the role has while the standby region serves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Value>,
}

/// A writer fence as IAM reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WriterFenceLive {
    /// This stack's policy on the role; null if there is none.
    pub policy: Value,
}

/// Actions that write objects, as the Service Authorization Reference names them. Parts of an
/// upload are `PutObject` too.
const OBJECTS: [&str; 3] = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject"];

/// Actions that write items. A transaction needs the permission for each action in it.
const ITEMS: [&str; 7] = [
    "dynamodb:BatchWriteItem",
    "dynamodb:DeleteItem",
    "dynamodb:PartiQLDelete",
    "dynamodb:PartiQLInsert",
    "dynamodb:PartiQLUpdate",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
];

/// Returns the policy that denies these actions, whatever other policies allow.
///
/// Tables have the same name in both regions, so the statement for tables covers the primary region
/// only.
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
    statements.extend(spec.also.iter().cloned());
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn wanted(spec: &WriterFenceSpec) -> Value {
    if spec.denied { policy(spec) } else { Value::Null }
}

/// The writer fence kind.
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
    const CAPABILITIES: Capabilities =
        Capabilities { needs_both_regions: true, rights: Some(&Erased::<Self>::NEW), ..Capabilities::NONE };
    type Spec = WriterFenceSpec;
    type Live = WriterFenceLive;

    fn diff(spec: &WriterFenceSpec, live: &WriterFenceLive) -> Vec<FieldChange> {
        FieldChange::of("policy", &live.policy, &wanted(spec)).into_iter().collect()
    }

    fn expect(spec: &WriterFenceSpec, _id: &str) -> WriterFenceLive {
        WriterFenceLive { policy: wanted(spec) }
    }
}

impl Rights for WriterFence {
    fn with_those_of(spec: &WriterFenceSpec, live: &WriterFenceLive) -> Option<WriterFenceSpec> {
        let also = rights::beside(&live.policy, &policy(spec));
        (spec.denied && !also.is_empty()).then(|| WriterFenceSpec { also, ..spec.clone() })
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
            also: Vec::new(),
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
