//! `drstack sync` after deploys to a simulated primary.

use serde_json::{Value, json};

use crate::drstack::{Drstack, Ran, drstack};
use crate::reservations::one_pool;

const GROUP: &str = "primary/group/serve";

pub(crate) fn applied(more: &str) -> Drstack {
    let machine = drstack();
    machine.write("s/stack.toml", &format!("{}{more}", one_pool("")));
    machine.write("lost.toml", "down = [\"us-east-1\", \"global\"]\n");
    machine.run(["apply", "s", "--auto-approve", "--cloud", "sim"]).ok();
    machine
}

fn run(machine: &Drstack, args: &str) -> Ran {
    machine.run(args.split(' ').chain(["--cloud", "sim"]).collect::<Vec<_>>())
}

fn world(machine: &Drstack) -> Value {
    let path = machine.folder().join(".drstack/sim/world.json");
    serde_json::from_slice(&std::fs::read(path).expect("a world")).expect("JSON")
}

/// Changes the group of the primary, as a deploy does.
pub(crate) fn deploy(machine: &Drstack, change: impl FnOnce(&mut Value)) {
    let mut world = world(machine);
    change(&mut world["world"]["facts"][GROUP]);
    machine.write(".drstack/sim/world.json", &world.to_string());
}

/// Returns the image in the primary that the standby's instances are started from, by way of its copy.
fn source(machine: &Drstack) -> String {
    let objects = machine.objects();
    let first = |kind: &str| {
        let all = objects[kind]["us-west-2"].as_object().expect("objects");
        all.values().next().expect("one")["live"].clone()
    };
    let copy = first("launch-template")["image"].as_str().expect("an image").to_owned();
    objects["image"]["us-west-2"][copy]["live"]["source"].as_str().expect("its source").to_owned()
}

/// Returns what the control bucket has, without the locks, journals and logs of runs.
fn kept(machine: &Drstack) -> Value {
    let mut objects = world(machine)["world"]["buckets"]["acme-control"]["objects"].clone();
    objects.as_object_mut().expect("objects").retain(|key, _| key == "bundle.json" || key == "facts.json");
    objects
}

#[test]
fn a_sync_brings_over_each_deploy_and_a_failover_starts_what_was_deployed_last() {
    let machine = applied("");
    run(&machine, "sync s --check").code(0);
    let first = source(&machine);
    for image in ["ami-00000000000000001", "ami-00000000000000002", "ami-00000000000000003"] {
        deploy(&machine, |group| group["image"]["id"] = json!(image));
        let before = world(&machine)["world"]["objects"].clone();
        let behind = run(&machine, "sync s --check").code(3);
        assert!(behind.stdout.contains(&format!("-> \"{image}\"")), "{behind:?}");
        assert!(behind.stderr.contains("us-west-2 is behind: 3 changes to make"), "{behind:?}");
        assert_eq!(world(&machine)["world"]["objects"], before, "a check changes nothing");
        let synced = run(&machine, "sync s").ok();
        assert!(synced.stdout.contains("Sync complete: 3 steps done"), "{synced:?}");
        assert_eq!(source(&machine), image);
        let kept_before = kept(&machine);
        run(&machine, "sync s --check").code(0);
        run(&machine, "sync s").ok();
        assert_eq!(kept(&machine), kept_before, "nothing to do, so nothing is written");
    }
    // Every copy still stands, and the newest counts for all who ask.
    let copies = machine.objects()["image"]["us-west-2"].as_object().expect("copies").len();
    assert_eq!(copies, 4, "none of {first} and the rest is deleted");
    let output = run(&machine, "output s --json").ok();
    let template = machine.objects()["launch-template"]["us-west-2"].clone();
    let used = template.as_object().expect("one").values().next().expect("one")["live"]["image"].clone();
    assert!(output.stdout.contains(used.as_str().expect("an id")), "{output:?}");
    let lost = ["failover", "s", "--auto-approve", "--cloud", "sim", "--sim", "lost.toml"];
    let over = machine.run(lost).unasked();
    assert!(!over.stdout.contains("launch-template"), "{over:?}");
    assert_eq!(source(&machine), "ami-00000000000000003");
}

#[test]
fn after_each_of_many_deploys_a_sync_leaves_nothing_behind() {
    let machine = applied("");
    let mut random = fastrand::Rng::with_seed(16);
    for number in 0..24 {
        deploy(&machine, |group| match random.u32(..4) {
            0 => group["image"]["id"] = json!(format!("ami-{number:017x}")),
            1 => group["capacity"] = json!(random.u32(4..40)),
            2 => {
                group["types"] =
                    json!([["g5.xlarge", "g6.xlarge"], ["g6.xlarge", "g5.xlarge"]][random.usize(..2)]);
            }
            _ => group["user_data_sha256"] = json!(null),
        });
        run(&machine, "sync s").ok();
        let after = run(&machine, "sync s --check");
        assert_eq!(after.code, 0, "deploy {number}: {after:?}");
        let image = world(&machine)["world"]["facts"][GROUP]["image"]["id"].clone();
        assert_eq!(image, source(&machine), "deploy {number}");
    }
}

/// Returns a machine whose primary has a new image, which its stack does not let a sync start.
pub(crate) fn behind() -> Drstack {
    let machine = applied("\n[sync]\nallow = [\"create\"]\n");
    deploy(&machine, |group| group["image"]["id"] = json!("ami-00000000000000001"));
    machine
}

#[test]
fn what_needs_a_person_is_left_and_told() {
    let machine = behind();
    let first = source(&machine);
    let left = run(&machine, "sync s").code(3);
    assert!(left.stdout.contains("Left to a person:\n  ~ pool.inference/launch-template"), "{left:?}");
    assert!(left.stdout.contains("`allow` in `[sync]` has no `update`"), "{left:?}");
    assert!(left.stderr.contains("a person is needed for pool.inference/launch-template"), "{left:?}");
    assert_eq!(source(&machine), first, "the copy is made, and nothing uses it yet");
    let lines = run(&machine, "sync s --check --json").code(3).stdout;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(lines.iter().any(|it| it["type"] == "for_a_person" && it["action"] == "update"), "{lines:?}");
    run(&machine, "apply s --auto-approve").ok();
    assert_eq!(source(&machine), "ami-00000000000000001");
    run(&machine, "sync s --check").code(0);
}

#[test]
fn a_sync_applies_no_change_of_the_files_and_no_first_apply() {
    let machine = applied("");
    machine.write("s/stack.toml", &one_pool("standby_share = \"100%\"\n"));
    for args in ["sync s", "sync s --check"] {
        let refused = run(&machine, args).code(3);
        assert!(refused.stderr.contains("the files of the stack have changed"), "{refused:?}");
        assert!(refused.stderr.contains(": pool.inference"), "{refused:?}");
    }
    run(&machine, "apply s --auto-approve").ok();
    run(&machine, "sync s").ok();
    let fresh = drstack();
    fresh.write("s/stack.toml", &one_pool(""));
    let refused = run(&fresh, "sync s").code(3);
    assert!(refused.stderr.contains("there is no bundle of a complete apply here"), "{refused:?}");
}

#[test]
fn a_sync_says_when_nobody_knows_and_when_the_standby_region_serves() {
    let machine = applied("");
    for args in ["sync s", "sync s --check"] {
        let args = args.split(' ').chain(["--cloud", "sim", "--sim", "lost.toml"]);
        let unknown = machine.run(args.collect::<Vec<_>>()).code(1);
        assert!(unknown.stderr.contains("nobody knows whether the standby region is in line"), "{unknown:?}");
    }
    machine.run(["failover", "s", "--auto-approve", "--cloud", "sim", "--sim", "lost.toml"]).unasked();
    let refused = run(&machine, "sync s").code(3);
    assert!(refused.stderr.contains("us-west-2 serves"), "{refused:?}");
    run(&machine, "failback s --auto-approve").ok();
    run(&machine, "sync s").ok();
    run(&machine, "sync s --check").code(0);
}

#[test]
fn a_failback_says_what_the_primary_has_become_meanwhile() {
    let machine = applied("");
    machine.run(["failover", "s", "--auto-approve", "--cloud", "sim", "--sim", "lost.toml"]).unasked();
    deploy(&machine, |group| group["max"] = json!(0));
    let back = run(&machine, "failback s --auto-approve").ok();
    assert!(
        back.stdout.contains("Changed in the primary meanwhile:\n  group serve (last captured"),
        "{back:?}"
    );
    assert!(back.stdout.contains("      max: 4 -> 0\n"), "{back:?}");
}

/// What a sync could not finish is not in the bundle, and a failover says so.
#[test]
fn what_was_not_brought_over_is_said_by_the_sync_and_by_the_failover() {
    let machine = applied("");
    machine
        .write("denied.toml", "[[faults]]\nkind = \"group\"\noperation = \"update\"\nerror = \"denied\"\n");
    deploy(&machine, |group| group["capacity"] = json!(20));
    let failed = machine.run(["sync", "s", "--cloud", "sim", "--sim", "denied.toml"]).code(1);
    assert!(failed.stderr.contains("warning: the bundle is still that of 2026-"), "{failed:?}");
    let lost = ["failover", "s", "--auto-approve", "--cloud", "sim", "--sim", "lost.toml"];
    let over = machine.run(lost).unasked();
    let said = "that was not brought over: pool.inference; this failover starts what was applied";
    assert!(over.stderr.contains(said), "{over:?}");
}

#[test]
fn a_failover_after_a_complete_sync_has_nothing_to_say_of_deploys() {
    let machine = applied("");
    deploy(&machine, |group| group["capacity"] = json!(20));
    run(&machine, "sync s").ok();
    let over =
        machine.run(["failover", "s", "--auto-approve", "--cloud", "sim", "--sim", "lost.toml"]).unasked();
    assert!(!over.stderr.contains("not brought over"), "{over:?}");
    assert!(over.stdout.contains("20 at the end"), "{over:?}");
}

/// What only goes is no part of what a failover works from.
#[test]
fn a_deletion_that_is_left_to_a_person_keeps_no_deploy_out_of_the_bundle() {
    let machine = applied("\n[queue.jobs]\nname = \"acme-jobs\"\n");
    let mut world = world(&machine);
    world["world"]["facts"]["primary/queue/acme-jobs"]["dead_letters"] = Value::Null;
    world["world"]["facts"][GROUP]["capacity"] = json!(20);
    machine.write(".drstack/sim/world.json", &world.to_string());
    let left = run(&machine, "sync s").code(3);
    assert!(left.stderr.contains("a sync deletes nothing"), "{left:?}");
    let check = run(&machine, "sync s --check").code(3);
    assert!(check.stderr.contains("`drstack apply s --cloud sim` does it"), "{check:?}");
    let over =
        machine.run(["failover", "s", "--auto-approve", "--cloud", "sim", "--sim", "lost.toml"]).unasked();
    assert!(over.stdout.contains("20 at the end"), "{over:?}");
}

#[test]
fn a_sync_names_what_else_stands_in_its_way() {
    let machine = applied("\n[table.h]\nname = \"acme-h\"\nposture = \"cold\"\nrpo = \"24h\"\n");
    let mut world = world(&machine);
    world["world"]["facts"]["primary/table/acme-h"]["shape"] = Value::Null;
    machine.write(".drstack/sim/world.json", &world.to_string());
    let blocked = run(&machine, "sync s").code(1);
    assert!(blocked.stdout.contains("table.h: a failover would be blocked: left as it is"), "{blocked:?}");
    let machine = applied("");
    let made = machine.run(["keys", "new", "k.key"]).ok().stdout;
    let public = made.split_whitespace().find(|it| it.starts_with("ed25519:")).expect("a public key");
    let key = format!("signing = \"{public}\"\n\n[network");
    machine.write("s/stack.toml", &one_pool("").replacen("\n[network", &key, 1));
    let changed = run(&machine, "sync s").code(3);
    assert!(changed.stderr.contains(": [stack] signing"), "{changed:?}");
    let machine = applied("\n[pool.other]\nfollows = \"other\"\nnetwork = \"@network.standby\"\n");
    let part = ["failover", "s", "--only", "pool.inference", "--auto-approve", "--cloud", "sim"];
    machine.run(part).unasked();
    let refused = run(&machine, "sync s").code(3);
    assert!(refused.stderr.contains("pool.inference has failed over to us-west-2"), "{refused:?}");
}

/// The bundle has image, types and capacity of one time: a failover would start none of them with another.
#[test]
fn a_sync_that_leaves_something_publishes_nothing_and_a_planned_failover_waits_for_an_apply() {
    let machine = applied("\n[sync]\nallow = []\n");
    let (first, before) = (source(&machine), kept(&machine)["bundle.json"].clone());
    deploy(&machine, |group| {
        group["image"]["id"] = json!("ami-00000000000000001");
        group["types"] = json!(["m7g.large"]);
    });
    run(&machine, "sync s").code(3);
    assert_eq!(kept(&machine)["bundle.json"], before);
    let before = machine.objects();
    let planned = run(&machine, "failover s --planned --auto-approve").code(3);
    assert!(planned.stderr.contains("nothing was changed"), "{planned:?}");
    assert_eq!(machine.objects(), before);
    let why = "pool.inference/image: it is not what the primary has by now: run `drstack sync STACK` or `drstack apply STACK` first";
    assert!(planned.stdout.contains(why), "{planned:?}");
    machine.run(["failover", "s", "--auto-approve", "--cloud", "sim", "--sim", "lost.toml"]).unasked();
    assert_eq!(source(&machine), first);
    let group =
        machine.objects()["group"]["us-west-2"].as_object().and_then(|all| all.values().next()).cloned();
    assert!(!group.expect("one").to_string().contains("m7g.large"));
}

#[test]
fn a_sync_brings_back_nothing_that_a_destroy_took_away() {
    let machine = applied("");
    machine.write("denied.toml", "[[faults]]\nkind = \"vpc\"\noperation = \"delete\"\nerror = \"denied\"\n");
    machine.run(["destroy", "s", "--auto-approve", "--cloud", "sim", "--sim", "denied.toml"]).code(1);
    let before = machine.objects();
    run(&machine, "sync s").code(3);
    assert_eq!(machine.objects(), before);
    run(&machine, "destroy s --auto-approve").ok();
}

/// The copy in use has the address of the one that goes.
#[test]
fn a_bundle_keeps_the_copy_in_use_when_older_ones_are_deleted() {
    let machine = applied("");
    deploy(&machine, |group| group["image"]["id"] = json!("ami-00000000000000001"));
    run(&machine, "sync s").ok();
    let before = kept(&machine);
    run(&machine, "apply s --auto-approve --delete-data pool.inference/image").ok();
    assert_eq!(machine.objects()["image"]["us-west-2"].as_object().map(serde_json::Map::len), Some(1));
    let data = |kept: &Value| {
        let bundle: Value =
            serde_json::from_str(kept["bundle.json"].as_str().expect("a bundle")).expect("JSON");
        bundle["bundle"]["data"].clone()
    };
    assert!(data(&before)["pool.inference/image"].is_object(), "{before}");
    assert_eq!(data(&kept(&machine)), data(&before));
    run(&machine, "sync s --check").code(0);
}

#[test]
fn a_pool_with_older_copies_of_its_image_is_renamed_and_renamed_back() {
    let machine = applied("");
    for image in ["ami-00000000000000001", "ami-00000000000000002"] {
        deploy(&machine, |group| group["image"]["id"] = json!(image));
        run(&machine, "sync s").ok();
    }
    let ids = |machine: &Drstack| -> Vec<String> {
        let objects = machine.objects();
        let all = ["image", "launch-template", "group"].map(|kind| objects[kind]["us-west-2"].clone());
        all.iter()
            .flat_map(|it| it.as_object().expect("objects").keys().cloned().collect::<Vec<_>>())
            .collect()
    };
    let before = ids(&machine);
    for name in ["serving", "inference"] {
        let stack = one_pool("").replace("[pool.inference]", &format!("[pool.{name}]"));
        machine.write("s/stack.toml", &stack);
        run(&machine, "apply s --auto-approve").ok();
        assert_eq!(ids(&machine), before, "as pool.{name}");
        run(&machine, "plan s --detailed-exitcode").code(0);
        assert_eq!(source(&machine), "ami-00000000000000002");
    }
}

/// What the control bucket says of who serves is about the stack that was applied with it.
#[test]
fn a_sync_of_another_stack_says_nothing_of_who_serves() {
    let machine = applied("");
    machine.run(["failover", "s", "--auto-approve", "--cloud", "sim", "--sim", "lost.toml"]).unasked();
    for (old, new) in [("us-west-2", "eu-west-1"), ("\"fleet\"", "\"other\"")] {
        machine.write("s/stack.toml", &one_pool("").replace(old, new));
        let refused = run(&machine, "sync s").code(3);
        assert!(
            refused
                .stderr
                .contains("the control bucket `acme-control` is of `fleet`, from us-east-1 to us-west-2"),
            "{refused:?}"
        );
        assert!(!refused.stderr.contains("serves"), "{refused:?}");
    }
}

#[cfg(feature = "aws")]
mod servers {
    //! Deploys by boto3 to a primary on moto, and boto3 reads the standby back.

    use serde_json::{Value, json};

    use crate::main_job::{apply, seed, stack};
    use crate::permissions::{action, policy_actions};
    use crate::servers::{PRIMARY, STANDBY, Server};

    /// Words that begin the names of calls which change something.
    const CHANGES: [&str; 10] =
        ["Create", "Put", "Update", "Modify", "Delete", "Attach", "Tag", "Copy", "Export", "PUT"];

    #[test]
    fn deploys_on_moto_are_named_by_a_check_and_brought_over_by_a_sync() {
        let Some(server) = Server::moto() else { return };
        let boto = server.boto();
        seed(&boto);
        let machine = server.drstack();
        machine.write("s/stack.toml", &stack("warm"));
        apply(&machine);
        machine.run(["sync", "s", "--check"]).code(0);
        for number in 1..=2 {
            let name = format!("release-{number}");
            let made = boto.seed(&json!([{ "kind": "image", "name": name }]));
            let image = made[name.as_str()]["id"].as_str().expect("an image").to_owned();
            boto.drift(PRIMARY, "group-release", "serve", json!({ "image": image }));
            let behind = machine.run(["sync", "s", "--check"]).code(3);
            assert!(behind.stdout.contains(&format!("-> \"{image}\"")), "{behind:?}");
            server.find();
            machine.run(["sync", "s"]).ok();
            allowed(&server);
            server.find();
            machine.run(["sync", "s", "--check"]).code(0);
            machine.run(["sync", "s"]).ok();
            let changes: Vec<(String, u64)> =
                server.calls().into_iter().filter(|(call, _)| changes(call)).collect();
            assert_eq!(changes, [], "nothing to do, and nothing is changed");
            assert_eq!(started(&boto.world(STANDBY, &["launch_templates", "images"])), image);
        }
        boto.drift(PRIMARY, "group-desired", "serve", json!({ "desired": 16 }));
        let behind = machine.run(["sync", "s", "--check"]).code(3);
        assert!(behind.stdout.contains("capacity: 8 -> 16"), "{behind:?}");
        machine.run(["sync", "s"]).ok();
        machine.run(["sync", "s", "--check"]).code(0);
        let world = boto.world(STANDBY, &["groups", "images"]);
        let group = &world["groups"]["drstack-fleet-pool-inference"];
        assert_eq!(group["instances"].as_array().map(Vec::len), Some(4), "a quarter of 16: {group}");
        assert_eq!(world["images"].as_object().map(serde_json::Map::len), Some(3), "no copy is deleted");

        // moto knows types, zones and addresses, and no quotas of EC2.
        server.find();
        let status = machine.run(["status", "s"]).code(3);
        assert!(status.stdout.contains("could not look at its quota L-"), "{status:?}");
        // It replicates no objects: the one that the primary was seeded with is missing.
        let data = machine.run(["status", "s", "--data"]).code(3);
        assert!(data.stdout.contains("bucket.models: 1 object on the way"), "{data:?}");
        assert!(data.stdout.contains("table.features: the same on both sides (1 item compared)"), "{data:?}");
        let asked = server.calls();
        for operation in
            ["DescribeInstanceTypeOfferings", "DescribeInstanceTypes", "DescribeInstances", "GetServiceQuota"]
        {
            let is_asked =
                asked.keys().any(|it| it.starts_with(STANDBY) && it.ends_with(&format!("/{operation}")));
            assert!(is_asked, "{operation}: {asked:?}");
        }
        machine.write(
            "s/stack.toml",
            &format!("{}instance_types = [\"g9.xlarge\", \"m5.large\"]\n", stack("warm")),
        );
        let scarce = machine.run(["status", "s"]).code(3); // the files changed, too
        assert!(scarce.stdout.contains("g9.xlarge is not offered in us-west-2a"), "{scarce:?}");
    }

    /// Asserts that the role of a pipeline may make every call since the counts were reset.
    fn allowed(server: &Server) {
        let allowed = policy_actions("iam-policy-sync.json");
        let calls = server.calls();
        assert!(calls.keys().any(|call| changes(call)), "{calls:?}");
        let denied: Vec<String> =
            calls.keys().map(|call| action(call)).filter(|it| !allowed.contains(it)).collect();
        assert_eq!(denied, [""; 0], "not allowed by docs/iam-policy-sync.json");
    }

    fn changes(call: &str) -> bool {
        let operation = call.rsplit('/').next().unwrap_or_default();
        CHANGES.iter().any(|word| operation.starts_with(word))
    }

    /// Returns the image of the primary that the standby's template starts, by way of its copy.
    fn started(world: &Value) -> String {
        let template = &world["launch_templates"]["drstack-fleet-pool-inference"];
        let versions = template["versions"].as_object().expect("versions");
        let newest = versions.iter().max_by_key(|(number, _)| number.parse::<u32>().expect("a number"));
        let copy = newest.expect("a version").1["data"]["ImageId"].as_str().expect("an image");
        world["images"][copy]["Tags"]["drstack:source"].as_str().expect("its source").to_owned()
    }
}
