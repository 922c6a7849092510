//! A copy of one of the owner's images in the standby region, encrypted there.

use std::time::Duration;

use drstack_core::kind::{Action, DataRole, FieldChange, Kind, Lookup, Operation, Readiness, Wait};
use serde::{Deserialize, Serialize};

use super::operation;

/// What is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImageSpec {
    /// The primary's image; becomes the tag `drstack:source`.
    pub source: String,
    /// Name of the copy.
    pub name: String,
    /// Key of the standby region that encrypts it; default: the region's default key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
}

/// What EC2 reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageLive {
    /// The primary's image.
    pub source: String,
    /// `available` when it can be launched.
    pub state: String,
}

/// See the module.
pub struct Image;

impl Kind for Image {
    const NAME: &'static str = "image";
    const SUMMARY: &'static str = "encrypted copy of an image in the standby region";
    const LOOKUP: Lookup = Lookup::Tag;
    const DATA: DataRole = DataRole::Holds;
    const WAIT: Wait = Wait::LONG;
    const OPERATIONS: &'static [Operation] = &[
        operation("ec2", "CopyImage"),
        operation("ec2", "CreateTags"),
        operation("ec2", "DeleteSnapshot"),
        operation("ec2", "DeregisterImage"),
        operation("ec2", "DescribeImages"),
    ];
    type Spec = ImageSpec;
    type Live = ImageLive;

    fn diff(spec: &ImageSpec, live: &ImageLive) -> Vec<FieldChange> {
        FieldChange::replacing("source", &live.source, &spec.source).into_iter().collect()
    }

    fn expect(spec: &ImageSpec, _id: &str) -> ImageLive {
        ImageLive { source: spec.source.clone(), state: "available".to_owned() }
    }

    fn ready(_spec: &ImageSpec, live: &ImageLive) -> Readiness {
        match live.state.as_str() {
            "available" => Readiness::Ready,
            "pending" | "transient" => Readiness::Waiting(format!("the copy of {} is pending", live.source)),
            other => Readiness::Failed(format!("the copy of {} is {other}", live.source)),
        }
    }

    fn prior(action: Action) -> Duration {
        // Users of image builders report 5 to 20 minutes for a copy between regions.
        if action == Action::Create { Duration::from_secs(600) } else { Duration::from_secs(2) }
    }
}

#[cfg(feature = "aws")]
mod aws {
    use aws_sdk_ec2::types::{Filter, Image as Answer, ResourceType};
    use drstack_core::cloud::{Call, CloudError};
    use drstack_core::kind::FieldChange;

    use super::{Image, ImageLive, ImageSpec};
    use crate::aws::ec2::{filter, made, owned, tag, tag_map, tagged};
    use crate::aws::tags::{SOURCE, Tags, named, owner};
    use crate::aws::{Driver, Looked, Seen, Target, absent, by_id};

    impl Driver for Image {
        async fn read(at: &Target<'_>, ids: &[String]) -> Looked<ImageLive> {
            let answers = list(at, filter("image-id", ids)).await;
            by_id(ids, answers.map(|images| images.into_iter().map(|it| seen(at, it)).collect()))
        }

        async fn list_owned(at: &Target<'_>, _: &[String]) -> Result<Vec<Seen<ImageLive>>, CloudError> {
            Ok(list(at, owned(at)).await?.into_iter().map(|image| seen(at, image)).collect())
        }

        async fn create(
            at: &Target<'_>,
            call: &Call,
            spec: &ImageSpec,
        ) -> Result<Seen<ImageLive>, CloudError> {
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
}
