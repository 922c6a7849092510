use std::collections::BTreeSet;

use drstack_core::cloud::{Call, CloudError};
use drstack_core::kind::FieldChange;

use super::{InstanceProfile, InstanceProfileLive, InstanceProfileSpec};
use crate::aws::tags::{Tags, owned, owner_by_name};
use crate::aws::{Driver, Looked, Seen, Target, absent, each, has_code};
use crate::services::iam::calls as iam;

const NONE: &[&str] = &["NoSuchEntity", "NoSuchEntityException"];

impl Driver for InstanceProfile {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<InstanceProfileLive> {
        each(ids, |name| async move { look(at, &name).await }).await
    }

    async fn list_owned(
        at: &Target<'_>,
        except: &[String],
    ) -> Result<Vec<Seen<InstanceProfileLive>>, CloudError> {
        let mut names = Vec::new();
        let mut pages = at.iam().list_instance_profiles().path_prefix(iam::path(at)).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| at.failed("iam:ListInstanceProfiles", error))?;
            names.extend(page.instance_profiles.into_iter().map(|it| it.instance_profile_name));
        }
        let except: BTreeSet<&String> = except.iter().collect();
        names.retain(|name| !except.contains(name));
        let all = each(&names, |name| async move { look(at, &name).await }).await;
        all.into_iter().filter_map(Result::transpose).collect()
    }

    async fn create(
        at: &Target<'_>,
        call: &Call,
        spec: &InstanceProfileSpec,
    ) -> Result<Seen<InstanceProfileLive>, CloudError> {
        const OPERATION: &str = "iam:CreateInstanceProfile";
        let tags = iam::tag_list(OPERATION, &owned(call, spec))?;
        let make = at.iam().create_instance_profile().instance_profile_name(&spec.name);
        match make.path(iam::path(at)).set_tags(Some(tags)).send().await {
            Ok(_) => {}
            Err(error) if has_code(&error, &["EntityAlreadyExists", "EntityAlreadyExistsException"]) => {}
            Err(error) => return Err(at.failed(OPERATION, error)),
        }
        let gone = || CloudError::Conflict {
            operation: OPERATION.to_owned(),
            message: format!("`{}` is not known everywhere yet", spec.name),
        };
        let found = look(at, &spec.name).await?.ok_or_else(gone)?;
        match found.owner.is_ours() {
            // The update that follows adds the role, where the change is visible.
            true => Ok(found),
            false => Err(CloudError::Invalid {
                operation: OPERATION.to_owned(),
                code: "EntityAlreadyExists".to_owned(),
                message: format!("instance profile `{}` exists and is not this stack's", spec.name),
            }),
        }
    }

    async fn update(
        at: &Target<'_>,
        call: &Call,
        name: &str,
        spec: &InstanceProfileSpec,
        changes: &[FieldChange],
    ) -> Result<(), CloudError> {
        if changes.iter().any(FieldChange::is_of_address) {
            const TAG: &str = "iam:TagInstanceProfile";
            let tag = at.iam().tag_instance_profile().instance_profile_name(name);
            let tag = tag.set_tags(Some(iam::tag_list(TAG, &owned(call, spec))?)).send().await;
            tag.map_err(|error| at.failed(TAG, error))?;
        }
        let live = look(at, name).await?.map(|seen| seen.live.role).unwrap_or_default();
        if live == spec.role.text() {
            return Ok(());
        }
        empty(at, name, &live).await?;
        let put = at.iam().add_role_to_instance_profile().instance_profile_name(name);
        let put = put.role_name(spec.role.text()).send().await;
        put.map(drop).map_err(|error| at.failed("iam:AddRoleToInstanceProfile", error))
    }

    async fn delete(at: &Target<'_>, _: &Call, name: &str) -> Result<(), CloudError> {
        let Some(seen) = look(at, name).await? else { return Ok(()) };
        empty(at, name, &seen.live.role).await?;
        let gone = at.iam().delete_instance_profile().instance_profile_name(name).send().await;
        absent(at, "iam:DeleteInstanceProfile", NONE, gone).map(drop)
    }
}

async fn empty(at: &Target<'_>, name: &str, role: &str) -> Result<(), CloudError> {
    if role.is_empty() {
        return Ok(());
    }
    let gone = at.iam().remove_role_from_instance_profile().instance_profile_name(name);
    let gone = gone.role_name(role).send().await;
    absent(at, "iam:RemoveRoleFromInstanceProfile", NONE, gone).map(drop)
}

async fn look(at: &Target<'_>, name: &str) -> Result<Option<Seen<InstanceProfileLive>>, CloudError> {
    let answer = at.iam().get_instance_profile().instance_profile_name(name).send().await;
    let answer = absent(at, "iam:GetInstanceProfile", NONE, answer)?;
    let Some(profile) = answer.and_then(|it| it.instance_profile) else { return Ok(None) };
    let tags: Tags = profile.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect();
    let role = profile.roles.into_iter().next().map(|role| role.role_name).unwrap_or_default();
    let live = InstanceProfileLive { role };
    Ok(Some(Seen { id: name.to_owned(), owner: owner_by_name(&tags, at.scope, name), live }))
}
