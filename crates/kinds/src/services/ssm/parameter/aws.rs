use aws_sdk_ssm::types::{ParameterType, ResourceTypeForTagging, Tag};
use drstack_core::cloud::{Call, CloudError, Owner};
use drstack_core::kind::FieldChange;

use super::{Parameter, ParameterLive, ParameterSpec, folder};
use crate::aws::built;
use crate::aws::tags::{Tags, owned, owner};
use crate::aws::{Driver, Looked, Seen, Target, absent, each_of, has_code};

/// Error codes of Systems Manager for a missing parameter.
const NONE: &[&str] = &["ParameterNotFound"];
/// Maximum number of names in one `GetParameters`, by the API reference.
const AT_ONCE: usize = 10;

impl Driver for Parameter {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<ParameterLive> {
        let mut all = Vec::new();
        for names in ids.chunks(AT_ONCE) {
            let answer = at.ssm().get_parameters().set_names(Some(names.to_vec())).send().await;
            let answer = match answer {
                Ok(answer) => answer.parameters.unwrap_or_default(),
                Err(error) => {
                    let error = at.failed("ssm:GetParameters", error);
                    all.extend(names.iter().map(|_| Err(error.clone())));
                    continue;
                }
            };
            let found = names.iter().map(|name| {
                let found = answer.iter().find(|it| it.name.as_ref() == Some(name));
                (name.clone(), found.map(|it| it.value.clone().unwrap_or_default()))
            });
            all.extend(
                each_of(found.collect(), |(name, value)| async move {
                    let Some(value) = value else { return Ok(None) };
                    seen(at, name, value).await
                })
                .await,
            );
        }
        all
    }

    async fn list_owned(at: &Target<'_>, except: &[String]) -> Result<Vec<Seen<ParameterLive>>, CloudError> {
        let mut there = Vec::new();
        let list = at.ssm().get_parameters_by_path().path(folder(&at.scope.stack));
        let mut pages = list.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| at.failed("ssm:GetParametersByPath", error))?;
            for parameter in page.parameters.unwrap_or_default() {
                let (name, value) = (parameter.name.unwrap_or_default(), parameter.value.unwrap_or_default());
                if !except.contains(&name) {
                    there.push((name, value));
                }
            }
        }
        let all = each_of(there, |(name, value)| seen(at, name, value)).await;
        let all: Result<Vec<_>, _> = all.into_iter().filter_map(Result::transpose).collect();
        Ok(all?.into_iter().filter(|seen| seen.owner.claims()).collect())
    }

    async fn create(
        at: &Target<'_>,
        call: &Call,
        spec: &ParameterSpec,
    ) -> Result<Seen<ParameterLive>, CloudError> {
        const OPERATION: &str = "ssm:PutParameter";
        let put = at.ssm().put_parameter().name(&spec.name).value(&spec.value).r#type(ParameterType::String);
        let put = put.set_tags(Some(tags(OPERATION, &owned(call, spec))?)).send().await;
        let made =
            |owner| Seen { id: spec.name.clone(), owner, live: ParameterLive { value: spec.value.clone() } };
        let error = match put {
            Ok(_) => return Ok(made(Owner::Ours(call.address.clone()))),
            Err(error) => error,
        };
        if !has_code(&error, &["ParameterAlreadyExists"]) {
            return Err(at.failed(OPERATION, error));
        }
        match Self::read(at, std::slice::from_ref(&spec.name)).await.pop() {
            // The planner compares its value next.
            Some(Ok(Some(seen))) if seen.owner.is_ours() => Ok(seen),
            Some(Err(error)) => Err(error),
            _ => Err(at.failed(OPERATION, error)),
        }
    }

    async fn update(
        at: &Target<'_>,
        call: &Call,
        name: &str,
        spec: &ParameterSpec,
        _: &[FieldChange],
    ) -> Result<(), CloudError> {
        const OPERATION: &str = "ssm:AddTagsToResource";
        let put = at.ssm().put_parameter().name(name).value(&spec.value).r#type(ParameterType::String);
        let put = put.overwrite(true).send().await;
        put.map_err(|error| at.failed("ssm:PutParameter", error))?;
        let tag = at.ssm().add_tags_to_resource().resource_type(ResourceTypeForTagging::Parameter);
        let tag = tag.resource_id(name).set_tags(Some(tags(OPERATION, &owned(call, spec))?)).send().await;
        tag.map(drop).map_err(|error| at.failed(OPERATION, error))
    }

    async fn delete(at: &Target<'_>, _: &Call, name: &str) -> Result<(), CloudError> {
        let gone = at.ssm().delete_parameter().name(name).send().await;
        absent(at, "ssm:DeleteParameter", NONE, gone).map(drop)
    }
}

/// Adds the owner; `None` if the parameter was deleted meanwhile.
async fn seen(
    at: &Target<'_>,
    name: String,
    value: String,
) -> Result<Option<Seen<ParameterLive>>, CloudError> {
    let list = at.ssm().list_tags_for_resource().resource_type(ResourceTypeForTagging::Parameter);
    let answer = list.resource_id(&name).send().await;
    let gone = &["InvalidResourceId", "ParameterNotFound"];
    let Some(answer) = absent(at, "ssm:ListTagsForResource", gone, answer)? else { return Ok(None) };
    let tags: Tags = answer.tag_list.unwrap_or_default().into_iter().map(|it| (it.key, it.value)).collect();
    Ok(Some(Seen { owner: owner(&tags, at.scope), id: name, live: ParameterLive { value } }))
}

fn tags(operation: &str, tags: &Tags) -> Result<Vec<Tag>, CloudError> {
    let tag = |(key, value)| built(operation, Tag::builder().key(key).value(value).build());
    tags.iter().map(tag).collect()
}
