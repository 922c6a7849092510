//! The role S3 takes on to replicate one bucket: allowed that, and nothing else.

use std::collections::BTreeMap;

use drstack_core::kind::{DataRole, FieldChange, Kind, Lookup, Operation, Place};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::operation;

/// What is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReplicationRoleSpec {
    /// Its name.
    pub name: String,
    /// The primary bucket.
    pub source: String,
    /// The standby bucket.
    pub destination: String,
}

/// What IAM reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplicationRoleLive {
    /// Its ARN.
    pub arn: String,
    /// Who may take it on.
    pub trust: Value,
    /// What it may do; null where the inline policy is missing.
    pub policy: Value,
}

/// Who may take it on: S3.
pub fn trust() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    })
}

/// What replication needs, as S3's documentation lists it.
pub fn policy(spec: &ReplicationRoleSpec) -> Value {
    let (source, destination) =
        (format!("arn:aws:s3:::{}", spec.source), format!("arn:aws:s3:::{}", spec.destination));
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"], "Resource": source},
            {"Effect": "Allow", "Action": ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"],
             "Resource": format!("{source}/*")},
            {"Effect": "Allow", "Action": ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
             "Resource": format!("{destination}/*")},
        ],
    })
}

/// See the module.
pub struct ReplicationRole;

impl Kind for ReplicationRole {
    const NAME: &'static str = "replication-role";
    const SUMMARY: &'static str = "IAM role with which S3 replicates one bucket";
    const LOOKUP: Lookup = Lookup::Name;
    const PLACES: &'static [Place] = &[Place::Global];
    const DATA: DataRole = DataRole::Feeds;
    const OPERATIONS: &'static [Operation] = &[
        operation("iam", "CreateRole"),
        operation("iam", "DeleteRole"),
        operation("iam", "DeleteRolePolicy"),
        operation("iam", "GetRole"),
        operation("iam", "GetRolePolicy"),
        operation("iam", "ListRoles"),
        operation("iam", "PassRole"),
        operation("iam", "PutRolePolicy"),
        operation("iam", "TagRole"),
        operation("iam", "UpdateAssumeRolePolicy"),
    ];
    type Spec = ReplicationRoleSpec;
    type Live = ReplicationRoleLive;

    fn diff(spec: &ReplicationRoleSpec, live: &ReplicationRoleLive) -> Vec<FieldChange> {
        let changes = [
            FieldChange::of("trust", &live.trust, &trust()),
            FieldChange::of("policy", &live.policy, &policy(spec)),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &ReplicationRoleSpec, id: &str) -> ReplicationRoleLive {
        ReplicationRoleLive {
            arn: format!("arn:aws:iam::000000000000:role/{id}"),
            trust: trust(),
            policy: policy(spec),
        }
    }

    fn outputs(id: &str, live: &ReplicationRoleLive) -> BTreeMap<String, String> {
        [("id", id), ("arn", live.arn.as_str())]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }
}
