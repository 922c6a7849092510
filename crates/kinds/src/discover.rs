//! What exists already, as another tool knows it, and the stack that protects it.

mod compose;
mod fate;
pub mod tfstate;

use std::collections::BTreeMap;

pub use compose::{Composed, Target, compose, merge};
pub use fate::{Fate, fate};

/// An object that another tool manages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    /// Its type, as the tool names it: `aws_s3_bucket`.
    pub kind: String,
    /// What the tool's files call it: `models`.
    pub label: String,
    /// Its address in the tool: `module.data.aws_s3_bucket.models[0]`.
    pub address: String,
    /// Its name in AWS, or else its id.
    pub name: Option<String>,
    /// Its region, where something says it.
    pub region: Option<String>,
    /// Address range, if it is a network.
    pub cidr: Option<String>,
    /// Regions that have a replica of it.
    pub replicas: Vec<String>,
    /// Name of its dead-letter queue.
    pub dead_letters: Option<String>,
    /// True if a cluster of containers runs on it.
    pub is_of_cluster: bool,
}

/// Fields that hold the name of an object, by type; `name` or `id` for all others.
const NAMES: &[(&str, &str)] = &[("aws_s3_bucket", "bucket"), ("aws_route53_record", "fqdn")];

/// Tags of groups that a cluster of containers launches its nodes with.
const CLUSTERS: [&str; 3] = ["kubernetes.io/cluster/", "eks:cluster-name", "AmazonECSManaged"];

impl Thing {
    /// Takes from the fields of an object what a stack needs of it, and nothing else.
    fn of(
        kind: &str,
        label: &str,
        address: String,
        field: &dyn Fn(&str) -> Option<String>,
        (tags, replicas): (Vec<String>, Vec<String>),
    ) -> Self {
        let named = NAMES.iter().find(|(of, _)| *of == kind).map_or("name", |(_, field)| field);
        let of_arn = field("arn").and_then(|it| it.split(':').nth(3).map(str::to_owned));
        Self {
            kind: kind.to_owned(),
            label: label.to_owned(),
            address,
            name: field(named).or_else(|| field("id")),
            region: field("region").or(of_arn).filter(|it| !it.is_empty()),
            cidr: field("cidr_block").filter(|_| kind == "aws_vpc"),
            replicas,
            dead_letters: field("redrive_policy").and_then(|it| dead_letters(&it)),
            is_of_cluster: tags.iter().any(|tag| CLUSTERS.iter().any(|it| tag.contains(it))),
        }
    }
}

/// Returns the region that most of `things` are in.
pub fn region(things: &[Thing]) -> Option<String> {
    let mut by_region: BTreeMap<&str, usize> = BTreeMap::new();
    for region in things.iter().filter_map(|it| it.region.as_deref()) {
        *by_region.entry(region).or_default() += 1;
    }
    by_region.into_iter().max_by_key(|(_, number)| *number).map(|(region, _)| region.to_owned())
}

/// Returns the name of the queue that a redrive policy leads to.
fn dead_letters(policy: &str) -> Option<String> {
    let policy: serde_json::Value = serde_json::from_str(policy).ok()?;
    policy.get("deadLetterTargetArn")?.as_str()?.rsplit(':').next().map(str::to_owned)
}
