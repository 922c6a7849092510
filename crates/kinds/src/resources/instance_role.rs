//! The role of a pool's instances: they may read what the stack names, and nothing else.

use std::collections::BTreeMap;

use drstack_core::kind::{FieldChange, Halfway, Kind, Lookup, Operation, Place};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{operation, owned_by};

/// What is wanted.
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
}

/// What IAM reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceRoleLive {
    /// Who may take it on.
    pub trust: Value,
    /// What it may do; null where the inline policy is missing.
    pub policy: Value,
}

/// Who may take it on: EC2.
pub fn trust() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    })
}

/// Reading the buckets and tables that the stack names.
pub fn policy(spec: &InstanceRoleSpec) -> Value {
    let objects: Vec<String> = spec.buckets.iter().map(|bucket| format!("{bucket}/*")).collect();
    let indexes = spec.tables.iter().flat_map(|table| [table.clone(), format!("{table}/index/*")]);
    let items: Vec<String> = indexes.collect();
    let allow = |actions: &[&str], on: &[String]| {
        (!on.is_empty()).then(|| json!({"Effect": "Allow", "Action": actions, "Resource": on}))
    };
    // The ARN of a bucket does not say whose it is; that of a table does.
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
    json!({"Version": "2012-10-17", "Statement": statements.into_iter().flatten().collect::<Vec<_>>()})
}

/// See the module.
pub struct InstanceRole;

impl Kind for InstanceRole {
    const NAME: &'static str = "instance-role";
    const SUMMARY: &'static str = "IAM role of a pool's instances, allowed to read what the stack names";
    const LOOKUP: Lookup = Lookup::Name;
    const KEEPS_NAME: bool = true;
    const PLACES: &'static [Place] = &[Place::Global];
    const OPERATIONS: &'static [Operation] = &[
        operation("iam", "CreateRole"),
        operation("iam", "DeleteRole"),
        operation("iam", "DeleteRolePolicy"),
        operation("iam", "GetAccountAuthorizationDetails"),
        operation("iam", "GetRole"),
        operation("iam", "GetRolePolicy"),
        operation("iam", "ListRoles"),
        operation("iam", "PutRolePolicy"),
        operation("iam", "TagRole"),
        operation("iam", "UpdateAssumeRolePolicy"),
    ];
    type Spec = InstanceRoleSpec;
    type Live = InstanceRoleLive;

    fn diff(spec: &InstanceRoleSpec, live: &InstanceRoleLive) -> Vec<FieldChange> {
        let changes = [
            FieldChange::of("trust", &live.trust, &trust()),
            FieldChange::of("policy", &live.policy, &policy(spec)),
        ];
        changes.into_iter().flatten().collect()
    }

    fn under_its_name(spec: &InstanceRoleSpec, id: &str, _live: &InstanceRoleLive) -> InstanceRoleSpec {
        InstanceRoleSpec { name: id.to_owned(), ..spec.clone() }
    }

    fn expect(spec: &InstanceRoleSpec, _id: &str) -> InstanceRoleLive {
        InstanceRoleLive { trust: trust(), policy: policy(spec) }
    }

    /// Its policy takes a call of its own.
    fn halfway(_spec: &InstanceRoleSpec, _id: &str) -> Vec<Halfway<InstanceRoleLive>> {
        vec![Halfway::tagged(InstanceRoleLive { trust: trust(), policy: Value::Null })]
    }

    fn outputs(id: &str, _live: &InstanceRoleLive) -> BTreeMap<String, String> {
        BTreeMap::from([("id".to_owned(), id.to_owned())])
    }
}

#[cfg(feature = "aws")]
mod aws {
    use std::collections::BTreeSet;

    use drstack_core::cloud::{Call, CloudError};
    use drstack_core::kind::FieldChange;

    use super::{InstanceRole, InstanceRoleLive, InstanceRoleSpec, policy, trust};
    use crate::aws::tags::{owned, owner_by_name};
    use crate::aws::{Driver, Looked, Seen, Target, iam};

    /// Last part of its address.
    const RESOURCE: &str = "instance-role";

    impl Driver for InstanceRole {
        async fn read(at: &Target<'_>, ids: &[String]) -> Looked<InstanceRoleLive> {
            let roles = iam::roles_by_name(at, ids).await;
            ids.iter().zip(roles).map(|(id, role)| Ok(role?.map(|role| seen(at, id, role)))).collect()
        }

        async fn list_owned(
            at: &Target<'_>,
            except: &[String],
        ) -> Result<Vec<Seen<InstanceRoleLive>>, CloudError> {
            let mut names = iam::role_names(at).await?;
            let except: BTreeSet<&String> = except.iter().collect();
            names.retain(|name| !except.contains(name));
            let all = Self::read(at, &names).await;
            let all: Result<Vec<_>, _> = all.into_iter().filter_map(Result::transpose).collect();
            Ok(all?.into_iter().filter(|seen| iam::is_for(&seen.owner, RESOURCE)).collect())
        }

        async fn create(
            at: &Target<'_>,
            call: &Call,
            spec: &InstanceRoleSpec,
        ) -> Result<Seen<InstanceRoleLive>, CloudError> {
            let tags = owned(call, spec);
            iam::create_role(at, &spec.name, None, &trust(), &policy(spec), &tags).await?;
            let gone = || CloudError::Conflict {
                operation: "iam:CreateRole".to_owned(),
                message: format!("`{}` is not known everywhere yet", spec.name),
            };
            look(at, &spec.name).await?.ok_or_else(gone)
        }

        async fn update(
            at: &Target<'_>,
            call: &Call,
            name: &str,
            spec: &InstanceRoleSpec,
            _: &[FieldChange],
        ) -> Result<(), CloudError> {
            let tags = owned(call, spec);
            iam::update_role(at, name, &trust(), &policy(spec), &tags).await
        }

        async fn delete(at: &Target<'_>, _: &Call, name: &str) -> Result<(), CloudError> {
            iam::delete_role(at, name).await
        }
    }

    async fn look(at: &Target<'_>, name: &str) -> Result<Option<Seen<InstanceRoleLive>>, CloudError> {
        Ok(iam::role(at, name).await?.map(|role| seen(at, name, role)))
    }

    fn seen(at: &Target<'_>, name: &str, role: iam::Role) -> Seen<InstanceRoleLive> {
        let owner = owner_by_name(&role.tags, at.scope, name);
        Seen { id: name.to_owned(), owner, live: InstanceRoleLive { trust: role.trust, policy: role.policy } }
    }
}
