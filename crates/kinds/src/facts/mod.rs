//! Facts: shapes of what the live regions are asked. The asking is under feature `aws`.

mod capacity;

use std::collections::BTreeMap;

use drstack_core::facts::FactQuery;
use drstack_core::kind::{Operation, Place};
use serde::{Deserialize, Serialize};

pub use capacity::{Lower, keep};

use crate::services::operation;

/// What asking for facts may call.
pub const OPERATIONS: &[Operation] = &[
    operation("application-autoscaling", "DescribeScalableTargets"),
    operation("autoscaling", "DescribeAutoScalingGroups"),
    operation("autoscaling", "DescribeScheduledActions"),
    operation("dynamodb", "DescribeTable"),
    operation("ec2", "DescribeAvailabilityZones"),
    operation("ec2", "DescribeCapacityReservations"),
    operation("ec2", "DescribeImages"),
    operation("ec2", "DescribeLaunchTemplateVersions"),
    operation("ec2", "DescribeSecurityGroups"),
    operation("ec2", "DescribeSubnets"),
    operation("ec2", "DescribeVpcs"),
    operation("route53", "GetHostedZone"),
    operation("route53", "ListHostedZonesByName"),
    operation("route53", "ListResourceRecordSets"),
    operation("s3", "GetBucketVersioning"),
    operation("s3", "GetEncryptionConfiguration"),
    operation("s3", "GetReplicationConfiguration"),
    operation("sts", "GetCallerIdentity"),
];

/// The account of the simulated cloud where its settings name no other.
pub const SIMULATED_ACCOUNT: &str = "123456789012";

/// The account that the stack's credentials belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountFact(pub String);

/// A bucket of the primary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketFact {
    /// Versioning is on.
    pub versioning: bool,
    /// The role with which replication rules of others run. S3 has one role for all rules of a bucket.
    #[serde(default)]
    pub foreign_role: Option<String>,
    /// The KMS key of its default encryption; objects under such keys are copied only where a rule says so.
    #[serde(default)]
    pub kms_key: Option<String>,
}

/// A table of the primary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableFact {
    /// Pay per request; else provisioned.
    pub on_demand: bool,
    /// Write capacity scales by itself (provisioned tables only).
    pub autoscaled: bool,
    /// The customer-managed key that encrypts it.
    pub kms_key: Option<String>,
    /// What its stream shows of each change; none where there is no stream.
    pub stream: Option<String>,
    /// It is a global table of the version from 2017, which takes no replica of today's.
    #[serde(default)]
    pub legacy: bool,
    /// What a table has to be made with; none where an older version asked.
    #[serde(default)]
    pub shape: Option<TableShape>,
}

/// Keys, indexes and capacity of a table: what restoring it has to be told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableShape {
    /// Types of the attributes that keys name: `S`, `N` or `B`.
    pub attributes: BTreeMap<String, String>,
    /// Its key.
    pub key: Vec<KeyPart>,
    /// Its global secondary indexes.
    pub indexes: Vec<TableIndex>,
    /// Names of its local secondary indexes, which an import cannot make.
    pub local_indexes: Vec<String>,
    /// Its fixed capacity; none where it pays per request or scales by itself.
    pub capacity: Option<Throughput>,
}

/// A global secondary index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableIndex {
    /// Its name.
    pub name: String,
    /// Its key.
    pub key: Vec<KeyPart>,
    /// `ALL`, `KEYS_ONLY` or `INCLUDE`.
    pub projection: String,
    /// What it includes beside keys.
    pub attributes: Vec<String>,
    /// Its fixed capacity.
    pub capacity: Option<Throughput>,
}

/// One attribute of a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyPart {
    /// The attribute.
    pub attribute: String,
    /// `HASH` or `RANGE`.
    pub role: String,
}

/// Units a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throughput {
    /// Reads.
    pub read: i64,
    /// Writes.
    pub write: i64,
}

/// A disk of an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disk {
    /// Its device name.
    pub device: String,
    /// Its size in GiB.
    pub gib: i32,
    /// `gp3`, `io2`, ...
    pub kind: String,
    /// Operations per second, where stated.
    pub iops: Option<i32>,
    /// MiB per second, where stated.
    pub throughput: Option<i32>,
}

/// An image of the primary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageFact {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The account owns it, so that it can be copied.
    pub owned: bool,
    /// The image of that name and owner in the standby region, for images of others.
    pub standby: Option<String>,
}

/// An Auto Scaling group of the primary, with its launch template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupFact {
    /// Its image.
    pub image: ImageFact,
    /// Instance types, best first.
    pub types: Vec<String>,
    /// Desired capacity; of what is kept the highest that counts.
    pub capacity: u32,
    /// What it is now, where that is lower.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<Lower>,
    /// The highest capacity that its scheduled actions set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<u32>,
    /// Largest capacity.
    pub max: u32,
    /// SHA-256 of its user data; the text is never kept.
    pub user_data_sha256: Option<String>,
    /// Name of its instance profile; IAM is global, so it serves in the standby region too.
    pub profile: Option<String>,
    /// Its disks, where they differ from the image's.
    pub disks: Vec<Disk>,
}

/// A Capacity Reservation of the standby region that has not ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReservationFact {
    /// The instance type that it is for.
    pub instance_type: String,
    /// The availability zone it is in.
    pub zone: String,
    /// Instances that it holds, used or not.
    pub count: u32,
}

/// Availability zones of the standby region, sorted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZonesFact(pub Vec<String>);

/// A network that exists in the standby region.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NetworkFact {
    /// Ids of the VPCs that carry the tags; one, where the tags are chosen well.
    pub vpcs: Vec<String>,
    /// Ids of their subnets that carry the tags, or of all where none does.
    pub subnets: Vec<String>,
    /// Ids of their security groups that carry the tags.
    pub security_groups: Vec<String>,
}

/// A name in DNS, and what stands there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DnsFact {
    /// Ids of the public hosted zones of the name; one, unless somebody made two.
    pub zones: Vec<String>,
    /// The record's name, in full.
    pub record: String,
    /// A record of that name that is all by itself, has no alias and is not the stack's.
    pub simple: Option<SimpleRecord>,
    /// Type and value of all others of that name that are not the stack's.
    pub others: Vec<String>,
}

/// A record that leads to one name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimpleRecord {
    /// The name it leads to.
    pub target: String,
    /// Seconds that resolvers keep it.
    pub ttl: i64,
    /// The zone of the load balancer that it is an alias of, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// The question for `record` in a zone, which is given by name or id.
pub fn dns(zone: &str, record: &str) -> FactQuery {
    let name = format!("{zone}/{record}");
    FactQuery { kind: "dns".to_owned(), name, place: Place::Global }
}

/// Whether `text` is a zone's id: `Z` with capitals and digits after it.
pub fn is_zone_id(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    text.starts_with('Z') && text.len() > 1 && text.chars().all(inner)
}

/// The question for a network with these tags.
pub fn network(tags: &BTreeMap<String, String>) -> FactQuery {
    let tags: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    FactQuery::standby("network", &tags.join(","))
}

/// The tags that [`network`] asks for.
pub fn network_tags(name: &str) -> BTreeMap<String, String> {
    let pair = |text: &str| text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    name.split(',').filter_map(pair).collect()
}
