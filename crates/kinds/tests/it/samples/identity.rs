//! Samples of roles, profiles and fences.

use drstack_kinds::resources::{InstanceProfile, InstanceRole, ReplicationRole, WriterFence};
use drstack_kinds::services::iam::instance_profile::InstanceProfileSpec;
use drstack_kinds::services::iam::instance_role::InstanceRoleSpec;
use drstack_kinds::services::iam::replication_role::ReplicationRoleSpec;
use drstack_kinds::services::iam::writer_fence::WriterFenceSpec;

use super::{GIVEN, NAMED, Sample, Unseen, known, sample};

pub(super) fn samples() -> Vec<Sample> {
    const ROLE: Unseen = &[("name", NAMED)];
    const ROLE_OF_OTHERS: Unseen = &[("role", NAMED)];
    const LIFTED: Unseen = &[
        ("role", NAMED),
        ("buckets", "what it denied is nothing once it is lifted"),
        ("buckets.*", "what it denied is nothing once it is lifted"),
        ("tables", "what it denied is nothing once it is lifted"),
        ("tables.*", "what it denied is nothing once it is lifted"),
        ("region", "what it denied is nothing once it is lifted"),
        ("partition", "what it denied is nothing once it is lifted"),
    ];
    let fence = |denied| WriterFenceSpec {
        also: Vec::new(),
        role: "serving-writers".into(),
        denied,
        buckets: vec!["acme-models".into()],
        tables: vec!["acme-features".into()],
        region: "us-east-1".into(),
        partition: "aws".into(),
    };
    let reader = InstanceRoleSpec {
        also: Vec::new(),
        name: "drstack-fleet-pool-instances".into(),
        account: Some("123456789012".into()),
        buckets: vec!["arn:aws:s3:::acme-models-us-west-2".into()],
        tables: vec!["arn:aws:dynamodb:us-west-2:*:table/features".into()],
        keys: vec!["arn:aws:kms:us-west-2:123456789012:alias/copies".into()],
        parameters: Some("arn:aws:ssm:us-west-2:*:parameter/drstack/fleet/*".into()),
        permissions_boundary: None,
    };
    let replication = ReplicationRoleSpec {
        also: Vec::new(),
        name: "drstack-fleet-bucket-models-replication".into(),
        source: "acme-models".into(),
        destination: "acme-models-us-west-2".into(),
        partition: "aws".into(),
        kms_key: None,
        source_kms_key: None,
        account: Some("123456789012".into()),
        permissions_boundary: None,
    };
    let keys = ReplicationRoleSpec {
        also: Vec::new(),
        kms_key: Some("arn:aws:kms:us-west-2:123456789012:key/1".into()),
        source_kms_key: Some("arn:aws:kms:us-east-1:123456789012:key/2".into()),
        account: None,
        ..replication.clone()
    };
    vec![
        sample::<WriterFence>(&fence(true), &[], ROLE_OF_OTHERS),
        sample::<WriterFence>(&fence(false), &[], LIFTED),
        sample::<InstanceProfile>(
            &InstanceProfileSpec {
                name: "drstack-fleet-pool-instances".into(),
                role: known("drstack-fleet-pool-instances"),
            },
            &[],
            ROLE,
        ),
        sample::<InstanceRole>(&reader, &[], ROLE),
        sample::<ReplicationRole>(&replication, &[("arn", GIVEN)], ROLE),
        sample::<ReplicationRole>(&keys, &[("arn", GIVEN)], ROLE),
    ]
}
