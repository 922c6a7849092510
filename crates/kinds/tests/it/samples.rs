//! Samples: specs of every kind, and what of the live value, or of the spec, no difference can show.

use drstack_core::kind::Kind;
use drstack_core::link::Link;

use drstack_kinds::facts::{Disk, KeyPart, TableIndex, TableShape, Throughput};
use drstack_kinds::resources::alarm::AlarmSpec;
use drstack_kinds::resources::bucket::BucketSpec;
use drstack_kinds::resources::bucket_versioning::BucketVersioningSpec;
use drstack_kinds::resources::check::{CheckSpec, KeyValue, Probe};
use drstack_kinds::resources::dns_record::DnsRecordSpec;
use drstack_kinds::resources::dns_weights::{DnsWeightsSpec, Gate};
use drstack_kinds::resources::gateway_endpoint::GatewayEndpointSpec;
use drstack_kinds::resources::group::reserved::Reserved;
use drstack_kinds::resources::group::sizes::Sizes;
use drstack_kinds::resources::group::{GroupSpec, Step, Takeover};
use drstack_kinds::resources::health_check::HealthCheckSpec;
use drstack_kinds::resources::image::ImageSpec;
use drstack_kinds::resources::instance_profile::InstanceProfileSpec;
use drstack_kinds::resources::instance_role::InstanceRoleSpec;
use drstack_kinds::resources::launch_template::LaunchTemplateSpec;
use drstack_kinds::resources::parameter::ParameterSpec;
use drstack_kinds::resources::replication_role::ReplicationRoleSpec;
use drstack_kinds::resources::replication_rule::ReplicationRuleSpec;
use drstack_kinds::resources::route_table::RouteTableSpec;
use drstack_kinds::resources::security_group::{Ingress, SecurityGroupSpec};
use drstack_kinds::resources::subnet::SubnetSpec;
use drstack_kinds::resources::table_copy::TableCopySpec;
use drstack_kinds::resources::table_export::TableExportSpec;
use drstack_kinds::resources::table_import::TableImportSpec;
use drstack_kinds::resources::table_recovery::TableRecoverySpec;
use drstack_kinds::resources::table_replica::TableReplicaSpec;
use drstack_kinds::resources::table_stream::TableStreamSpec;
use drstack_kinds::resources::traffic_switch::TrafficSwitchSpec;
use drstack_kinds::resources::vpc::VpcSpec;
use drstack_kinds::resources::writer_fence::WriterFenceSpec;
use drstack_kinds::resources::*;
use serde_json::Value;

/// A field of a live value or a spec, and why no difference shows a change of it.
pub(crate) type Unseen = &'static [(&'static str, &'static str)];

/// One spec of one kind.
pub(crate) struct Sample {
    pub(crate) kind: &'static str,
    pub(crate) spec: Value,
    /// The same spec, read from JSON and written again.
    pub(crate) again: Value,
    /// Fields of the live value.
    pub(crate) live_unseen: Unseen,
    /// Fields of the spec.
    pub(crate) spec_unseen: Unseen,
}

fn sample<K: Kind>(spec: &K::Spec, live_unseen: Unseen, spec_unseen: Unseen) -> Sample {
    let spec = serde_json::to_value(spec).unwrap();
    let read: K::Spec = serde_json::from_str(&spec.to_string()).unwrap();
    let again = serde_json::to_value(read).unwrap();
    Sample { kind: K::NAME, spec, again, live_unseen, spec_unseen }
}

const NAMED: &str = "the name by which it is looked up: another name is another resource";
const STATE: &str = "whether it is ready, which nobody wants one way or the other";
const GIVEN: &str = "AWS gives it";

/// Specs of every kind, with each optional field given and left out.
pub(crate) fn samples() -> Vec<Sample> {
    [data(), network(), compute(), identity(), takeover(), traffic()].into_iter().flatten().collect()
}

fn data() -> Vec<Sample> {
    const BUCKET: Unseen = &[("name", NAMED)];
    const RULE: Unseen = &[
        ("bucket", NAMED),
        ("rule", NAMED),
        ("partition", "it only goes into the ARN of a bucket, and a region never moves to another partition"),
    ];
    const SETTING: Unseen = &[("bucket", NAMED)];
    const REPLICA: Unseen = &[("status", STATE), ("arn", GIVEN)];
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
    let replica = TableReplicaSpec {
        table: "features".into(),
        kms_key: None,
        point_in_time_recovery: true,
        deletion_protection: false,
    };
    let key = || Some("arn:aws:kms:us-west-2:123456789012:key/1".to_owned());
    let mut all = restored(key());
    all.extend([
        sample::<Bucket>(&bucket, &[], BUCKET),
        sample::<Bucket>(&BucketSpec { kms_key: key(), old_versions_days: 0, ..bucket.clone() }, &[], BUCKET),
        sample::<BucketVersioning>(&BucketVersioningSpec { bucket: "acme-models".into() }, &[], SETTING),
        sample::<ReplicationRule>(&rule, &[], RULE),
        sample::<ReplicationRule>(&ReplicationRuleSpec { kms_key: key(), ..rule.clone() }, &[], RULE),
        sample::<TableCopy>(&copy, COPIED, COPY),
        sample::<TableExport>(&export, EXPORTED, EXPORT),
        sample::<TableRecovery>(&TableRecoverySpec { table: "features".into() }, &[], TABLE),
        sample::<TableReplica>(&replica, ANY_KEY, TABLE),
        sample::<TableReplica>(&TableReplicaSpec { kms_key: key(), ..replica.clone() }, REPLICA, TABLE),
        sample::<TableStream>(&TableStreamSpec { table: "features".into() }, &[], TABLE),
    ]);
    all
}

/// A table that is restored, under no key of its own and under `key`.
fn restored(key: Option<String>) -> Vec<Sample> {
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
    const ANY_KEY: Unseen = &[
        ("status", STATE),
        ("arn", GIVEN),
        FAILURE,
        ("kms_key", "a stack that names no key takes any: AWS shows the one that it manages here too"),
    ];
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
        kms_key: None,
        point_in_time_recovery: true,
        deletion_protection: false,
    };
    vec![
        sample::<TableImport>(&import, ANY_KEY, IMPORT),
        sample::<TableImport>(&TableImportSpec { kms_key: key, ..import }, KEYED, IMPORT),
    ]
}

fn network() -> Vec<Sample> {
    let vpc = || known("vpc-1");
    let group = SecurityGroupSpec { name: "drstack-fleet-network".into(), vpc: vpc(), ingress: Vec::new() };
    let ingress = vec![Ingress { port: 443, from: "10.0.0.0/8".into() }];
    vec![
        sample::<Vpc>(&VpcSpec { cidr: "10.64.0.0/16".into() }, &[], &[]),
        sample::<Subnet>(
            &SubnetSpec { vpc: vpc(), cidr: "10.64.0.0/19".into(), zone: "us-west-2a".into() },
            &[],
            &[],
        ),
        sample::<RouteTable>(
            &RouteTableSpec { vpc: vpc(), subnets: vec![known("subnet-2"), known("subnet-1")] },
            &[],
            &[],
        ),
        sample::<GatewayEndpoint>(
            &GatewayEndpointSpec {
                vpc: vpc(),
                service: "com.amazonaws.us-west-2.s3".into(),
                route_tables: vec![known("rtb-1")],
            },
            &[("state", STATE)],
            &[],
        ),
        sample::<SecurityGroup>(&group, &[], &[]),
        sample::<SecurityGroup>(&SecurityGroupSpec { ingress, ..group.clone() }, &[], &[]),
    ]
}

fn compute() -> Vec<Sample> {
    const GROUP: Unseen = &[("on_demand", STATE), ("spot", STATE), ("status", STATE)];
    const LARGER: &str = "while instances are exchanged the group may be larger than it will be";
    const ACTIVE: Unseen = &[("max", LARGER), ("on_demand", STATE), ("status", STATE)];
    const MIXED: Unseen = &[("max", LARGER), ("status", STATE)];
    const TAKEOVER: Unseen = &[
        ("name", "made from the address, by which it is found: another address is another group"),
        ("takeover.minimum", "how far it may go down, which only matters while it is waited for"),
    ];
    const SMALL: &str = "it is less than an instance that could go";
    const OTHERS: Unseen = &[("max", LARGER), ("status", STATE), ("on_demand", SMALL), ("spot", SMALL)];
    const UNUSED: &str = "other sizes are only for a lower rung";
    const SIZED: Unseen = &[
        ("name", "made from the address, by which it is found: another address is another group"),
        ("sizes.others", UNUSED),
        ("sizes.others.*", UNUSED),
        ("sizes.units.g5.2xlarge", UNUSED),
        ("sizes.units.g5.large", UNUSED),
        ("takeover.minimum", "how far it may go down, which only matters while it is waited for"),
    ];
    const GROUP_NAME: Unseen =
        &[("name", "made from the address, by which it is found: another address is another group")];
    const LOWER: &str = "on a lower rung it follows from what is to be had";
    const LOWERED: Unseen = &[
        ("name", "made from the address, by which it is found: another address is another group"),
        ("on_demand_percentage", LOWER),
        ("takeover.minimum", "how far it may go down, which only matters while it is waited for"),
        ("takeover.rung", LOWER),
    ];
    const COPY: &str = "made from the address and `source`, and `source` shows";
    const IMAGE: Unseen = &[("name", COPY)];
    const KEYED: Unseen = &[
        ("name", COPY),
        ("kms_key", "an image does not say under which key it is: a new key is for the next copy"),
    ];
    let image =
        ImageSpec { source: "ami-1".into(), name: "drstack-fleet-image-base-ami-1".into(), kms_key: None };
    let template = LaunchTemplateSpec {
        name: "drstack-fleet-pool".into(),
        image: known("ami-2"),
        instance_type: "g5.xlarge".into(),
        user_data_sha256: None,
        security_groups: Vec::new(),
        profile: None,
        disks: Vec::new(),
    };
    let full = LaunchTemplateSpec {
        user_data_sha256: Some("00ff".into()),
        security_groups: vec![known("sg-2"), known("sg-1")],
        profile: Some(known("drstack-fleet-pool-instances")),
        disks: vec![Disk {
            device: "/dev/sda1".into(),
            gib: 100,
            kind: "gp3".into(),
            iops: Some(3000),
            throughput: None,
        }],
        ..template.clone()
    };
    const TEMPLATE: Unseen = &[("version", GIVEN)];
    let group = GroupSpec {
        name: "drstack-fleet-pool".into(),
        template: known("lt-1"),
        template_version: known("3"),
        subnets: vec![known("subnet-2"), known("subnet-1")],
        types: vec!["g5.xlarge".into(), "g4dn.xlarge".into()],
        min: 2,
        max: 8,
        desired: 3,
        on_demand_percentage: 0,
        sizes: None,
        reserved: None,
        takeover: None,
    };
    let taken = Takeover { minimum: 2, rung: Step::Whole, up_to: None };
    let active = GroupSpec { on_demand_percentage: 100, takeover: Some(taken), ..group.clone() };
    let targets = vec!["cr-1".into(), "arn:aws:resource-groups:us-west-2:123456789012:group/gpus".into()];
    let reserved = GroupSpec { reserved: Some(Reserved::first(targets)), ..active.clone() };
    let sizes = Sizes {
        others: vec!["g5.2xlarge".into(), "g5.large".into()],
        units: [("g5.xlarge", 2), ("g4dn.xlarge", 2), ("g5.2xlarge", 4), ("g5.large", 1)]
            .map(|(of, units)| (of.to_owned(), units))
            .into(),
    };
    let sized = GroupSpec { sizes: Some(sizes), desired: 6, ..active.clone() };
    let others = Takeover { rung: Step::Sizes, ..taken };
    let others = GroupSpec { takeover: Some(others), ..sized.clone() };
    let mixed = Takeover { rung: Step::Spot, ..taken };
    let mixed = GroupSpec { takeover: Some(mixed), ..active.clone() };
    let empty = GroupSpec { min: 0, desired: 0, on_demand_percentage: 100, ..group.clone() };
    vec![
        sample::<Image>(&image, &[("state", STATE)], IMAGE),
        sample::<Image>(
            &ImageSpec { kms_key: Some("alias/own".into()), ..image },
            &[("state", STATE)],
            KEYED,
        ),
        sample::<LaunchTemplate>(&template, TEMPLATE, &[]),
        sample::<LaunchTemplate>(&full, TEMPLATE, &[]),
        sample::<Group>(&group, GROUP, GROUP_NAME),
        sample::<Group>(&empty, GROUP, GROUP_NAME),
        sample::<Group>(&active, ACTIVE, TAKEOVER),
        sample::<Group>(&reserved, ACTIVE, TAKEOVER),
        sample::<Group>(&mixed, MIXED, LOWERED),
        sample::<Group>(&sized, ACTIVE, SIZED),
        sample::<Group>(&others, OTHERS, &LOWERED[..3]),
    ]
}

fn identity() -> Vec<Sample> {
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
        role: "serving-writers".into(),
        denied,
        buckets: vec!["acme-models".into()],
        tables: vec!["acme-features".into()],
        region: "us-east-1".into(),
        partition: "aws".into(),
    };
    let reader = InstanceRoleSpec {
        name: "drstack-fleet-pool-instances".into(),
        buckets: vec!["arn:aws:s3:::acme-models-us-west-2".into()],
        tables: vec!["arn:aws:dynamodb:us-west-2:*:table/features".into()],
    };
    let replication = ReplicationRoleSpec {
        name: "drstack-fleet-bucket-models-replication".into(),
        source: "acme-models".into(),
        destination: "acme-models-us-west-2".into(),
        partition: "aws".into(),
        kms_key: None,
        source_kms_key: None,
    };
    let keys = ReplicationRoleSpec {
        kms_key: Some("arn:aws:kms:us-west-2:123456789012:key/1".into()),
        source_kms_key: Some("arn:aws:kms:us-east-1:123456789012:key/2".into()),
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

fn takeover() -> Vec<Sample> {
    const PARAMETER: Unseen = &[("name", NAMED)];
    let check = |probe| sample::<Check>(&CheckSpec { probe, timeout: 10 }, &[], &[]);
    let http =
        |contains| Probe::Http { url: "https://api.example.com/healthz".into(), status: 200, contains };
    let table = |item: &[(&str, KeyValue)]| Probe::Table {
        name: "features".into(),
        item: item.iter().map(|(name, it)| ((*name).to_owned(), it.clone())).collect(),
        writable: !item.is_empty(),
    };
    let object = Probe::Object {
        bucket: "acme-models-us-west-2".into(),
        key: "prod/model.bin".into(),
        sha256: "00ff".into(),
    };
    let region = ParameterSpec { name: "/drstack/fleet/active-region".into(), value: "us-east-1".into() };
    vec![
        check(http(None)),
        check(http(Some("ok".into()))),
        check(Probe::Answer {
            url: "https://api.example.com/healthz".into(),
            host: "west.example.com".into(),
        }),
        check(table(&[])),
        check(table(&[("id", KeyValue::Text("canary".into())), ("at", KeyValue::Number(7))])),
        check(object),
        check(Probe::Command(vec!["curl".into(), "--fail".into()])),
        sample::<Parameter>(&region, &[], PARAMETER),
    ]
}

fn traffic() -> Vec<Sample> {
    const ALARM: Unseen = &[("name", NAMED)];
    const PAIR: Unseen = &[
        ("zone", NAMED),
        ("record", NAMED),
        ("mark", "made from the address, by which it is ours: another address is another pair"),
        ("adopt", "whether a record of others may go, which is asked while making it"),
    ];
    const SWITCH: Unseen = &[("alarm", NAMED)];
    const WEIGHTS: Unseen = &[
        ("steps", "shares on the way, which nothing shows once they are passed"),
        ("steps.*", "shares on the way, which nothing shows once they are passed"),
        ("gate.url", "what has to hold on the way"),
        ("gate.host", "what has to hold on the way"),
        ("gate.check", "what has to hold on the way"),
        ("gate.seconds", "what has to hold on the way"),
    ];
    const BY_WEIGHT: Unseen = &[
        ("zone", NAMED),
        ("record", NAMED),
        ("mark", "made from the address, by which it is ours: another address is another pair"),
        ("adopt", "whether a record of others may go, which is asked while making it"),
        ("weighted", "the share it is made with: from then on another kind has it"),
    ];
    let pair = DnsRecordSpec {
        zone: "Z0123".into(),
        record: "api.example.com".into(),
        mark: "drstack-fleet-traffic.api".into(),
        primary: "east.example.com".into(),
        secondary: "west.example.com".into(),
        check: known("check-3"),
        adopt: false,
        weighted: None,
        aliases: None,
    };
    let by_alias = DnsRecordSpec { aliases: Some(("Z1EAST", "Z1WEST").into()), ..pair.clone() };
    let by_weight = DnsRecordSpec { weighted: Some(90), ..pair.clone() };
    let weights = |steps: &[u32], gate| DnsWeightsSpec {
        pair: known("Z0123/api.example.com"),
        share: 90,
        steps: steps.to_vec(),
        gate,
    };
    let gate = Gate {
        url: "https://api.example.com/healthz".into(),
        host: "east.example.com".into(),
        check: known("check-1"),
        seconds: 60,
    };
    let switch = |active| TrafficSwitchSpec { alarm: "drstack-fleet-traffic-api".into(), active };
    vec![
        sample::<Alarm>(
            &AlarmSpec {
                name: "drstack-fleet-traffic-api".into(),
                stack: "fleet".into(),
                traffic: "traffic-api".into(),
            },
            &[],
            ALARM,
        ),
        sample::<HealthCheck>(
            &HealthCheckSpec::Endpoint {
                host: "east.example.com".into(),
                port: 443,
                path: "/healthz".into(),
            },
            &[],
            &[],
        ),
        sample::<HealthCheck>(
            &HealthCheckSpec::Alarm { alarm: known("drstack-fleet-traffic-api"), region: "us-west-2".into() },
            &[],
            &[],
        ),
        sample::<HealthCheck>(
            &HealthCheckSpec::All {
                checks: vec![known("check-2"), known("check-1")],
                record: "Z0123/api.example.com".into(),
            },
            &[],
            &[],
        ),
        sample::<DnsRecord>(&pair, &[], PAIR),
        sample::<DnsRecord>(&by_alias, &[], PAIR),
        sample::<DnsRecord>(&by_weight, &[], BY_WEIGHT),
        sample::<DnsWeights>(&weights(&[], None), &[], &[]),
        sample::<DnsWeights>(&weights(&[5], Some(gate)), &[], WEIGHTS),
        sample::<TrafficSwitch>(&switch(false), &[], SWITCH),
        sample::<TrafficSwitch>(&switch(true), &[], SWITCH),
    ]
}

fn known(id: &str) -> Link {
    Link::Known(id.to_owned())
}
