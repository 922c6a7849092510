//! The launch template kind: how a pool's instances are launched.
//!
//! Every change creates a version; groups pin a version by its number.

use std::collections::BTreeMap;

use drstack_core::kind::{Capabilities, Erased, FieldChange, KeepsName, Kind, Lookup, Operation, Revised};
use drstack_core::link::Link;
use serde::{Deserialize, Serialize};

use crate::facts::Disk;
use crate::services::ec2::launch_options::LaunchOptions;
use crate::services::{operation, texts};

/// The desired state of a launch template.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LaunchTemplateSpec {
    /// Its name.
    pub name: String,
    /// The image.
    pub image: Link,
    /// The first choice of instance type; the group's list overrides it.
    pub instance_type: String,
    /// SHA-256 of the user data; the text is stored in the template only.
    pub user_data_sha256: Option<String>,
    /// Security groups.
    pub security_groups: Vec<Link>,
    /// Name of the instance profile.
    pub profile: Option<Link>,
    /// Disks, if they differ from the image's.
    pub disks: Vec<Disk>,
    /// Options that the primary's template sets.
    #[serde(default, skip_serializing_if = "LaunchOptions::is_default")]
    pub options: LaunchOptions,
}

/// The default version of a launch template as EC2 reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaunchTemplateLive {
    /// Its name.
    pub name: String,
    /// Number of the default version.
    pub version: String,
    /// The image.
    pub image: String,
    /// The first choice of instance type.
    pub instance_type: String,
    /// SHA-256 of the user data.
    pub user_data_sha256: Option<String>,
    /// Security groups, sorted.
    pub security_groups: Vec<String>,
    /// Name of the instance profile.
    pub profile: Option<String>,
    /// Disks, if they differ from the image's.
    pub disks: Vec<Disk>,
    /// Options that are not EC2's default.
    #[serde(default, skip_serializing_if = "LaunchOptions::is_default")]
    pub options: LaunchOptions,
    /// True if the metadata service answers session tokens only (IMDSv2).
    pub tokens_required: bool,
}

/// The launch template kind.
pub struct LaunchTemplate;

impl Kind for LaunchTemplate {
    const NAME: &'static str = "launch-template";
    const SUMMARY: &'static str = "launch template with numbered versions, IMDSv2 and tags";
    const LOOKUP: Lookup = Lookup::Tag;
    const OPERATIONS: &'static [Operation] = &[
        operation("ec2", "CreateLaunchTemplate"),
        operation("ec2", "CreateLaunchTemplateVersion"),
        operation("ec2", "CreateTags").also_updates(),
        operation("ec2", "DeleteLaunchTemplate"),
        operation("ec2", "DescribeLaunchTemplateVersions"),
        operation("ec2", "DescribeLaunchTemplates"),
        operation("ec2", "ModifyLaunchTemplate"),
    ];
    const CAPABILITIES: Capabilities = Capabilities {
        keeps_name: Some(&Erased::<Self>::NEW),
        revised: Some(&Erased::<Self>::NEW),
        ..Capabilities::NONE
    };
    type Spec = LaunchTemplateSpec;
    type Live = LaunchTemplateLive;

    fn diff(spec: &LaunchTemplateSpec, live: &LaunchTemplateLive) -> Vec<FieldChange> {
        let profile = spec.profile.as_ref().map(|profile| profile.text().to_owned());
        let changes = [
            FieldChange::replacing("name", &live.name, &spec.name),
            FieldChange::of("image", &live.image.as_str(), &spec.image.text()),
            FieldChange::of("instance_type", &live.instance_type, &spec.instance_type),
            FieldChange::of("user_data_sha256", &live.user_data_sha256, &spec.user_data_sha256),
            FieldChange::of("security_groups", &live.security_groups, &texts(&spec.security_groups)),
            FieldChange::of("profile", &live.profile, &profile),
            FieldChange::of("disks", &live.disks, &spec.disks),
            FieldChange::of("options", &live.options, &spec.options),
            FieldChange::of("tokens_required", &live.tokens_required, &true),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &LaunchTemplateSpec, _id: &str) -> LaunchTemplateLive {
        LaunchTemplateLive {
            name: spec.name.clone(),
            version: "1".to_owned(),
            image: spec.image.text().to_owned(),
            instance_type: spec.instance_type.clone(),
            user_data_sha256: spec.user_data_sha256.clone(),
            security_groups: texts(&spec.security_groups),
            profile: spec.profile.as_ref().map(|profile| profile.text().to_owned()),
            disks: spec.disks.clone(),
            options: spec.options.clone(),
            tokens_required: true,
        }
    }

    fn outputs(id: &str, live: &LaunchTemplateLive) -> BTreeMap<String, String> {
        [("id", id), ("version", live.version.as_str())]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn links(live: &LaunchTemplateLive) -> Vec<String> {
        let mut links = live.security_groups.clone();
        links.push(live.image.clone());
        links.extend(live.profile.clone());
        links
    }
}

impl KeepsName for LaunchTemplate {
    const NAME_IS_ID: bool = false;

    fn under_its_name(spec: &LaunchTemplateSpec, _id: &str, live: &LaunchTemplateLive) -> LaunchTemplateSpec {
        LaunchTemplateSpec { name: live.name.clone(), ..spec.clone() }
    }
}

impl Revised for LaunchTemplate {
    const VOLATILE: &'static [&'static str] = &["version"];

    fn expect_after(spec: &LaunchTemplateSpec, id: &str, before: &LaunchTemplateLive) -> LaunchTemplateLive {
        let version = before.version.parse::<u64>().map_or(1, |version| version + 1);
        LaunchTemplateLive { version: version.to_string(), ..Self::expect(spec, id) }
    }
}

#[cfg(feature = "aws")]
mod aws;
