//! Variants of stacks and of existing worlds, against moto, read back with boto3.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::drstack::{Drstack, Ran};
use crate::main_job::{apply, expected, nothing_to_do, steps, values};
use crate::servers::{Boto, PRIMARY, STANDBY, Server};

const HEAD: &str = "[stack]\nname = \"other\"\nprimary = \"us-east-1\"\nstandby = \"us-west-2\"\ncontrol = \"acme-control\"\n";

fn machine(server: &Server, posture: &str, components: &str) -> Drstack {
    let machine = server.drstack();
    write(&machine, posture, components);
    machine
}

fn write(machine: &Drstack, posture: &str, components: &str) {
    machine.write("s/stack.toml", &format!("{HEAD}posture = \"{posture}\"\n{components}"));
}

/// Creates a VPC with two subnets in the standby region, as another tool would.
fn network(boto: &Boto<'_>, tag: &str) -> Value {
    boto.run(
        "seed_primary",
        &json!({ "region": STANDBY, "objects": [{ "kind": "network", "name": tag, "cidr": "10.9.0.0/16" }] }),
    )[tag]
        .clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("text, not {value}"))
}

#[test]
fn pools_stand_on_their_own_in_networks_that_exist() {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    boto.seed(&json!([{ "kind": "image", "name": "golden" }, { "kind": "profile", "name": "serving" }]));
    let (by_id, by_tag) = (network(&boto, "ids"), network(&boto, "tags"));
    let components = format!(
        r#"
[image.golden]
source = "golden"

[network.ids]
vpc     = "{vpc}"
subnets = ["{first}", "{second}"]
security_groups = ["{group}"]

[network.tags]
tags = {{ Name = "tags" }}

[pool.api]
for_each         = ["eta", "dispatch"]
network          = "@network.ids"
image            = "@image.golden"
instance_types   = ["m5.large", "c5.large", "r5.large"]
capacity         = 4
standby_share    = "30%"
purchase         = {{ standby = "on-demand" }}
instance_profile = "serving"
user_data        = "echo ${{each.key}}"

[pool.batch]
posture        = "pilot-light"
network        = "@network.tags"
image          = "{image}"
instance_types = ["c5.large"]
capacity       = 2
"#,
        vpc = text(&by_id["id"]),
        first = text(&by_id["subnets"][0]),
        second = text(&by_id["subnets"][1]),
        group = text(&by_id["security_group"]),
        image = text(&by_tag["image"]),
    );
    let machine = machine(&server, "warm", &components);
    apply(&machine);
    nothing_to_do(&machine);
    let world = boto.world(STANDBY, &["groups", "launch_templates", "images", "profiles"]);
    let group = &world["groups"]["drstack-other-pool-api-eta"];
    assert_eq!(group["sizes"], json!({ "min": 2, "max": 4, "desired": 2 }));
    assert_eq!(group["mixed"]["InstancesDistribution"]["OnDemandPercentageAboveBaseCapacity"], 100);
    let mut subnets = vec![text(&by_id["subnets"][0]), text(&by_id["subnets"][1])];
    subnets.sort_unstable();
    assert_eq!(group["subnets"], json!(subnets));
    let data = &world["launch_templates"]["drstack-other-pool-api-dispatch"]["versions"]["1"]["data"];
    assert_eq!(data["UserData"], "echo dispatch");
    assert_eq!(data["IamInstanceProfile"]["Name"], "serving");
    assert_eq!(data["SecurityGroupIds"], json!([by_id["security_group"]]));
    assert_eq!(world["images"][text(&data["ImageId"])]["State"], "available");
    let batch = &world["groups"]["drstack-other-pool-batch"];
    assert_eq!(batch["sizes"]["desired"], 0);
    assert_eq!(
        world["launch_templates"]["drstack-other-pool-batch"]["versions"]["1"]["data"]["ImageId"],
        by_tag["image"]
    );

    machine
        .run(["destroy", "s", "--auto-approve", "--delete-data", "image.golden", "--delete-data", "control"])
        .ok();
    let left = boto.world(STANDBY, &["groups", "launch_templates", "vpcs", "profiles"]);
    assert_eq!((&left["groups"], &left["launch_templates"]), (&json!({}), &json!({})));
    let networks = values(&left["vpcs"]);
    assert!(networks.iter().any(|vpc| vpc["VpcId"] == by_id["id"]), "networks of others stay: {networks:#?}");
    assert!(left["profiles"]["serving"].is_object(), "profiles of others stay");
}

#[test]
fn keys_of_the_standby_region_encrypt_the_copies() {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    let keys = boto.seed(&json!([{ "kind": "key", "name": "east" }]));
    let west = boto
        .run("seed_primary", &json!({ "region": STANDBY, "objects": [{ "kind": "key", "name": "west" }] }));
    let (east, west) = (text(&keys["east"]["id"]), text(&west["west"]["id"]));
    boto.seed(&json!([
        { "kind": "bucket", "name": "acme-models", "kms_key": east },
        { "kind": "table", "name": "acme-features", "kms_key": east },
    ]));
    let stack = |key: &str| {
        format!(
            "[bucket.models]\nname = \"acme-models\"\n{key}[table.features]\nname = \"acme-features\"\n{key}"
        )
    };
    // Without keys nothing is begun: a replica cannot use the primary's key.
    let machine = machine(&server, "pilot-light", &stack(""));
    let ran = machine.run(["apply", "s", "--auto-approve"]).code(65);
    assert!(ran.stderr.contains("DR213") && ran.stderr.contains("DR215"), "{ran:?}");
    assert_eq!(boto.world(STANDBY, &["buckets", "tables"]), json!({ "buckets": {}, "tables": {} }));

    write(&machine, "pilot-light", &stack(&format!("kms_key = \"{west}\"\n")));
    apply(&machine);
    nothing_to_do(&machine);
    let world = boto.world(STANDBY, &["buckets", "tables"]);
    let encryption = &world["buckets"]["acme-models-us-west-2"]["encryption"]["Rules"][0];
    assert_eq!(encryption["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"], west);
    assert_eq!(world["tables"]["acme-features"]["encryption"]["KMSMasterKeyArn"], west);
    let rule = &boto.world(PRIMARY, &["buckets"])["buckets"]["acme-models"]["replication"]["Rules"][0];
    assert_eq!(rule["SourceSelectionCriteria"]["SseKmsEncryptedObjects"]["Status"], "Enabled");
    assert_eq!(rule["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"], west);
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_changed() {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    boto.seed(&json!([
        { "kind": "bucket", "name": "acme-models" },
        { "kind": "table", "name": "fixed", "provisioned": [5, 5] },
    ]));
    let before = boto.world(PRIMARY, &[]);
    let components = "[bucket.models]\nname = \"acme-models\"\n[bucket.gone]\nname = \"acme-gone\"\n[table.fixed]\nname = \"fixed\"\n\
                      [network.n]\ncidr = \"10.0.0.0/16\"\n[pool.p]\nfollows = \"nobody\"\nnetwork = \"@network.n\"\n";
    let machine = machine(&server, "warm", components);
    let ran = machine.run(["apply", "s", "--auto-approve"]).code(65);
    for code in ["DR210", "DR212", "DR230"] {
        assert!(ran.stderr.contains(code), "{code}: {ran:?}");
    }
    assert_eq!(boto.world(PRIMARY, &[]), before);
    assert_eq!(boto.world(STANDBY, &["buckets", "tables"]), json!({ "buckets": {}, "tables": {} }));
}

#[test]
fn names_that_others_have_are_left_alone() {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    boto.seed(
        &json!([{ "kind": "bucket", "name": "acme-models" }, { "kind": "bucket", "name": "acme-logs" }]),
    );
    let theirs = json!([{ "kind": "bucket", "name": "acme-models-us-west-2", "contents": { "precious": "1" }, "tags": { "team": "ml" } }]);
    boto.run("seed_primary", &json!({ "region": STANDBY, "objects": theirs }));
    let components = "[bucket.models]\nname = \"acme-models\"\n[bucket.logs]\nname = \"acme-logs\"\n";
    let machine = machine(&server, "warm", components);
    let ran = machine.run(["apply", "s", "--auto-approve"]).code(1);
    assert!(ran.stdout.contains("`acme-models-us-west-2` exists without the tags of a stack"), "{ran:?}");
    let world = boto.world(STANDBY, &["buckets"]);
    let bucket = &world["buckets"]["acme-models-us-west-2"];
    assert_eq!((&bucket["tags"], &bucket["objects"]), (&json!({ "team": "ml" }), &json!(["precious"])));
    assert!(world["buckets"]["acme-logs-us-west-2"].is_object(), "what can be done is done");
    machine
        .run([
            "destroy",
            "s",
            "--auto-approve",
            "--delete-data",
            "bucket.models",
            "--delete-data",
            "bucket.logs",
        ])
        .ok();
    let world = boto.world(STANDBY, &["buckets"]);
    assert_eq!(world["buckets"]["acme-models-us-west-2"]["objects"], json!(["precious"]));
    assert_eq!(world["buckets"]["acme-logs-us-west-2"], Value::Null);
}

#[test]
fn stacks_in_one_account_do_not_see_each_other() {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    boto.seed(&json!([
        { "kind": "bucket", "name": "acme-models" },
        { "kind": "group", "name": "serve", "types": ["m5.large"], "capacity": 4 },
    ]));
    let components = "[bucket.models]\nname = \"acme-models\"\nstandby_name = \"NAME-copy\"\n[network.n]\ncidr = \"10.0.0.0/16\"\n\
                      [pool.p]\nfollows = \"serve\"\nnetwork = \"@network.n\"\n";
    let one = machine(&server, "warm", &components.replace("NAME", "one"));
    let two = server.drstack();
    // A name with the other stack's name as prefix.
    let text = format!("{HEAD}posture = \"hot\"\n{}", components.replace("NAME", "two"));
    two.write(
        "s/stack.toml",
        &text.replace("\"other\"", "\"other-two\"").replace("acme-control", "acme-control-two"),
    );
    apply(&one);
    apply(&two);
    nothing_to_do(&one);
    nothing_to_do(&two);
    let rules =
        |world: &Value| world["buckets"]["acme-models"]["replication"]["Rules"].as_array().map(Vec::len);
    assert_eq!(rules(&boto.world(PRIMARY, &["buckets"])), Some(2));
    one.run([
        "destroy",
        "s",
        "--auto-approve",
        "--delete-data",
        "bucket.models",
        "--delete-data",
        "pool.p",
        "--delete-data",
        "control",
    ])
    .ok();
    assert_eq!(rules(&boto.world(PRIMARY, &["buckets"])), Some(1));
    // S3 has one role for all rules of a bucket. The other stack's role was deleted with that
    // stack, so this stack's own role takes over.
    let wanted = [("create", "bucket.models/replication-role"), ("update", "bucket.models/replication-rule")];
    assert_eq!(steps(&apply(&two)), expected(&wanted));
    nothing_to_do(&two);
    // The control bucket of another stack is refused.
    write(&one, "warm", "[bucket.models]\nname = \"acme-models\"\n");
    let text = format!("{HEAD}posture = \"warm\"\n").replace("acme-control", "acme-control-two");
    one.write("s/stack.toml", &format!("{text}[bucket.models]\nname = \"acme-models\"\n"));
    let ran = one.run(["apply", "s", "--auto-approve"]).code(3);
    assert!(ran.stderr.contains("is of `other-two`"), "{ran:?}");
}

#[test]
fn a_replacement_brings_the_new_before_it_takes_the_old() {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    boto.seed(&json!([{ "kind": "group", "name": "serve", "types": ["m5.large"], "capacity": 4 }]));
    let components =
        "[network.n]\ncidr = \"10.0.0.0/16\"\n[pool.p]\nfollows = \"serve\"\nnetwork = \"@network.n\"\n";
    let machine = machine(&server, "warm", components);
    apply(&machine);
    write(&machine, "warm", &components.replace("10.0.0.0", "10.1.0.0"));
    let ran = machine.run(["apply", "s", "--auto-approve", "--json"]).ok();
    nothing_to_do(&machine);
    let done: Vec<(String, String)> = ran
        .json()
        .iter()
        .filter(|line| line["event"] == "step_finished")
        .map(|line| (text(&line["action"]).to_owned(), text(&line["address"]).to_owned()))
        .collect();
    let at = |action: &str, address: &str| {
        let found = done.iter().position(|it| *it == (action.to_owned(), address.to_owned()));
        found.unwrap_or_else(|| panic!("{action} {address} in {done:?}"))
    };
    assert!(at("create", "network.n/vpc") < at("update", "pool.p/group"));
    assert!(at("update", "pool.p/group") < at("delete", "network.n/vpc"));
    let world = boto.world(STANDBY, &["vpcs", "subnets"]);
    let ours = values(&world["vpcs"]).into_iter().filter(|vpc| vpc["Tags"]["drstack:stack"] == "other");
    let ranges: Vec<_> = ours.map(|vpc| vpc["CidrBlock"].clone()).collect();
    assert_eq!(ranges, [json!("10.1.0.0/16")]);
}

#[test]
fn a_template_changed_by_hand_gets_a_new_version_and_the_group_with_it() {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    boto.seed(&json!([{ "kind": "group", "name": "serve", "types": ["m5.large"], "capacity": 4 }]));
    let components =
        "[network.n]\ncidr = \"10.0.0.0/16\"\n[pool.p]\nfollows = \"serve\"\nnetwork = \"@network.n\"\n";
    let machine = machine(&server, "warm", components);
    apply(&machine);
    let name = "drstack-other-pool-p";
    boto.drift(STANDBY, "template-version", name, json!({ "type": "t3.nano" }));
    let wanted = expected(&[("update", "pool.p/launch-template"), ("update", "pool.p/group")]);
    assert_eq!(steps(&apply(&machine)), wanted);
    nothing_to_do(&machine);
    let world = boto.world(STANDBY, &["launch_templates", "groups"]);
    let version = &world["groups"][name]["mixed"]["LaunchTemplate"]["LaunchTemplateSpecification"]["Version"];
    assert_eq!(version, "3");
    let version = &world["launch_templates"][name]["versions"]["3"];
    assert_eq!((&version["data"]["InstanceType"], &version["default"]), (&json!("m5.large"), &json!(true)));
}

/// A target includes what it needs, and nothing else.
#[test]
fn a_target_takes_what_it_needs_along() {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    boto.seed(
        &json!([{ "kind": "bucket", "name": "acme-models" }, { "kind": "bucket", "name": "acme-logs" }]),
    );
    let components = "[bucket.models]\nname = \"acme-models\"\n[bucket.logs]\nname = \"acme-logs\"\n";
    let machine = machine(&server, "warm", components);
    let ran: Ran = machine
        .run(["apply", "s", "--auto-approve", "--json", "--target", "bucket.models/replication-rule"])
        .ok();
    let all: BTreeSet<_> = steps(&ran);
    let wanted = [
        ("create", "bucket.models/bucket"),
        ("create", "bucket.models/replication-role"),
        ("create", "bucket.models/replication-rule"),
        ("update", "bucket.models/bucket-versioning"),
    ];
    assert_eq!(all, expected(&wanted));
    assert_eq!(boto.world(PRIMARY, &["buckets"])["buckets"]["acme-logs"]["versioning"], Value::Null);
}
