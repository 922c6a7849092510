//! Options of instances that a pool carries from the primary's launch template.

use serde::{Deserialize, Serialize};

/// Options of a launch template; those that are not set have EC2's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchOptions {
    /// Network hops that an answer of the metadata service may take, 1 to 64. Containers need 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hop_limit: Option<i32>,
    /// True if the metadata service answers over IPv6 too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub metadata_ipv6: bool,
    /// True if the metadata service tells the tags of the instance.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub metadata_tags: bool,
    /// True for metrics each minute instead of every five.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub monitoring: bool,
    /// True for bandwidth to disks of their own, on types that do not have it anyway.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ebs_optimized: bool,
}

impl LaunchOptions {
    /// True if nothing is set.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(feature = "aws")]
mod aws;
