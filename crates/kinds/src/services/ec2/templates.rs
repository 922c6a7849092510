//! Reads the launch templates of groups, in bulk if that takes fewer calls.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types::LaunchTemplateSpecification;
use aws_sdk_ec2::types::{LaunchTemplateVersion, ResponseLaunchTemplateData};
use drstack_core::cloud::CloudError;

use crate::aws::{Target, absent, each_of};

const OPERATION: &str = "ec2:DescribeLaunchTemplateVersions";
/// Error codes of EC2 for a missing template.
const NONE: &[&str] = &["InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateName.NotFoundException"];
const DEFAULT: &str = "$Default";
const LATEST: &str = "$Latest";

/// Number of templates for which one page of all templates is read before single reads.
///
/// An account with many more templates than groups wastes one call per this many templates.
const WORTH_A_PAGE: usize = 4;
/// Maximum number of items in one page of EC2.
const PAGE: i32 = 200;

/// Template data by template and version, as groups name them.
pub(crate) struct Templates(BTreeMap<(String, String), ResponseLaunchTemplateData>);

/// Returns the data of each of `wanted`, in order; `None` if the template or version does not
/// exist.
pub(crate) async fn data(
    at: &Target<'_>,
    wanted: Vec<LaunchTemplateSpecification>,
) -> Vec<Result<Option<ResponseLaunchTemplateData>, CloudError>> {
    let known = match Templates::read(at, wanted.len() / WORTH_A_PAGE).await {
        Ok(known) => known,
        Err(error) => return wanted.iter().map(|_| Err(error.clone())).collect(),
    };
    let known = &known;
    each_of(wanted, |template| async move {
        match known.get(&template) {
            Some(data) => Ok(Some(data.clone())),
            None => one(at, &template).await,
        }
    })
    .await
}

impl Templates {
    /// Reads default and latest versions of the region's templates, from at most `pages` pages.
    async fn read(at: &Target<'_>, pages: usize) -> Result<Self, CloudError> {
        let mut known = Self(BTreeMap::new());
        let mut next = None;
        for _ in 0..pages {
            let ask = at.ec2().describe_launch_template_versions().versions(DEFAULT).versions(LATEST);
            let page = ask.max_results(PAGE).set_next_token(next).send().await;
            let page = page.map_err(|error| at.failed(OPERATION, error))?;
            page.launch_template_versions.unwrap_or_default().into_iter().for_each(|it| known.keep(it));
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                break;
            }
        }
        Ok(known)
    }

    /// Stores a version under its number, and as the default if it is the default.
    ///
    /// It is not stored as the latest: of two versions in one answer the default may be the later
    /// one.
    fn keep(&mut self, version: LaunchTemplateVersion) {
        let Some(data) = version.launch_template_data else { return };
        let ids = [version.launch_template_id, version.launch_template_name];
        let number = version.version_number.unwrap_or_default().to_string();
        let is_default = version.default_version == Some(true);
        for id in ids.into_iter().flatten() {
            if is_default {
                self.0.insert((id.clone(), DEFAULT.to_owned()), data.clone());
            }
            self.0.insert((id, number.clone()), data.clone());
        }
    }

    fn get(&self, wanted: &LaunchTemplateSpecification) -> Option<&ResponseLaunchTemplateData> {
        let id = wanted.launch_template_id.clone().or_else(|| wanted.launch_template_name.clone())?;
        self.0.get(&(id, version(wanted).to_owned()))
    }
}

fn version(template: &LaunchTemplateSpecification) -> &str {
    template.version.as_deref().unwrap_or(DEFAULT)
}

async fn one(
    at: &Target<'_>,
    template: &LaunchTemplateSpecification,
) -> Result<Option<ResponseLaunchTemplateData>, CloudError> {
    let ask = at.ec2().describe_launch_template_versions();
    let ask = match (&template.launch_template_id, &template.launch_template_name) {
        (Some(id), _) => ask.launch_template_id(id),
        (None, name) => ask.set_launch_template_name(name.clone()),
    };
    let answer = absent(at, OPERATION, NONE, ask.versions(version(template)).send().await)?;
    let version = answer.and_then(|it| it.launch_template_versions).and_then(|it| it.into_iter().next());
    Ok(version.and_then(|it| it.launch_template_data))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::InstanceType;

    use super::*;

    fn version_of(number: i64, default: bool, size: InstanceType) -> LaunchTemplateVersion {
        LaunchTemplateVersion::builder()
            .launch_template_id("lt-1")
            .launch_template_name("web")
            .version_number(number)
            .default_version(default)
            .launch_template_data(ResponseLaunchTemplateData::builder().instance_type(size).build())
            .build()
    }

    #[test]
    fn versions_are_found_by_id_and_name_and_number() {
        let mut known = Templates(BTreeMap::new());
        known.keep(version_of(2, true, InstanceType::M5Large));
        known.keep(version_of(7, false, InstanceType::M5Xlarge));
        let found = |id: Option<&str>, version: Option<&str>| {
            let wanted = LaunchTemplateSpecification::builder().set_launch_template_id(id.map(str::to_owned));
            let wanted = wanted.launch_template_name("web").set_version(version.map(str::to_owned)).build();
            known.get(&wanted).and_then(|data| data.instance_type.clone())
        };
        assert_eq!(found(Some("lt-1"), Some("2")), Some(InstanceType::M5Large));
        assert_eq!(found(None, Some("7")), Some(InstanceType::M5Xlarge));
        assert_eq!(
            found(Some("lt-1"), None),
            Some(InstanceType::M5Large),
            "the default, where none is named"
        );
        assert_eq!(found(Some("lt-1"), Some("3")), None, "asked for by itself");
        assert_eq!(found(Some("lt-1"), Some("$Latest")), None, "asked for by itself");
        assert_eq!(found(Some("lt-2"), Some("2")), None, "another template");
    }
}
