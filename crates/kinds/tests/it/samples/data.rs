//! Samples of buckets, tables and their replication.

use drstack_kinds::facts::{KeyPart, TableIndex, TableShape, Throughput};
use drstack_kinds::resources::{
    Bucket, BucketVersioning, GlobalTable, ReplicationRule, TableCopy, TableExport, TableImport,
    TableRecovery, TableReplica, TableStream,
};
use drstack_kinds::services::dynamodb::global_table::GlobalTableSpec;
use drstack_kinds::services::dynamodb::standby_table::Settings;
use drstack_kinds::services::dynamodb::table_copy::TableCopySpec;
use drstack_kinds::services::dynamodb::table_export::TableExportSpec;
use drstack_kinds::services::dynamodb::table_import::TableImportSpec;
use drstack_kinds::services::dynamodb::table_recovery::TableRecoverySpec;
use drstack_kinds::services::dynamodb::table_replica::TableReplicaSpec;
use drstack_kinds::services::dynamodb::table_stream::TableStreamSpec;
use drstack_kinds::services::s3::bucket::BucketSpec;
use drstack_kinds::services::s3::bucket_versioning::BucketVersioningSpec;
use drstack_kinds::services::s3::replication_rule::ReplicationRuleSpec;

use super::{GIVEN, NAMED, STATE, Sample, Unseen, known, sample};

const BUCKET: Unseen = &[("name", NAMED)];
const RULE: Unseen = &[
    ("bucket", NAMED),
    ("rule", NAMED),
    ("partition", "it only goes into the ARN of a bucket, and a region never moves to another partition"),
];
const SETTING: Unseen = &[("bucket", NAMED)];
const REPLICA: Unseen = &[("status", STATE), ("arn", GIVEN)];
const STATUS: Unseen = &[("status", STATE), ("arn", GIVEN)];
const ANY_KEY: Unseen = &[
    ("status", STATE),
    ("arn", GIVEN),
    ("kms_key", "a stack that names no key takes any: AWS shows the one that it manages here too"),
];
const EXPORTED: Unseen = &[("failure", "it says why the state is not the wanted one")];
const EXPORT: Unseen = &[
    ("table", NAMED),
    ("bucket", NAMED),
    ("prefix", "it is made of stack and table"),
    ("oldest_hours", NAMED),
];
const COPIED: Unseen = &[
    ("export", "any complete export will do"),
    ("as_of", "how old it may be is the business of who makes it"),
];
const COPY: Unseen = &[("bucket", NAMED), ("prefix", NAMED)];
const TABLE: Unseen = &[("table", NAMED)];
const MADE: &str = "it is made so, and whoever changes it afterwards is right";
const IMPORT: Unseen = &[
    ("table", NAMED),
    ("bucket", "where it came from is said by the export"),
    ("prefix", "where it came from is said by the export"),
    ("shape.attributes.pk", MADE),
    ("shape.key", MADE),
    ("shape.key.*.attribute", MADE),
    ("shape.key.*.role", MADE),
    ("shape.indexes", MADE),
    ("shape.indexes.*.name", MADE),
    ("shape.indexes.*.key", MADE),
    ("shape.indexes.*.key.*.attribute", MADE),
    ("shape.indexes.*.key.*.role", MADE),
    ("shape.indexes.*.projection", MADE),
    ("shape.indexes.*.attributes", MADE),
    ("shape.indexes.*.attributes.*", MADE),
    ("shape.indexes.*.capacity.read", MADE),
    ("shape.indexes.*.capacity.write", MADE),
    ("shape.local_indexes", "no import makes any"),
    ("shape.local_indexes.*", "no import makes any"),
    ("shape.capacity.read", MADE),
    ("shape.capacity.write", MADE),
];
const FAILURE: (&str, &str) = ("failure", "it says that it is not ready");
const KEYED: Unseen = &[("status", STATE), ("arn", GIVEN), FAILURE];
const ANY_KEY_YET: Unseen = &[
    ("status", STATE),
    ("arn", GIVEN),
    FAILURE,
    ("kms_key", "a stack that names no key takes any: AWS shows the one that it manages here too"),
];

pub(super) fn samples() -> Vec<Sample> {
    let bucket = BucketSpec {
        name: "acme-models-us-west-2".into(),
        source: "acme-models".into(),
        old_versions_days: 30,
        kms_key: None,
    };
    let rule = ReplicationRuleSpec {
        bucket: "acme-models".into(),
        rule: "drstack-fleet-bucket.models".into(),
        destination: "acme-models-us-west-2".into(),
        account: Some("123456789012".into()),
        role: known("arn:aws:iam::123456789012:role/replication"),
        delete_markers: true,
        time_control: false,
        partition: "aws".into(),
        kms_key: None,
    };
    let export = TableExportSpec {
        table: "features".into(),
        bucket: "acme-control".into(),
        prefix: "exports/fleet/features".into(),
        oldest_hours: 24,
    };
    let copy = TableCopySpec { bucket: "acme-control".into(), prefix: "exports/fleet/features".into() };
    let replica = |kms_key| TableReplicaSpec { table: "features".into(), settings: settings(kms_key) };
    let key = || Some("arn:aws:kms:us-west-2:123456789012:key/1".to_owned());
    let mut all = restored(key());
    all.extend([
        sample::<Bucket>(&bucket, &[], BUCKET),
        sample::<Bucket>(&BucketSpec { kms_key: key(), old_versions_days: 0, ..bucket.clone() }, &[], BUCKET),
        sample::<BucketVersioning>(&BucketVersioningSpec { bucket: "acme-models".into() }, &[], SETTING),
        sample::<ReplicationRule>(&rule, &[], RULE),
        sample::<ReplicationRule>(
            &ReplicationRuleSpec { kms_key: key(), account: None, ..rule.clone() },
            &[],
            RULE,
        ),
        sample::<TableCopy>(&copy, COPIED, COPY),
        sample::<TableExport>(&export, EXPORTED, EXPORT),
        sample::<TableRecovery>(&TableRecoverySpec { table: "features".into() }, &[], TABLE),
        sample::<TableReplica>(&replica(None), ANY_KEY, TABLE),
        sample::<TableReplica>(&replica(key()), REPLICA, TABLE),
        sample::<GlobalTable>(&GlobalTableSpec { table: "features".into() }, STATUS, TABLE),
        sample::<TableStream>(&TableStreamSpec { table: "features".into() }, &[], TABLE),
    ]);
    all
}

fn settings(kms_key: Option<String>) -> Settings {
    Settings { kms_key, point_in_time_recovery: true, deletion_protection: false }
}

/// Returns samples of a restored table, without a key of its own and with `key`.
fn restored(key: Option<String>) -> Vec<Sample> {
    let part = |attribute: &str, role: &str| KeyPart { attribute: attribute.into(), role: role.into() };
    let capacity = Some(Throughput { read: 5, write: 5 });
    let index = TableIndex {
        name: "by-model".into(),
        key: vec![part("pk", "HASH")],
        projection: "INCLUDE".into(),
        attributes: vec!["score".into()],
        capacity,
    };
    let shape = TableShape {
        attributes: [("pk".to_owned(), "S".to_owned())].into(),
        key: vec![part("pk", "HASH")],
        indexes: vec![index],
        local_indexes: vec!["by-time".into()],
        capacity,
    };
    let import = TableImportSpec {
        table: "features".into(),
        bucket: "acme-control".into(),
        prefix: "exports/fleet/features".into(),
        export: known("01795544480843-a8ceebd1"),
        shape,
        settings: settings(None),
    };
    vec![
        sample::<TableImport>(&import, ANY_KEY_YET, IMPORT),
        sample::<TableImport>(&TableImportSpec { settings: settings(key), ..import }, KEYED, IMPORT),
    ]
}
