//! The main job against moto and fakecloud: seeded by boto3, applied by drstack, read back by
//! boto3.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::drstack::{Drstack, Ran};
use crate::servers::{Boto, PRIMARY, STANDBY, Server};

/// A secret in the user data of the primary's group. Nothing that drstack stores may hold it.
const SECRET: &str = "correct-horse-battery";

/// Returns a stack with one component of each kind, in one posture.
pub(crate) fn stack(posture: &str) -> String {
    format!(
        r#"
[stack]
name    = "fleet"
primary = "us-east-1"
standby = "us-west-2"
posture = "{posture}"
control = "acme-control"

[bucket.models]
name = "acme-models"
replication_time_control = true

[bucket.archive]
name    = "acme-archive"
posture = "cold"
delete_markers = false

[table.features]
name = "acme-features"

[network.standby]
cidr    = "10.64.0.0/16"
ingress = [{{ port = 8080, from = "10.0.0.0/8" }}]

[pool.inference]
follows = "serve"
network = "@network.standby"
buckets = ["@bucket.models"]
tables  = ["@table.features"]
"#
    )
}

/// Creates the primary as another tool would.
pub(crate) fn seed(boto: &Boto<'_>) {
    boto.seed(&json!([
        { "kind": "bucket", "name": "acme-models", "contents": { "a/b": "weights" }, "tags": { "team": "ml" } },
        { "kind": "bucket", "name": "acme-archive", "versioning": true },
        { "kind": "table", "name": "acme-features", "items": [{ "pk": "a", "text": "one" }] },
        { "kind": "group", "name": "serve", "types": ["m5.large", "c5.large"], "capacity": 8,
          "user_data": format!("#!/bin/sh\nexport TOKEN={SECRET}\n") },
    ]));
}

/// Returns the actions and addresses of the steps that `plan --json` or `apply --json` shows.
pub(crate) fn steps(ran: &Ran) -> BTreeSet<(String, String)> {
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let lines = ran.json();
    let steps = lines.iter().filter(|line| line["type"] == "step");
    steps.map(|line| (text(line, "action"), text(line, "address"))).collect()
}

pub(crate) fn expected(steps: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    steps.iter().map(|(action, address)| ((*action).to_owned(), (*address).to_owned())).collect()
}

pub(crate) fn apply(machine: &Drstack) -> Ran {
    machine.run(["apply", "s", "--auto-approve", "--json"]).ok()
}

pub(crate) fn nothing_to_do(machine: &Drstack) {
    let ran = machine.run(["plan", "s", "--detailed-exitcode", "--json"]).ok();
    assert_eq!(steps(&ran), BTreeSet::new(), "{ran:?}");
}

/// Returns the values of an object whose keys drstack or the server chose.
pub(crate) fn values(object: &Value) -> Vec<&Value> {
    object.as_object().map(|it| it.values().collect()).unwrap_or_default()
}

#[track_caller]
fn only(object: &Value) -> &Value {
    let all = values(object);
    assert_eq!(all.len(), 1, "one of {object:#}");
    all[0]
}

/// Asserts that the buckets are versioned, encrypted, closed to the public, and replicate with the
/// right rule.
fn expect_buckets(primary: &Value, standby: &Value) {
    for (source, markers, timed) in [("acme-models", "Enabled", true), ("acme-archive", "Disabled", false)] {
        let replica = &standby["buckets"][format!("{source}-{STANDBY}")];
        assert_eq!(replica["versioning"], "Enabled", "{replica:#}");
        let by_default = &replica["encryption"]["Rules"][0]["ApplyServerSideEncryptionByDefault"];
        assert_eq!(by_default["SSEAlgorithm"], "AES256");
        for door in ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"] {
            assert_eq!(replica["public_access"][door], true, "{door}");
        }
        assert_eq!(replica["tags"]["drstack:stack"], "fleet");
        let bucket = &primary["buckets"][source];
        assert_eq!(bucket["versioning"], "Enabled");
        let rules = bucket["replication"]["Rules"].as_array().expect("rules");
        let rule = &rules[0];
        assert_eq!(rules.len(), 1, "{rules:#?}");
        assert_eq!(rule["Status"], "Enabled");
        assert_eq!(rule["Filter"]["Prefix"], "");
        assert_eq!(rule["DeleteMarkerReplication"]["Status"], markers);
        assert_eq!(rule["Destination"]["Bucket"], format!("arn:aws:s3:::{source}-{STANDBY}"));
        let minutes = &rule["Destination"]["ReplicationTime"]["Time"]["Minutes"];
        assert_eq!(minutes, &if timed { json!(15) } else { Value::Null });
        let role =
            bucket["replication"]["Role"].as_str().and_then(|it| it.rsplit('/').next()).expect("a role");
        let trust = primary["roles"][role]["trust"].to_string();
        assert!(trust.contains("s3.amazonaws.com"), "{role}: {trust}");
    }
}

/// Asserts that the replica is active, protected, recoverable and tagged, and that the primary's
/// stream is on.
fn expect_replica(primary: &Value, standby: &Value) {
    assert_eq!(primary["tables"]["acme-features"]["stream"], "NEW_AND_OLD_IMAGES");
    let replica = &standby["tables"]["acme-features"];
    assert_eq!(replica["status"], "ACTIVE");
    assert_eq!(replica["recovery"], "ENABLED");
    assert_eq!(replica["protected"], true);
    assert_eq!(replica["tags"]["drstack:address"], "table.features/table-replica");
}

/// Asserts that the control bucket has one complete export of the table, and no second one.
fn expect_export(standby: &Value) {
    let objects = standby["buckets"]["acme-control"]["objects"].as_array().expect("objects");
    let exported = objects.iter().filter_map(|it| it.as_str()?.strip_prefix("exports/fleet/acme-features/"));
    let exported: Vec<&str> = exported.collect();
    for part in ["/data/", "/manifest-summary.json"] {
        assert_eq!(exported.iter().filter(|it| it.contains(part)).count(), 1, "{part}: {objects:?}");
    }
}

/// Asserts the template: the followed image's copy, user data, IMDSv2, a profile, and the network
/// around it.
fn expect_template(standby: &Value) {
    let template = &standby["launch_templates"]["drstack-fleet-pool-inference"];
    assert_eq!(template["Tags"]["drstack:stack"], "fleet");
    let data = &template["versions"]["1"]["data"];
    assert_eq!(data["MetadataOptions"]["HttpTokens"], "required");
    assert!(data["UserData"].as_str().is_some_and(|text| text.contains(SECRET)), "{data:#}");
    let image = &standby["images"][data["ImageId"].as_str().expect("an image")];
    assert_eq!(image["State"], "available");
    assert_eq!(data["IamInstanceProfile"]["Name"], "drstack-fleet-pool-inference-instances");
    assert_eq!(data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"], true);
    let subnets = values(&standby["subnets"]);
    let ours: Vec<_> = subnets.iter().filter(|it| it["Tags"]["drstack:stack"] == "fleet").collect();
    let zones: BTreeSet<_> = ours.iter().map(|it| it["AvailabilityZone"].to_string()).collect();
    assert!(zones.len() >= 2, "{zones:?}");
    let groups = values(&standby["security_groups"]);
    let ours = groups.iter().find(|it| it["Tags"]["drstack:stack"] == "fleet").expect("a security group");
    assert_eq!(ours["IpPermissions"][0]["FromPort"], 8080);
    assert_eq!(ours["IpPermissions"][0]["IpRanges"][0]["CidrIp"], "10.0.0.0/8");
}

/// Asserts the group: the followed types on spot, at the posture's size, on a version by number.
fn expect_group(standby: &Value, desired: u64) {
    let group = &standby["groups"]["drstack-fleet-pool-inference"];
    assert_eq!(group["sizes"]["desired"], desired, "{group:#}");
    assert_eq!(group["instances"].as_array().map(Vec::len), usize::try_from(desired).ok());
    let mixed = &group["mixed"];
    assert_eq!(mixed["InstancesDistribution"]["OnDemandPercentageAboveBaseCapacity"], 0);
    assert_eq!(mixed["InstancesDistribution"]["SpotAllocationStrategy"], "price-capacity-optimized");
    assert_eq!(mixed["LaunchTemplate"]["LaunchTemplateSpecification"]["Version"], "1");
    let types: Vec<_> = mixed["LaunchTemplate"]["Overrides"].as_array().expect("types").clone();
    assert_eq!(types, [json!({ "InstanceType": "m5.large" }), json!({ "InstanceType": "c5.large" })]);
}

/// Leaves settings out of the comparison that drstack enables and never removes, such as a table's
/// stream and a bucket's versioning.
fn without_what_stays(mut primary: Value) -> Value {
    for (bucket, _) in [("acme-models", ()), ("acme-archive", ())] {
        primary["buckets"][bucket]["versioning"] = Value::Null;
    }
    for field in ["stream", "recovery"] {
        primary["tables"]["acme-features"][field] = Value::Null;
    }
    primary
}

/// Runs the whole life of a stack in one posture: seed, apply, read back, drift, fix, remove,
/// destroy.
fn life_in(posture: &str, desired: Option<u64>) {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    seed(&boto);
    let before = boto.world(PRIMARY, &[]);
    let empty = boto.world(STANDBY, &[]);
    let machine = server.drstack();
    machine.write("s/stack.toml", &stack(posture));
    apply(&machine);

    let (primary, standby) = (boto.world(PRIMARY, &[]), boto.world(STANDBY, &[]));
    expect_buckets(&primary, &standby);
    if posture == "cold" {
        assert_eq!(standby["tables"], json!({}));
        assert_eq!(primary["tables"]["acme-features"]["recovery"], "ENABLED");
        expect_export(&standby);
    } else {
        expect_replica(&primary, &standby);
    }
    expect_template(&standby);
    match desired {
        Some(desired) => expect_group(&standby, desired),
        None => assert_eq!(standby["groups"], json!({})),
    }

    nothing_to_do(&machine);
    let elsewhere = server.drstack();
    elsewhere.write("s/stack.toml", &stack(posture));
    nothing_to_do(&elsewhere);
    if posture == "cold" {
        expect_export(&boto.world(STANDBY, &["buckets"]));
    }

    drift_and_mend(&machine, &boto, desired.is_some());

    // A component is no longer in the stack: its data is kept, unless named.
    let without = stack(posture)
        .replace("[bucket.archive]", "#")
        .replace("name    = \"acme-archive\"\nposture = \"cold\"\ndelete_markers = false", "#");
    machine.write("s/stack.toml", &without);
    nothing_to_do(&machine);
    let plan = ["plan", "s", "--json", "--delete-data", "bucket.archive"];
    let removal = [
        ("delete", "bucket.archive/bucket"),
        ("delete", "bucket.archive/replication-role"),
        ("delete", "bucket.archive/replication-rule"),
    ];
    assert_eq!(steps(&machine.run(plan).ok()), expected(&removal));
    machine.run(["apply", "s", "--auto-approve", "--delete-data", "bucket.archive"]).ok();
    assert_eq!(boto.world(PRIMARY, &["buckets"])["buckets"]["acme-archive"]["replication"], Value::Null);

    destroy(&machine, &boto, posture);
    let left = boto.world(STANDBY, &[]);
    assert_eq!(without_default_network(&left), without_default_network(&empty));
    let after = boto.world(PRIMARY, &[]);
    assert_eq!(without_what_stays(after), without_what_stays(before));
}

/// Asserts that one drifted field is one step in the plan, and that an apply fixes it.
fn drift_and_mend(machine: &Drstack, boto: &Boto<'_>, has_group: bool) {
    let mends = |change: &str, name: &str, more: Value, region: &str, address: &str| {
        boto.drift(region, change, name, more);
        let wanted = expected(&[("update", address)]);
        let ran = machine.run(["plan", "s", "--json"]).ok();
        assert_eq!(steps(&ran), wanted, "{change}: {ran:?}");
        assert_eq!(steps(&apply(machine)), wanted, "{change}");
        nothing_to_do(machine);
    };
    mends("bucket-open", "acme-models-us-west-2", json!({}), STANDBY, "bucket.models/bucket");
    if has_group {
        let sizes = json!({ "min": 1, "max": 1, "desired": 1 });
        mends("group-sizes", "drstack-fleet-pool-inference", sizes, STANDBY, "pool.inference/group");
        mends("table-protection", "acme-features", json!({}), STANDBY, "table.features/table-replica");
    }
    let groups = boto.world(STANDBY, &["security_groups"]);
    let ours = values(&groups["security_groups"]);
    let ours = ours.iter().find(|it| it["Tags"]["drstack:stack"] == "fleet").expect("a security group");
    let id = ours["GroupId"].as_str().expect("an id");
    mends("group-rule", id, json!({ "port": 22 }), STANDBY, "network.standby/security-group");

    boto.drift(PRIMARY, "bucket-rule", "acme-models", json!({ "rule": "drstack-fleet-bucket.models" }));
    let wanted = expected(&[("create", "bucket.models/replication-rule")]);
    assert_eq!(steps(&machine.run(["plan", "s", "--json"]).ok()), wanted);
    assert_eq!(steps(&apply(machine)), wanted);
    nothing_to_do(machine);
}

/// Destroys the resources without data first, then everything.
fn destroy(machine: &Drstack, boto: &Boto<'_>, posture: &str) {
    machine.run(["destroy", "s", "--auto-approve"]).ok();
    let left = boto.world(STANDBY, &[]);
    let names = |section: &str| -> Vec<String> {
        left[section].as_object().map(|it| it.keys().cloned().collect()).unwrap_or_default()
    };
    assert_eq!(names("buckets"), ["acme-control", "acme-models-us-west-2"]);
    assert_eq!(names("tables").len(), usize::from(posture != "cold"));
    assert_eq!(names("images").len(), 1);
    for section in ["groups", "launch_templates", "instances", "profiles"] {
        assert_eq!(names(section), Vec::<String>::new(), "{section}");
    }
    let mut all = vec!["destroy", "s", "--auto-approve"];
    for address in ["bucket.models", "table.features", "pool.inference", "control"] {
        all.extend(["--delete-data", address]);
    }
    machine.run(all).ok();
}

/// Returns the region without deleted objects that the service still lists. The account's default
/// network counts.
fn without_default_network(world: &Value) -> Value {
    let mut world = world.clone();
    let gone = |section: &Value| -> Value {
        let all = section.as_object().cloned().unwrap_or_default();
        let left = all.into_iter().filter(|(_, it)| it["State"] != "deleted" && it["state"] != "terminated");
        Value::Object(left.collect())
    };
    for section in ["endpoints", "instances"] {
        world[section] = gone(&world[section]);
    }
    world
}

#[test]
fn cold_on_moto() {
    life_in("cold", None);
}

#[test]
fn pilot_light_on_moto() {
    life_in("pilot-light", Some(0));
}

#[test]
fn warm_on_moto() {
    life_in("warm", Some(2));
}

#[test]
fn hot_on_moto() {
    life_in("hot", Some(8));
}

#[test]
fn rules_and_roles_of_others_stay() {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    seed(&boto);
    boto.seed(
        &json!([{ "kind": "rule", "name": "acme-models", "rule": "by-hand", "destination": "elsewhere" }]),
    );
    let before = boto.world(PRIMARY, &["buckets", "roles"]);
    let machine = server.drstack();
    machine.write("s/stack.toml", &stack("warm"));
    let ran = machine.run(["apply", "s", "--auto-approve"]).ok();
    assert!(ran.stderr.contains("DR216"), "{ran:?}");
    let rules = boto.world(PRIMARY, &["buckets"])["buckets"]["acme-models"]["replication"]["Rules"].clone();
    let ids: Vec<_> = rules.as_array().expect("rules").iter().map(|it| it["ID"].clone()).collect();
    assert_eq!(ids, [json!("by-hand"), json!("drstack-fleet-bucket.models")]);
    nothing_to_do(&machine);
    machine
        .run([
            "destroy",
            "s",
            "--auto-approve",
            "--delete-data",
            "bucket.archive",
            "--delete-data",
            "bucket.models",
        ])
        .ok();
    let after = boto.world(PRIMARY, &["buckets", "roles"]);
    let rules = |world: &Value| world["buckets"]["acme-models"]["replication"].clone();
    assert_eq!(rules(&after), rules(&before));
}

#[test]
fn facts_outlive_the_primary() {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    seed(&boto);
    let machine = server.drstack();
    machine.write("s/stack.toml", &stack("warm"));
    apply(&machine);
    server.lose(PRIMARY, &["iam"]);
    let ran = machine.run(["plan", "s", "--target", "pool.inference", "--verbose"]);
    assert!(ran.stdout.contains("using the answer of"), "{ran:?}");
    assert!(ran.stdout.contains("primary/group/serve"), "{ran:?}");
    assert!(!ran.stdout.contains("pool.inference/group: could not look"), "{ran:?}");
    let elsewhere = server.drstack();
    elsewhere.write("s/stack.toml", &stack("warm"));
    let steps = steps(&elsewhere.run(["plan", "s", "--mode", "active", "--json"]));
    assert_eq!(
        steps,
        expected(&[("update", "pool.inference/group")]),
        "a failover is planned from facts alone"
    );
}

#[test]
fn a_plan_file_is_applied_as_it_is_or_not_at_all() {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    seed(&boto);
    let machine = server.drstack();
    machine.write("s/stack.toml", &stack("pilot-light"));
    machine.run(["plan", "s", "--out", "today.plan"]).ok();
    let kept = std::fs::read_to_string(machine.folder().join("today.plan")).expect("a plan file");
    assert!(!kept.contains(SECRET) && !kept.contains("dGVzdA"), "a plan holds no user data");
    machine.run(["apply", "today.plan", "--json"]).ok();
    nothing_to_do(&machine);
    // The world changed: the planned steps are done already.
    let ran = machine.run(["apply", "today.plan"]).code(4);
    assert!(ran.stderr.contains("plan STACK --out FILE"), "{ran:?}");
    // The stack changed.
    machine.run(["plan", "s", "--out", "next.plan"]).ok();
    machine.write("s/stack.toml", &stack("warm"));
    machine.run(["apply", "next.plan"]).code(4);
    // Nothing that drstack stores holds the user data.
    let facts =
        boto.run("item", &json!({ "region": STANDBY, "bucket": "acme-control", "key": "facts.json" }));
    let facts = facts["text"].as_str().expect("facts");
    assert!(facts.contains("user_data_sha256") && !facts.contains(SECRET), "{facts}");
}

#[test]
fn objects_and_items_arrive_on_fakecloud() {
    let Some(server) = Server::fakecloud(&[]) else { return };
    let boto = server.boto();
    seed(&boto);
    let machine = server.drstack();
    machine.write("s/stack.toml", &stack("warm"));
    apply(&machine);
    nothing_to_do(&machine);

    let object = |region: &str, bucket: &str, more: Value| {
        let mut args = json!({ "region": region, "bucket": bucket, "key": "new" });
        args.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        boto.run("item", &args)
    };
    object(PRIMARY, "acme-models", json!({ "text": "fresh" }));
    let replica = "acme-models-us-west-2";
    assert_eq!(object(STANDBY, replica, json!({ "wait": 20 }))["text"], "fresh");
    assert_eq!(object(STANDBY, replica, json!({}))["status"], "REPLICA");

    boto.run("item", &json!({ "region": PRIMARY, "table": "acme-features", "pk": "b", "text": "two" }));
    let item = json!({ "region": STANDBY, "table": "acme-features", "pk": "b", "wait": 20 });
    assert_eq!(boto.run("item", &item)["text"], "two");

    let world = boto.world(STANDBY, &["groups", "instances"]);
    let group = only(&world["groups"]);
    let ours: BTreeSet<&str> =
        group["instances"].as_array().expect("instances").iter().filter_map(Value::as_str).collect();
    assert_eq!(ours.len(), 2);
    for id in ours {
        assert_eq!(world["instances"][id]["lifecycle"], "spot", "{id}");
    }
}
