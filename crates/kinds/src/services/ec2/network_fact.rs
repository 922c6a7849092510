//! The fact of an existing network in the standby region.

use std::collections::BTreeMap;

use drstack_core::facts::FactQuery;
use drstack_core::kind::{Operation, Place};
use serde::{Deserialize, Serialize};

use crate::facts::FactKind;
use crate::services::operation;

/// An existing network in the standby region.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NetworkFact {
    /// Ids of the VPCs that carry the tags; one, if the tags are specific enough.
    pub vpcs: Vec<String>,
    /// Ids of their subnets that carry the tags, or of all subnets if none does.
    pub subnets: Vec<String>,
    /// Ids of their security groups that carry the tags.
    pub security_groups: Vec<String>,
}

impl FactKind for NetworkFact {
    const NAME: &'static str = "network";
    const PLACE: Place = Place::Standby;
    const OPERATIONS: &'static [Operation] = &[
        operation("ec2", "DescribeSecurityGroups"),
        operation("ec2", "DescribeSubnets"),
        operation("ec2", "DescribeVpcs"),
    ];
}

/// Returns the query for a network with these tags.
pub fn network(tags: &BTreeMap<String, String>) -> FactQuery {
    let tags: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    NetworkFact::about(&tags.join(","))
}

/// Returns the tags in a query of [`network`].
pub fn network_tags(name: &str) -> BTreeMap<String, String> {
    let pair = |text: &str| text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    name.split(',').filter_map(pair).collect()
}

#[cfg(feature = "aws")]
mod aws;
