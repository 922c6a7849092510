//! The image kind: a copy of one of the account's images in the standby region, encrypted there.

use std::time::Duration;

use drstack_core::kind::{Action, FieldChange, Kind, Lookup, Operation, Readiness, Role, Side, Wait};
use serde::{Deserialize, Serialize};

use crate::services::{key, operation};

/// The desired state of an image.
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

/// An image as EC2 reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageLive {
    /// The primary's image.
    pub source: String,
    /// `available` when it can be launched.
    pub state: String,
}

/// The image kind.
pub struct Image;

impl Kind for Image {
    const NAME: &'static str = "image";
    const SUMMARY: &'static str = "encrypted copy of an image in the standby region";
    const LOOKUP: Lookup = Lookup::Tag;
    const ROLE: Role = Role::Data;
    const WAIT: Wait = Wait::LONG;
    const OPERATIONS: &'static [Operation] = &[
        operation("ec2", "CopyImage").only_creates().on(Side::ThroughPrimary),
        operation("ec2", "CreateTags").also_updates(),
        operation("ec2", "DeleteSnapshot"),
        operation("ec2", "DeregisterImage").only_deletes(),
        operation("ec2", "DescribeImages"),
        key("CreateGrant"),
        key("Decrypt"),
        key("DescribeKey"),
        key("GenerateDataKeyWithoutPlaintext"),
        key("ReEncryptFrom"),
        key("ReEncryptTo"),
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
mod aws;
