use std::collections::BTreeMap;

use aws_sdk_ec2::types::{
    InstanceMetadataEndpointState, InstanceType, LaunchTemplate as Answer,
    LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest,
    LaunchTemplateHttpTokensState, LaunchTemplateIamInstanceProfileSpecificationRequest,
    LaunchTemplateInstanceMetadataOptionsRequest, LaunchTemplateTagSpecificationRequest,
    RequestLaunchTemplateData, ResourceType, ResponseLaunchTemplateData, VolumeType,
};
use drstack_core::cloud::{Call, CloudError};
use drstack_core::kind::FieldChange;

use super::{LaunchTemplate, LaunchTemplateLive, LaunchTemplateSpec, texts};
use crate::aws::tags::{named, owner_by_name};
use crate::aws::{Driver, Looked, Seen, Target, absent, each};
use crate::facts::Disk;
use crate::services::ec2::calls::{made, owned, tag, tag_list, tag_map, tagged};
use crate::services::ec2::launch_options::LaunchOptions;
use crate::services::ec2::user_data;

const NONE: &[&str] = &["InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateName.NotFoundException"];

/// Number of templates above which one listing of all default versions is cheaper than single
/// reads.
const BULK: usize = 4;

/// Maximum number of items in one page of EC2.
const PAGE: i32 = 200;

/// The name of the default version in requests.
const DEFAULT: &str = "$Default";

impl Driver for LaunchTemplate {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<LaunchTemplateLive> {
        each(ids, |id| async move {
            let ask = at.ec2().describe_launch_templates().launch_template_ids(id).send().await;
            let answer = absent(at, "ec2:DescribeLaunchTemplates", NONE, ask)?;
            match answer.and_then(|it| it.launch_templates).and_then(|it| it.into_iter().next()) {
                Some(template) => look(at, template).await.map(Some),
                None => Ok(None),
            }
        })
        .await
    }

    async fn list_owned(at: &Target<'_>, _: &[String]) -> Result<Vec<Seen<LaunchTemplateLive>>, CloudError> {
        let mut templates = BTreeMap::new();
        let ask = at.ec2().describe_launch_templates().filters(owned(at)).max_results(PAGE);
        let mut pages = ask.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| at.failed("ec2:DescribeLaunchTemplates", error))?;
            for template in page.launch_templates.unwrap_or_default() {
                if let Some(id) = template.launch_template_id.clone() {
                    templates.insert(id, template);
                }
            }
        }
        let known = if templates.len() < BULK { BTreeMap::new() } else { all_defaults(at).await? };
        let ids: Vec<String> = templates.keys().cloned().collect();
        let (templates, known) = (&templates, &known);
        let looks = each(&ids, |id| async move {
            let data = match known.get(&id) {
                Some(data) => data.clone(),
                None => default_data(at, &id).await?,
            };
            Ok(Some(seen(at, templates[&id].clone(), data)))
        });
        looks.await.into_iter().filter_map(Result::transpose).collect()
    }

    async fn create(
        at: &Target<'_>,
        call: &Call,
        spec: &LaunchTemplateSpec,
    ) -> Result<Seen<LaunchTemplateLive>, CloudError> {
        const OPERATION: &str = "ec2:CreateLaunchTemplate";
        let text = user_data(call, spec)?;
        let make = at
            .ec2()
            .create_launch_template()
            .launch_template_name(&spec.name)
            .client_token(&call.token)
            .launch_template_data(data(call, spec, text))
            .tag_specifications(tagged(ResourceType::LaunchTemplate, &named(call, spec)));
        let answer = make.send().await.map_err(|error| at.failed(OPERATION, error))?;
        let template = made(OPERATION, answer.launch_template)?;
        look(at, template).await
    }

    async fn update(
        at: &Target<'_>,
        call: &Call,
        id: &str,
        spec: &LaunchTemplateSpec,
        _: &[FieldChange],
    ) -> Result<(), CloudError> {
        const OPERATION: &str = "ec2:CreateLaunchTemplateVersion";
        let text = match user_data(call, spec) {
            Ok(text) => text,
            // The primary does not answer; the previous version may hold the same text.
            Err(unknown) => match default_data(at, id).await?.and_then(|data| data.user_data) {
                Some(text) if user_data::hash(&text).as_ref() == spec.user_data_sha256.as_ref() => Some(text),
                _ => return Err(unknown),
            },
        };
        let make = at.ec2().create_launch_template_version().launch_template_id(id);
        let make = make.client_token(&call.token).launch_template_data(data(call, spec, text));
        let answer = make.send().await.map_err(|error| at.failed(OPERATION, error))?;
        let version = made(OPERATION, answer.launch_template_version.and_then(|it| it.version_number))?;
        let set = at.ec2().modify_launch_template().launch_template_id(id);
        let set = set.default_version(version.to_string()).send().await;
        set.map_err(|error| at.failed("ec2:ModifyLaunchTemplate", error))?;
        tag(at, id, &named(call, spec)).await
    }

    async fn delete(at: &Target<'_>, _: &Call, id: &str) -> Result<(), CloudError> {
        let gone = at.ec2().delete_launch_template().launch_template_id(id).send().await;
        absent(at, "ec2:DeleteLaunchTemplate", NONE, gone).map(drop)
    }
}

fn user_data(call: &Call, spec: &LaunchTemplateSpec) -> Result<Option<String>, CloudError> {
    let Some(hash) = &spec.user_data_sha256 else { return Ok(None) };
    let text = call.scope.secrets.get(hash).map(user_data::encode);
    text.map(Some).ok_or_else(|| CloudError::Other {
        operation: "ec2:CreateLaunchTemplate".to_owned(),
        message: "the primary's user data is not known while its region does not answer".to_owned(),
    })
}

fn data(call: &Call, spec: &LaunchTemplateSpec, text: Option<String>) -> RequestLaunchTemplateData {
    let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder()
        .http_endpoint(InstanceMetadataEndpointState::Enabled.as_str().into())
        .http_tokens(LaunchTemplateHttpTokensState::Required);
    let tags = |kind: ResourceType| {
        LaunchTemplateTagSpecificationRequest::builder()
            .resource_type(kind)
            .set_tags(Some(tag_list(&named(call, spec))))
            .build()
    };
    let profile = spec.profile.as_ref().map(|profile| {
        LaunchTemplateIamInstanceProfileSpecificationRequest::builder().name(profile.text()).build()
    });
    let disks = spec.disks.iter().map(disk).collect::<Vec<_>>();
    let data = RequestLaunchTemplateData::builder()
        .image_id(spec.image.text())
        .instance_type(InstanceType::from(spec.instance_type.as_str()))
        .set_user_data(text)
        .set_security_group_ids(Some(texts(&spec.security_groups)).filter(|it| !it.is_empty()))
        .set_iam_instance_profile(profile)
        .set_block_device_mappings(Some(disks).filter(|it| !it.is_empty()))
        .metadata_options(spec.options.in_metadata(metadata).build())
        .tag_specifications(tags(ResourceType::Instance))
        .tag_specifications(tags(ResourceType::Volume));
    spec.options.in_template(data).build()
}

fn disk(disk: &Disk) -> LaunchTemplateBlockDeviceMappingRequest {
    let ebs = LaunchTemplateEbsBlockDeviceRequest::builder()
        .volume_size(disk.gib)
        .volume_type(VolumeType::from(disk.kind.as_str()))
        .set_iops(disk.iops)
        .set_throughput(disk.throughput)
        .encrypted(true)
        .delete_on_termination(true);
    LaunchTemplateBlockDeviceMappingRequest::builder().device_name(&disk.device).ebs(ebs.build()).build()
}

async fn default_data(at: &Target<'_>, id: &str) -> Result<Option<ResponseLaunchTemplateData>, CloudError> {
    let ask = at.ec2().describe_launch_template_versions().launch_template_id(id).versions(DEFAULT);
    let answer = absent(at, "ec2:DescribeLaunchTemplateVersions", NONE, ask.send().await)?;
    let version = answer.and_then(|it| it.launch_template_versions).and_then(|it| it.into_iter().next());
    Ok(version.and_then(|it| it.launch_template_data))
}

/// Lists the data of the default versions of all templates in the region, by id.
async fn all_defaults(
    at: &Target<'_>,
) -> Result<BTreeMap<String, Option<ResponseLaunchTemplateData>>, CloudError> {
    let mut found = BTreeMap::new();
    let ask = at.ec2().describe_launch_template_versions().versions(DEFAULT).max_results(PAGE);
    let mut pages = ask.into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("ec2:DescribeLaunchTemplateVersions", error))?;
        for version in page.launch_template_versions.unwrap_or_default() {
            found.insert(version.launch_template_id.unwrap_or_default(), version.launch_template_data);
        }
    }
    Ok(found)
}

async fn look(at: &Target<'_>, template: Answer) -> Result<Seen<LaunchTemplateLive>, CloudError> {
    let id = template.launch_template_id.clone().unwrap_or_default();
    let data = default_data(at, &id).await?;
    Ok(seen(at, template, data))
}

fn seen(
    at: &Target<'_>,
    template: Answer,
    data: Option<ResponseLaunchTemplateData>,
) -> Seen<LaunchTemplateLive> {
    let id = template.launch_template_id.unwrap_or_default();
    let data = data.unwrap_or_else(|| ResponseLaunchTemplateData::builder().build());
    let options = LaunchOptions::of(&data);
    let mut security_groups = data.security_group_ids.unwrap_or_default();
    security_groups.sort();
    let live = LaunchTemplateLive {
        name: template.launch_template_name.unwrap_or_default(),
        version: template.default_version_number.unwrap_or_default().to_string(),
        image: data.image_id.unwrap_or_default(),
        instance_type: data.instance_type.map(|it| it.as_str().to_owned()).unwrap_or_default(),
        user_data_sha256: data.user_data.as_deref().and_then(user_data::hash),
        security_groups,
        profile: data.iam_instance_profile.and_then(|it| it.name),
        disks: crate::services::ec2::disk::disks(data.block_device_mappings.as_deref().unwrap_or_default()),
        options,
        tokens_required: data.metadata_options.and_then(|it| it.http_tokens)
            == Some(LaunchTemplateHttpTokensState::Required),
    };
    Seen { id, owner: owner_by_name(&tag_map(template.tags), at.scope, &live.name), live }
}
