//! Writers of the primary region that are denied to write.

use std::path::Path;

use super::forgotten::world;
use super::{LOST, STACK, done, run};
use crate::drstack::{Drstack, drstack};

/// Returns the published bundle.
fn published(machine: &Drstack) -> String {
    world(machine)["world"]["buckets"]["demo-control"]["objects"]["bundle.json"].to_string()
}

/// Returns the roles that are denied to write.
fn denied(machine: &Drstack) -> Vec<String> {
    let objects = machine.objects();
    let Some(all) = objects["writer-fence"]["global"].as_object() else { return Vec::new() };
    let denied = all.iter().filter(|(_, it)| !it["live"]["policy"].is_null());
    denied.map(|(id, _)| id.clone()).collect()
}

#[test]
fn the_primarys_writers_are_denied_by_the_first_apply_after_a_failover_until_it_is_failed_back() {
    let machine = drstack();
    let fence = "[fence.writers]\ndeny_writers = [\"serving-writers\"]\nbuckets = [\"@bucket.models\"]\n";
    let traffic = "[traffic.api]\nzone = \"example.com\"\nrecord = \"api\"\nprimary_target = \"east.example.com\"\nstandby_target = \"west.example.com\"\nprobe = \"https://api.example.com/healthz\"\nwatch = false\n";
    machine.write("s/stack.toml", &format!("{STACK}{fence}{traffic}"));
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
    const DENIAL: &str = "fence.writers/deny-serving-writers";
    let over = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).unasked();
    assert!(!done(&over).iter().any(|it| it == DENIAL), "{over:?}");
    run(&machine, "failover s --dry-run", Some("lost.toml")).ok();
    // IAM does not answer yet.
    let early = run(&machine, "apply s --auto-approve --json", Some("lost.toml")).code(1);
    let is_blocked = |it: &serde_json::Value| it["type"] == "blocked" && it["address"] == DENIAL;
    assert!(early.json().iter().any(is_blocked), "{early:?}");
    let early = run(&machine, "apply s --auto-approve", Some("lost.toml")).code(1);
    assert!(early.stdout.contains("items wait for the global services, which do not answer"), "{early:?}");
    let denied = run(&machine, "apply s --auto-approve --json", None).ok();
    assert_eq!(done(&denied), [DENIAL]);
    run(&machine, "plan s --detailed-exitcode", None).ok();
    run(&machine, "failover s --dry-run", Some("lost.toml")).ok();
    let back = done(&run(&machine, "failback s --auto-approve --json", None).ok());
    let at = |address: &str| {
        back.iter().position(|it| it == address).unwrap_or_else(|| panic!("{address}: {back:?}"))
    };
    assert!(
        at(DENIAL) < at("fence.writers/active-region") && at(DENIAL) < at("traffic.api/traffic-switch"),
        "{back:?}"
    );
    run(&machine, "plan s --detailed-exitcode", None).ok();

    // A denial that was not put is not lifted.
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    let back = done(&run(&machine, "failback s --auto-approve --json", None).ok());
    assert!(!back.iter().any(|it| it == DENIAL), "{back:?}");
}

/// Nobody owns a denial, and no listing shows it: a role that the stack names no more would be denied
/// for good.
#[test]
fn a_role_that_is_denied_is_named_until_the_failback() {
    let machine = drstack();
    let stack = |roles: &str| {
        let fence = format!("[fence.writers]\ndeny_writers = [{roles}]\nbuckets = [\"@bucket.models\"]\n");
        machine.write("s/stack.toml", &format!("{STACK}{fence}"));
    };
    machine.write("lost.toml", LOST);
    stack("\"batch-writers\", \"serving-writers\"");
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    run(&machine, "apply s --auto-approve", None).ok();
    assert_eq!(denied(&machine), ["batch-writers", "serving-writers"]);
    stack("\"serving-writers\"");
    for command in ["apply s --auto-approve", "failback s --auto-approve"] {
        let refused = run(&machine, command, None).code(3);
        let why = "fence.writers/deny-batch-writers: runs may have changed `batch-writers` since the failover, and nothing would change it back";
        assert!(refused.stderr.contains(why), "{refused:?}");
        assert_eq!(denied(&machine), ["batch-writers", "serving-writers"]);
    }
    stack("\"batch-writers\", \"serving-writers\"");
    run(&machine, "failback s --auto-approve", None).ok();
    assert_eq!(denied(&machine), [""; 0]);
    stack("\"serving-writers\"");
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

/// A run that dies publishes nothing, and files are put back: what it denied is known all the same.
#[test]
fn a_role_that_a_dead_apply_denied_is_named_until_the_failback() {
    let machine = drstack();
    let stack = |fence: &str| machine.write("s/stack.toml", &format!("{STACK}{fence}"));
    let fence = "[fence.writers]\ndeny_writers = [\"w\"]\nbuckets = [\"@bucket.models\"]\n";
    machine.write("lost.toml", LOST);
    stack("");
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    stack(fence);
    let (sim, kept) = (machine.folder().join(".drstack/sim"), machine.folder().join("kept"));
    let copied = |from: &Path, to: &Path| {
        std::fs::remove_dir_all(to).ok();
        std::fs::create_dir_all(to).expect("a folder");
        for file in std::fs::read_dir(from).expect("files") {
            let file = file.expect("a file");
            std::fs::copy(file.path(), to.join(file.file_name())).expect("copied");
        }
    };
    copied(&sim, &kept);
    let died = (1..100).rev().find(|call| {
        copied(&kept, &sim);
        machine.write("dies.toml", &format!("kill_after = {call}\n"));
        let code = run(&machine, "apply s --auto-approve", Some("dies.toml")).code;
        // The next program finds what the dead one has done.
        run(&machine, "unlock s --force", None);
        code == 137 && !published(&machine).contains("deny_writers") && !denied(&machine).is_empty()
    });
    assert!(died.is_some(), "it denied nobody");
    stack("");
    for command in ["apply s --auto-approve", "failback s --auto-approve"] {
        let refused = run(&machine, command, None).code(3);
        assert!(refused.stderr.contains("runs may have changed `w` since the failover"), "{refused:?}");
        assert_eq!(denied(&machine), ["w"]);
    }
    stack(fence);
    run(&machine, "failback s --auto-approve", None).ok();
    assert_eq!(denied(&machine), [""; 0]);
    stack("");
    run(&machine, "apply s --auto-approve", None).ok();
    // It was undone: where the primary serves, nobody asks for the role, and the next failover owes nothing.
    stack(fence);
    run(&machine, "apply s --auto-approve", None).ok();
    stack("");
    let serves = run(&machine, "failback s --auto-approve", None).ok();
    assert!(serves.stdout.contains("us-east-1 serves"), "{serves:?}");
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    run(&machine, "failback s --auto-approve", None).ok();
}

/// What serves keeps the rights to read what it serves, and what is denied stays denied, whatever the
/// stack says by now.
#[test]
fn an_apply_takes_no_right_away_while_the_standby_serves() {
    let machine = drstack();
    let fence = |buckets: &str| format!("[fence.writers]\ndeny_writers = [\"w\"]\nbuckets = [{buckets}]\n");
    let policy = |kind: &str| {
        let objects = machine.objects();
        let all = objects[kind]["global"].as_object().expect("roles").clone();
        all.into_iter().map(|(_, it)| it["live"]["policy"].to_string()).collect::<String>()
    };
    machine.write("lost.toml", LOST);
    machine.write("s/stack.toml", &format!("{STACK}{}", fence("\"@bucket.models\"")));
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    run(&machine, "apply s --auto-approve", None).ok();
    // Another bucket in pool and fence: the old rights stay beside the new ones.
    let other = STACK.replace("[\"@bucket.models\"]", "[\"@bucket.other\"]");
    let other = format!("{other}[bucket.other]\nname = \"acme-other\"\n{}", fence("\"@bucket.other\""));
    machine.write("s/stack.toml", &other);
    let ran = run(&machine, "apply s --auto-approve", None).ok();
    assert!(ran.stdout.contains("rights that the stack no longer names stay until the failback"), "{ran:?}");
    for name in ["acme-models-us-west-2/*", "acme-other-us-west-2/*"] {
        assert!(policy("instance-role").contains(name), "{name}: {}", policy("instance-role"));
    }
    for name in ["arn:aws:s3:::acme-models/*", "arn:aws:s3:::acme-other/*"] {
        assert!(policy("writer-fence").contains(name), "{name}: {}", policy("writer-fence"));
    }
    run(&machine, "plan s --detailed-exitcode", None).ok();
    run(&machine, "failback s --auto-approve", None).ok();
    assert_eq!(policy("writer-fence"), "null");
    run(&machine, "apply s --auto-approve", None).ok();
    assert!(!policy("instance-role").contains("acme-models"), "{}", policy("instance-role"));
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

/// An application stops for good where the epoch changes: not those of a part that did not fail over.
#[test]
fn a_part_that_fails_over_and_back_leaves_the_epoch_of_the_writers_of_the_rest() {
    let machine = drstack();
    machine.write("s/stack.toml", &format!("{STACK}[fence.writers]\n"));
    machine.write("lost.toml", LOST);
    let told = || {
        let objects = machine.objects();
        let of = &objects["parameter"]["us-west-2"];
        ["active-region", "epoch"]
            .map(|it| of[format!("/drstack/demo/{it}")]["live"]["value"].as_str().expect("text").to_owned())
    };
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve --only pool.batch", Some("lost.toml")).unasked();
    run(&machine, "plan s --detailed-exitcode", None).ok();
    assert_eq!(told(), ["us-east-1", "0"]);
    run(&machine, "failback s --auto-approve", None).ok();
    run(&machine, "apply s --auto-approve", None).ok();
    assert_eq!(told(), ["us-east-1", "0"]);
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    let [region, epoch] = told();
    assert_eq!(region, "us-west-2");
    assert!(epoch.parse::<u64>().expect("a number") > 0);
    run(&machine, "failback s --auto-approve", None).ok();
    assert!(told()[1].parse::<u64>().expect("a number") > epoch.parse().expect("a number"));
}
