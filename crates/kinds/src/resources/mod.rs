//! Resources: one AWS object each. One file each, and one line here and in `aws::drivers`; `standby_table` is what two of them share.

pub mod alarm;
pub mod bucket;
pub mod bucket_versioning;
pub mod check;
pub mod dns_record;
pub mod dns_weights;
pub mod gateway_endpoint;
pub mod group;
pub mod health_check;
pub mod image;
pub mod instance_profile;
pub mod instance_role;
pub mod launch_template;
pub mod parameter;
pub mod replication_role;
pub mod replication_rule;
pub mod route_table;
pub mod security_group;
pub mod standby_table;
pub mod subnet;
pub mod table_copy;
pub mod table_export;
pub mod table_import;
pub mod table_recovery;
pub mod table_replica;
pub mod table_stream;
pub mod traffic_switch;
pub mod vpc;
pub mod writer_fence;

use drstack_core::kind::{DynKind, Erased, Operation};
use drstack_core::link::Link;
use serde_json::{Value, json};

pub use alarm::Alarm;
pub use bucket::Bucket;
pub use bucket_versioning::BucketVersioning;
pub use check::Check;
pub use dns_record::DnsRecord;
pub use dns_weights::DnsWeights;
pub use gateway_endpoint::GatewayEndpoint;
pub use group::Group;
pub use health_check::HealthCheck;
pub use image::Image;
pub use instance_profile::InstanceProfile;
pub use instance_role::InstanceRole;
pub use launch_template::LaunchTemplate;
pub use parameter::Parameter;
pub use replication_role::ReplicationRole;
pub use replication_rule::ReplicationRule;
pub use route_table::RouteTable;
pub use security_group::SecurityGroup;
pub use subnet::Subnet;
pub use table_copy::TableCopy;
pub use table_export::TableExport;
pub use table_import::TableImport;
pub use table_recovery::TableRecovery;
pub use table_replica::TableReplica;
pub use table_stream::TableStream;
pub use traffic_switch::TrafficSwitch;
pub use vpc::Vpc;
pub use writer_fence::WriterFence;

/// Every resource kind.
pub const ALL: &[&dyn DynKind] = &[
    &Erased::<Alarm>::NEW,
    &Erased::<Bucket>::NEW,
    &Erased::<BucketVersioning>::NEW,
    &Erased::<Check>::NEW,
    &Erased::<DnsRecord>::NEW,
    &Erased::<DnsWeights>::NEW,
    &Erased::<GatewayEndpoint>::NEW,
    &Erased::<Group>::NEW,
    &Erased::<HealthCheck>::NEW,
    &Erased::<Image>::NEW,
    &Erased::<InstanceProfile>::NEW,
    &Erased::<InstanceRole>::NEW,
    &Erased::<LaunchTemplate>::NEW,
    &Erased::<Parameter>::NEW,
    &Erased::<ReplicationRole>::NEW,
    &Erased::<ReplicationRule>::NEW,
    &Erased::<RouteTable>::NEW,
    &Erased::<SecurityGroup>::NEW,
    &Erased::<Subnet>::NEW,
    &Erased::<TableCopy>::NEW,
    &Erased::<TableExport>::NEW,
    &Erased::<TableImport>::NEW,
    &Erased::<TableRecovery>::NEW,
    &Erased::<TableReplica>::NEW,
    &Erased::<TableStream>::NEW,
    &Erased::<TrafficSwitch>::NEW,
    &Erased::<Vpc>::NEW,
    &Erased::<WriterFence>::NEW,
];

pub(crate) const fn operation(service: &'static str, action: &'static str) -> Operation {
    Operation { service, action }
}

/// The condition of a statement about buckets that holds only while `account` owns them.
pub(crate) fn owned_by(account: &str) -> Value {
    json!({"StringEquals": {"aws:ResourceAccount": account}})
}

/// The texts of links whose order means nothing, sorted.
fn texts(links: &[Link]) -> Vec<String> {
    let mut texts: Vec<String> = links.iter().map(|link| link.text().to_owned()).collect();
    texts.sort();
    texts
}
