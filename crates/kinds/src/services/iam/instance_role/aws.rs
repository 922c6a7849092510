use std::collections::BTreeSet;

use drstack_core::cloud::{Call, CloudError};
use drstack_core::kind::FieldChange;

use super::{InstanceRole, InstanceRoleLive, InstanceRoleSpec, policy, trust};
use crate::aws::tags::{owned, owner_by_name};
use crate::aws::{Driver, Looked, Seen, Target};
use crate::services::iam::calls as iam;

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
