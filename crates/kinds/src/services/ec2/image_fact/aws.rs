use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::operation::describe_images::builders::DescribeImagesFluentBuilder;
use aws_sdk_ec2::types::{Image, Tag};
use drstack_core::cloud::CloudError;
use drstack_core::kind::Place;

use super::ImageFact;
use super::fields::IMAGE;
use crate::aws::{Ask, NAMES, Target};
use crate::ledger::{FieldSetting, NotCarried};
use crate::services::ec2::calls::filter;

/// Finds an image by id, or the newest of a name among the account's own.
impl Ask for ImageFact {
    async fn ask(at: &Target<'_>, wanted: &str) -> Result<Option<ImageFact>, CloudError> {
        if wanted.starts_with("ami-") {
            return Ok(images(at, &[wanted.to_owned()]).await?.remove(wanted));
        }
        let ask = at.ec2().describe_images().owners("self").filters(filter("name", [wanted]));
        let answer = ask.send().await.map_err(|error| at.failed("ec2:DescribeImages", error))?;
        let newest = answer
            .images
            .unwrap_or_default()
            .into_iter()
            .max_by(|a, b| (&a.creation_date, &a.image_id).cmp(&(&b.creation_date, &b.image_id)));
        Ok(newest.map(|image| ImageFact {
            not_carried: not_carried(&image),
            id: image.image_id.unwrap_or_default(),
            name: image.name.unwrap_or_default(),
            owned: true,
            standby: None,
        }))
    }
}

/// Reads images by id.
pub(crate) async fn images(
    at: &Target<'_>,
    ids: &[String],
) -> Result<BTreeMap<String, ImageFact>, CloudError> {
    let mut facts = BTreeMap::new();
    for ids in ids.chunks(NAMES) {
        let ask = |ask: DescribeImagesFluentBuilder| async move {
            let answer = ask.filters(filter("image-id", ids)).send().await;
            let answer = answer.map_err(|error| at.failed("ec2:DescribeImages", error))?;
            Ok::<_, CloudError>(answer.images.unwrap_or_default())
        };
        let ec2 = at.ec2();
        let (all, own) =
            tokio::try_join!(ask(ec2.describe_images()), ask(ec2.describe_images().owners("self")))?;
        let own: BTreeSet<String> = own.into_iter().filter_map(|image| image.image_id).collect();
        for image in all {
            let Some(id) = image.image_id.clone() else { continue };
            let owned = own.contains(&id);
            let standby = if owned { None } else { public_image(at, &image).await? };
            // The image of another owner is used as it is.
            let not_carried = if owned { not_carried(&image) } else { NotCarried::default() };
            let name = image.name.unwrap_or_default();
            facts.insert(id.clone(), ImageFact { id, name, owned, standby, not_carried });
        }
    }
    Ok(facts)
}

/// Prefixes of the tags that AWS and drstack put on images by themselves.
const OTHERS: [&str; 2] = ["aws:", "drstack:"];

/// Returns what is set on an image and not carried to its copy.
fn not_carried(image: &Image) -> NotCarried {
    let mut found = NotCarried::default();
    found.add(&IMAGE, itself(image));
    found
}

/// Fields of [`IMAGE`] that are set.
fn itself(image: &Image) -> [(&'static str, Option<FieldSetting>); 3] {
    let keys = image.tags().iter().filter_map(Tag::key);
    let tags = keys.filter(|key| !OTHERS.iter().any(|it| key.starts_with(it))).count();
    [
        ("Tags", FieldSetting::count(tags)),
        ("DeprecationTime", FieldSetting::unless("", image.deprecation_time())),
        ("DeregistrationProtection", FieldSetting::unless("disabled", image.deregistration_protection())),
    ]
}

/// Finds the image of the same name and owner in the standby region.
async fn public_image(at: &Target<'_>, image: &Image) -> Result<Option<String>, CloudError> {
    let (Some(name), Some(owner)) = (&image.name, &image.owner_id) else { return Ok(None) };
    let standby = Target { place: Place::Standby, region: &at.scope.standby, ..*at };
    let ask = standby.ec2().describe_images().owners(owner).filters(filter("name", [name.as_str()]));
    let answer = ask.send().await.map_err(|error| standby.failed("ec2:DescribeImages", error))?;
    Ok(answer.images.unwrap_or_default().into_iter().next().and_then(|it| it.image_id))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_field_that_is_not_carried_is_looked_at() {
        let itself = itself(&Image::builder().build()).map(|(field, _)| field);
        assert_eq!(BTreeSet::from(itself), IMAGE.not_yet().map(|(field, _)| field).collect());
    }
}
