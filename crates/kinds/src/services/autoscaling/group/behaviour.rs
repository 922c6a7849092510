//! What a group does by itself: the timing and choices that a pool carries from the primary's group.

use serde::{Deserialize, Serialize};

/// Timing and choices of a group; those that are not set have Auto Scaling's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupBehaviour {
    /// Seconds after a launch in which a failed health check does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_period: Option<i32>,
    /// Seconds between two simple scalings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<i32>,
    /// Seconds until the metrics of a new instance count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup: Option<i32>,
    /// Seconds after which the group replaces an instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_lifetime: Option<i32>,
    /// Which instance ends first, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub termination_policies: Vec<String>,
}

#[cfg(feature = "aws")]
mod aws;
