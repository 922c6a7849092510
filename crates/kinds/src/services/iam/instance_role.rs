//! The instance role kind: a pool's instances may read what the stack names, and nothing else.

use drstack_core::kind::{
    Capabilities, Erased, FieldChange, Halfway, KeepsName, Kind, Lookup, Operation, Place, Rights, Staged,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{bounded, rights};
use crate::kms;
use crate::services::{operation, owned_by};

/// The desired state of an instance role.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstanceRoleSpec {
    /// Its name.
    pub name: String,
    /// The account that has to own the buckets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// ARNs of buckets whose objects may be read.
    pub buckets: Vec<String>,
    /// ARNs of tables that may be read.
    pub tables: Vec<String>,
    /// ARNs of the keys that the objects are under.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// ARN of the stack's parameters; none if it has no fence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<String>,
    /// Statements beside these, which the role has while the standby region serves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Value>,
    /// ARN of the policy that bounds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions_boundary: Option<String>,
}

/// An instance role as IAM reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceRoleLive {
    /// The trust policy.
    pub trust: Value,
    /// The permissions; null if the inline policy is missing.
    pub policy: Value,
    /// ARN of the policy that bounds it; none if nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions_boundary: Option<String>,
}

/// Returns the trust policy: EC2 may assume the role.
pub fn trust() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    })
}

/// Returns the permissions: read the buckets and tables that the stack names.
pub fn policy(spec: &InstanceRoleSpec) -> Value {
    let objects: Vec<String> = spec.buckets.iter().map(|bucket| format!("{bucket}/*")).collect();
    let indexes = spec.tables.iter().flat_map(|table| [table.clone(), format!("{table}/index/*")]);
    let items: Vec<String> = indexes.collect();
    let allow = |actions: &[&str], on: &[String]| {
        (!on.is_empty()).then(|| json!({"Effect": "Allow", "Action": actions, "Resource": on}))
    };
    // The ARN of a bucket does not contain the account; that of a table does.
    let of_account = |mut statement: Value| {
        if let Some(account) = &spec.account {
            statement["Condition"] = owned_by(account);
        }
        statement
    };
    let statements = [
        allow(&["s3:ListBucket"], &spec.buckets).map(of_account),
        allow(&["s3:GetObject"], &objects).map(of_account),
        allow(
            &["dynamodb:BatchGetItem", "dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:Query"],
            &items,
        ),
    ];
    let keys = spec.keys.iter().filter_map(|key| kms::allow("kms:Decrypt", key));
    let parameters = allow(&["ssm:GetParameter", "ssm:GetParameters"], spec.parameters.as_slice());
    let statements = statements.into_iter().flatten().chain(keys).chain(parameters);
    let statements: Vec<Value> = statements.chain(spec.also.iter().cloned()).collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// The instance role kind.
pub struct InstanceRole;

impl Kind for InstanceRole {
    const NAME: &'static str = "instance-role";
    const SUMMARY: &'static str = "IAM role of a pool's instances, allowed to read what the stack names";
    const LOOKUP: Lookup = Lookup::Name;
    const PLACES: &'static [Place] = &[Place::Global];
    const OPERATIONS: &'static [Operation] = &[
        operation("iam", "CreateRole"),
        operation("iam", "DeleteRole"),
        operation("iam", "DeleteRolePolicy"),
        operation("iam", "GetAccountAuthorizationDetails"),
        operation("iam", "GetRole"),
        operation("iam", "GetRolePolicy"),
        operation("iam", "ListRoles"),
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
    type Spec = InstanceRoleSpec;
    type Live = InstanceRoleLive;

    fn diff(spec: &InstanceRoleSpec, live: &InstanceRoleLive) -> Vec<FieldChange> {
        let changes = [
            bounded(&spec.permissions_boundary, &live.permissions_boundary),
            FieldChange::of("trust", &live.trust, &trust()),
            FieldChange::of("policy", &live.policy, &policy(spec)),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &InstanceRoleSpec, _id: &str) -> InstanceRoleLive {
        InstanceRoleLive {
            trust: trust(),
            policy: policy(spec),
            permissions_boundary: spec.permissions_boundary.clone(),
        }
    }
}

impl KeepsName for InstanceRole {
    const NAME_IS_ID: bool = true;

    fn under_its_name(spec: &InstanceRoleSpec, id: &str, _live: &InstanceRoleLive) -> InstanceRoleSpec {
        InstanceRoleSpec { name: id.to_owned(), ..spec.clone() }
    }
}

impl Rights for InstanceRole {
    fn with_those_of(spec: &InstanceRoleSpec, live: &InstanceRoleLive) -> Option<InstanceRoleSpec> {
        let also = rights::beside(&live.policy, &policy(spec));
        (!also.is_empty()).then(|| InstanceRoleSpec { also, ..spec.clone() })
    }
}

impl Staged for InstanceRole {
    /// Its policy takes one more call.
    fn halfway(spec: &InstanceRoleSpec, id: &str) -> Vec<Halfway<InstanceRoleLive>> {
        vec![Halfway::tagged(InstanceRoleLive { policy: Value::Null, ..Self::expect(spec, id) })]
    }
}

#[cfg(feature = "aws")]
mod aws;
