use aws_sdk_ec2::types::{Filter, Image as Answer, ResourceType};
use drstack_core::cloud::{Call, CloudError};
use drstack_core::kind::FieldChange;

use super::{Image, ImageLive, ImageSpec};
use crate::aws::tags::{SOURCE, Tags, named, owner};
use crate::aws::{Driver, Looked, Seen, Target, absent, by_id};
use crate::services::ec2::calls::{filter, made, owned, tag, tag_map, tagged};

impl Driver for Image {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<ImageLive> {
        let answers = list(at, filter("image-id", ids)).await;
        by_id(ids, answers.map(|images| images.into_iter().map(|it| seen(at, it)).collect()))
    }

    async fn list_owned(at: &Target<'_>, _: &[String]) -> Result<Vec<Seen<ImageLive>>, CloudError> {
        Ok(list(at, owned(at)).await?.into_iter().map(|image| seen(at, image)).collect())
    }

    async fn create(at: &Target<'_>, call: &Call, spec: &ImageSpec) -> Result<Seen<ImageLive>, CloudError> {
        const OPERATION: &str = "ec2:CopyImage";
        let tags = tags(call, spec);
        let copy = at
            .ec2()
            .copy_image()
            .source_region(&*at.scope.primary)
            .source_image_id(&spec.source)
            .name(&spec.name)
            .description(format!("copy of {} for drstack stack {}", spec.source, call.scope.stack))
            .encrypted(true)
            .set_kms_key_id(spec.kms_key.clone())
            .client_token(&call.token)
            .tag_specifications(tagged(ResourceType::Image, &tags))
            .tag_specifications(tagged(ResourceType::Snapshot, &tags));
        let answer = copy.send().await.map_err(|error| at.failed(OPERATION, error))?;
        let live = ImageLive { source: spec.source.clone(), state: "pending".to_owned() };
        Ok(Seen { id: made(OPERATION, answer.image_id)?, owner: owner(&tags, at.scope), live })
    }

    async fn update(
        at: &Target<'_>,
        call: &Call,
        id: &str,
        spec: &ImageSpec,
        _: &[FieldChange],
    ) -> Result<(), CloudError> {
        tag(at, id, &tags(call, spec)).await
    }

    async fn delete(at: &Target<'_>, _: &Call, id: &str) -> Result<(), CloudError> {
        let Some(image) = list(at, filter("image-id", [id])).await?.into_iter().next() else {
            return Ok(());
        };
        let gone = at.ec2().deregister_image().image_id(id).send().await;
        let none = &["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"];
        absent(at, "ec2:DeregisterImage", none, gone)?;
        let devices = image.block_device_mappings.unwrap_or_default();
        for snapshot in devices.into_iter().filter_map(|it| it.ebs?.snapshot_id) {
            let gone = at.ec2().delete_snapshot().snapshot_id(snapshot).send().await;
            absent(at, "ec2:DeleteSnapshot", &["InvalidSnapshot.NotFound"], gone)?;
        }
        Ok(())
    }
}

fn tags(call: &Call, spec: &ImageSpec) -> Tags {
    let mut tags = named(call, spec);
    tags.insert(SOURCE.to_owned(), spec.source.clone());
    tags
}

async fn list(at: &Target<'_>, which: Filter) -> Result<Vec<Answer>, CloudError> {
    let mut found = Vec::new();
    let mut pages = at.ec2().describe_images().owners("self").filters(which).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("ec2:DescribeImages", error))?;
        found.extend(page.images.unwrap_or_default());
    }
    Ok(found)
}

fn seen(at: &Target<'_>, image: Answer) -> Seen<ImageLive> {
    let tags = tag_map(image.tags);
    let live = ImageLive {
        source: tags.get(SOURCE).cloned().unwrap_or_default(),
        state: image.state.map(|it| it.as_str().to_owned()).unwrap_or_default(),
    };
    Seen { id: image.image_id.unwrap_or_default(), owner: owner(&tags, at.scope), live }
}
