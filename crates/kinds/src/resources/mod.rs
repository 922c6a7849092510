//! Resources: one AWS object each. One file each, and one line here and in `aws::drivers`.

pub mod bucket;
pub mod bucket_versioning;
pub mod replication_role;
pub mod replication_rule;

use drstack_core::kind::{DynKind, Erased, Operation};

pub use bucket::Bucket;
pub use bucket_versioning::BucketVersioning;
pub use replication_role::ReplicationRole;
pub use replication_rule::ReplicationRule;

/// Every resource kind.
pub const ALL: &[&dyn DynKind] = &[
    &Erased::<Bucket>::NEW,
    &Erased::<BucketVersioning>::NEW,
    &Erased::<ReplicationRole>::NEW,
    &Erased::<ReplicationRule>::NEW,
];

const fn operation(service: &'static str, action: &'static str) -> Operation {
    Operation { service, action }
}
