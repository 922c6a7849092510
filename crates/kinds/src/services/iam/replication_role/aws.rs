use std::collections::BTreeSet;

use drstack_core::cloud::{Call, CloudError};
use drstack_core::kind::FieldChange;

use super::{ReplicationRole, ReplicationRoleLive, ReplicationRoleSpec, policy, trust};
use crate::aws::tags::{owned, owner_by_name};
use crate::aws::{Driver, Looked, Seen, Target};
use crate::services::iam::calls as iam;

/// Last part of its address.
const RESOURCE: &str = "replication-role";

impl Driver for ReplicationRole {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<ReplicationRoleLive> {
        let roles = iam::roles_by_name(at, ids).await;
        ids.iter().zip(roles).map(|(id, role)| Ok(role?.map(|role| seen(at, id, role)))).collect()
    }

    async fn list_owned(
        at: &Target<'_>,
        except: &[String],
    ) -> Result<Vec<Seen<ReplicationRoleLive>>, CloudError> {
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
        spec: &ReplicationRoleSpec,
    ) -> Result<Seen<ReplicationRoleLive>, CloudError> {
        let tags = owned(call, spec);
        iam::create_role(at, &spec.name, Some(&spec.source), &trust(), &policy(spec), &tags).await?;
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
        spec: &ReplicationRoleSpec,
        _: &[FieldChange],
    ) -> Result<(), CloudError> {
        let tags = owned(call, spec);
        iam::update_role(at, name, &trust(), &policy(spec), &tags).await
    }

    async fn delete(at: &Target<'_>, _: &Call, name: &str) -> Result<(), CloudError> {
        iam::delete_role(at, name).await
    }
}

async fn look(at: &Target<'_>, name: &str) -> Result<Option<Seen<ReplicationRoleLive>>, CloudError> {
    Ok(iam::role(at, name).await?.map(|role| seen(at, name, role)))
}

fn seen(at: &Target<'_>, name: &str, role: iam::Role) -> Seen<ReplicationRoleLive> {
    let owner = owner_by_name(&role.tags, at.scope, name);
    Seen {
        id: name.to_owned(),
        owner,
        live: ReplicationRoleLive { arn: role.arn, trust: role.trust, policy: role.policy },
    }
}
