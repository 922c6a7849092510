//! The replication role kind: S3 assumes it to replicate one bucket; it allows nothing else.

use std::collections::BTreeMap;

use drstack_core::kind::{
    Capabilities, Erased, FieldChange, Halfway, KeepsName, Kind, Lookup, Operation, Place, Rights, Role,
    Staged,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::rights;
use crate::kms;
use crate::services::iam::bounded;
use crate::services::{operation, owned_by};

/// The desired state of a replication role.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReplicationRoleSpec {
    /// Its name.
    pub name: String,
    /// The primary bucket.
    pub source: String,
    /// The standby bucket.
    pub destination: String,
    /// Partition of both.
    pub partition: String,
    /// Key of the standby region that encrypts the replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Key of the primary bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_kms_key: Option<String>,
    /// The account that has to own both buckets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// ARN of the policy that bounds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions_boundary: Option<String>,
    /// Statements beside these, which the role has while the standby region serves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Value>,
}

/// A replication role as IAM reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplicationRoleLive {
    /// Its ARN.
    pub arn: String,
    /// The trust policy.
    pub trust: Value,
    /// The permissions; null if the inline policy is missing.
    pub policy: Value,
    /// ARN of the policy that bounds it; none if nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions_boundary: Option<String>,
}

/// Returns the trust policy: S3 may assume the role, for the buckets of its own account.
///
/// S3's documentation of replication roles names no condition key, so the condition holds where S3
/// sends the key and excludes nothing where it does not.
pub fn trust(spec: &ReplicationRoleSpec) -> Value {
    let mut statement = json!({
        "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole",
    });
    if let Some(account) = &spec.account {
        statement["Condition"] = json!({"StringEqualsIfExists": {"aws:SourceAccount": account}});
    }
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

/// Returns the permissions that replication needs, as S3's documentation lists them.
pub fn policy(spec: &ReplicationRoleSpec) -> Value {
    let arn = |bucket: &str| format!("arn:{}:s3:::{bucket}", spec.partition);
    let (source, destination) = (arn(&spec.source), arn(&spec.destination));
    let mut statements = vec![
        json!({"Effect": "Allow", "Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"], "Resource": source}),
        json!({"Effect": "Allow", "Action": ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"],
            "Resource": format!("{source}/*")}),
        json!({"Effect": "Allow", "Action": ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
            "Resource": format!("{destination}/*")}),
    ];
    // The ARN of a bucket does not contain the account.
    if let Some(account) = &spec.account {
        for statement in &mut statements {
            statement["Condition"] = owned_by(account);
        }
    }
    let granted = [(&spec.source_kms_key, "kms:Decrypt"), (&spec.kms_key, "kms:Encrypt")];
    statements.extend(granted.into_iter().filter_map(|(key, action)| kms::allow(action, key.as_deref()?)));
    statements.extend(spec.also.iter().cloned());
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// The replication role kind.
pub struct ReplicationRole;

impl Kind for ReplicationRole {
    const NAME: &'static str = "replication-role";
    const SUMMARY: &'static str = "IAM role with which S3 replicates one bucket";
    const LOOKUP: Lookup = Lookup::Name;
    const PLACES: &'static [Place] = &[Place::Global];
    const ROLE: Role = Role::Feed;
    const OPERATIONS: &'static [Operation] = &[
        operation("iam", "CreateRole"),
        operation("iam", "DeleteRole"),
        operation("iam", "DeleteRolePolicy"),
        operation("iam", "GetAccountAuthorizationDetails"),
        operation("iam", "GetRole"),
        operation("iam", "GetRolePolicy"),
        operation("iam", "ListRoles"),
        operation("iam", "PassRole").implied(),
        operation("iam", "PutRolePermissionsBoundary"),
        operation("iam", "PutRolePolicy"),
        operation("iam", "TagRole"),
        operation("iam", "UpdateAssumeRolePolicy"),
    ];
    const CAPABILITIES: Capabilities = Capabilities {
        keeps_name: Some(&Erased::<Self>::NEW),
        rights: Some(&Erased::<Self>::NEW),
        staged: Some(&Erased::<Self>::NEW),
        ..Capabilities::NONE
    };
    type Spec = ReplicationRoleSpec;
    type Live = ReplicationRoleLive;

    fn diff(spec: &ReplicationRoleSpec, live: &ReplicationRoleLive) -> Vec<FieldChange> {
        let changes = [
            bounded(&spec.permissions_boundary, &live.permissions_boundary),
            FieldChange::of("trust", &live.trust, &trust(spec)),
            FieldChange::of("policy", &live.policy, &policy(spec)),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &ReplicationRoleSpec, id: &str) -> ReplicationRoleLive {
        ReplicationRoleLive {
            arn: format!("arn:aws:iam::000000000000:role/{id}"),
            trust: trust(spec),
            policy: policy(spec),
            permissions_boundary: spec.permissions_boundary.clone(),
        }
    }

    fn outputs(id: &str, live: &ReplicationRoleLive) -> BTreeMap<String, String> {
        [("id", id), ("arn", live.arn.as_str())]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }
}

impl KeepsName for ReplicationRole {
    const NAME_IS_ID: bool = true;

    fn under_its_name(
        spec: &ReplicationRoleSpec,
        id: &str,
        _live: &ReplicationRoleLive,
    ) -> ReplicationRoleSpec {
        ReplicationRoleSpec { name: id.to_owned(), ..spec.clone() }
    }
}

impl Rights for ReplicationRole {
    fn with_those_of(spec: &ReplicationRoleSpec, live: &ReplicationRoleLive) -> Option<ReplicationRoleSpec> {
        let also = rights::beside(&live.policy, &policy(spec));
        (!also.is_empty()).then(|| ReplicationRoleSpec { also, ..spec.clone() })
    }
}

impl Staged for ReplicationRole {
    /// Its policy takes one more call.
    fn halfway(spec: &ReplicationRoleSpec, id: &str) -> Vec<Halfway<ReplicationRoleLive>> {
        vec![Halfway::tagged(ReplicationRoleLive { policy: Value::Null, ..Self::expect(spec, id) })]
    }
}

#[cfg(feature = "aws")]
mod aws;

#[cfg(test)]
mod tests {
    use super::*;

    /// F6
    #[test]
    fn only_the_account_of_the_stack_may_have_s3_assume_the_role() {
        let spec = |account: Option<&str>| ReplicationRoleSpec {
            name: "r".into(),
            source: "a".into(),
            destination: "b".into(),
            partition: "aws".into(),
            kms_key: None,
            source_kms_key: None,
            account: account.map(str::to_owned),
            permissions_boundary: None,
            also: Vec::new(),
        };
        let condition = |account| trust(&spec(account))["Statement"][0]["Condition"].clone();
        let known = condition(Some("123456789012"));
        assert_eq!(known, json!({"StringEqualsIfExists": {"aws:SourceAccount": "123456789012"}}));
        assert_eq!(condition(None), Value::Null);
        let mut live = ReplicationRole::expect(&spec(Some("123456789012")), "r");
        live.trust = trust(&spec(None));
        let changes = ReplicationRole::diff(&spec(Some("123456789012")), &live);
        assert_eq!(changes.iter().map(|it| it.field.as_str()).collect::<Vec<_>>(), ["trust"]);
    }
}
