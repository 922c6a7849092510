//! Names of the primary that change, or that two components exchange: what stays in use goes on
//! as it is.

use serde_json::Value;

use crate::drstack::{Drstack, Ran, drstack};

const HEAD: &str = "[stack]\nname = \"demo\"\nprimary = \"us-east-1\"\nstandby = \"us-west-2\"\nposture = \"warm\"\ncontrol = \"demo-control\"\n";

fn bucket(component: &str, name: &str) -> String {
    format!("[bucket.{component}]\nname = \"{name}\"\n")
}

fn traffic(component: &str, record: &str) -> String {
    format!(
        "[traffic.{component}]\nzone = \"example.com\"\nrecord = \"{record}\"\nprimary_target = \"{record}-east.example.com\"\nstandby_target = \"{record}-west.example.com\"\nprobe = \"https://{record}.example.com/healthz\"\nwatch = false\n"
    )
}

fn run(machine: &Drstack, line: &str) -> Ran {
    machine.run(line.split(' ').chain(["--cloud", "sim"]))
}

fn applied(components: &[String]) -> Drstack {
    let machine = drstack();
    machine.write("s/stack.toml", &format!("{HEAD}{}", components.concat()));
    run(&machine, "apply s --auto-approve").ok();
    machine
}

/// Applies these components in place of the earlier ones. Returns the steps that were done, and
/// what was blocked.
fn then(machine: &Drstack, components: &[String]) -> [Vec<String>; 2] {
    machine.write("s/stack.toml", &format!("{HEAD}{}", components.concat()));
    let lines = run(machine, "apply s --auto-approve --json").code(1).json();
    let of = |key: &str, value: &str| -> Vec<String> {
        let text = |line: &Value| {
            format!(
                "{} {}",
                line["action"].as_str().unwrap_or_default(),
                line["address"].as_str().unwrap_or_default()
            )
        };
        lines.iter().filter(|line| line[key] == value).map(text).collect()
    };
    [of("event", "step_finished"), of("type", "blocked")]
}

#[test]
fn another_source_says_that_the_replication_of_the_copy_that_is_kept_ends() {
    let machine = applied(&[bucket("a", "acme-a")]);
    machine.write("s/stack.toml", &format!("{HEAD}{}", bucket("a", "acme-c")));
    let plan = run(&machine, "plan s").ok();
    let note = plan.stdout.lines().find(|line| line.contains("bucket.a/replication-role: "));
    assert!(note.is_some_and(|it| it.contains("no longer works after this change")), "{plan:?}");
    // A component of its own keeps both in step.
    machine.write("s/stack.toml", &format!("{HEAD}{}{}", bucket("a", "acme-a"), bucket("c", "acme-c")));
    run(&machine, "apply s --auto-approve").ok();
    run(&machine, "plan s --detailed-exitcode").code(0);
}

#[test]
fn two_buckets_that_exchange_their_names_go_on_replicating() {
    let machine = applied(&[bucket("a", "acme-a"), bucket("b", "acme-b")]);
    let [done, _] = then(&machine, &[bucket("a", "acme-b"), bucket("b", "acme-a")]);
    assert_eq!(done, [""; 0]);
}

#[test]
fn two_dns_names_that_are_exchanged_are_judged_by_their_own_checks() {
    let machine = applied(&[traffic("a", "a"), traffic("b", "b")]);
    let [done, _] = then(&machine, &[traffic("a", "b"), traffic("b", "a")]);
    assert!(!done.iter().any(|it| it.contains("-check")), "{done:?}");
}

/// A6: a copy of a stack's files under the same name, with components of its own.
#[test]
fn a_plan_that_keeps_nothing_is_not_applied_without_asking() {
    let machine = applied(&[traffic("a", "a")]);
    machine.write("s/stack.toml", &format!("{HEAD}{}", bucket("b", "acme-b")));
    let plan = run(&machine, "plan s").ok();
    assert!(plan.stdout.contains("is this another stack with the same name?"), "{plan:?}");
    let refused = run(&machine, "apply s --auto-approve").code(3);
    assert!(refused.stderr.contains("deletes all that the stack has (traffic.a)"), "{refused:?}");
    assert!(refused.stderr.contains("give it another `name`"), "{refused:?}");
    // It is this stack, and it starts anew.
    run(&machine, "destroy s --auto-approve --target traffic.a").ok();
    run(&machine, "apply s --auto-approve").ok();
    run(&machine, "plan s --detailed-exitcode").code(0);
}

#[test]
fn two_buckets_that_get_names_of_their_own_are_exchanged_in_one_apply() {
    let machine = applied(&[bucket("a", "acme-a"), bucket("b", "acme-b")]);
    let new = [bucket("first", "acme-b"), bucket("second", "acme-a")].concat();
    machine.write("s/stack.toml", &format!("{HEAD}{new}"));
    run(&machine, "apply s --auto-approve").ok();
    let plan = run(&machine, "plan s --detailed-exitcode").code(0);
    assert!(!plan.stdout.contains("Kept:"), "{plan:?}");
}

#[test]
fn names_that_were_exchanged_step_by_step_leave_no_rule_behind() {
    let machine = applied(&[bucket("a", "acme-a"), bucket("b", "acme-b")]);
    for [one, two] in [["tmp", "b"], ["tmp", "a"], ["b", "a"]] {
        let now = [bucket(one, "acme-a"), bucket(two, "acme-b")].concat();
        machine.write("s/stack.toml", &format!("{HEAD}{now}"));
        run(&machine, "apply s --auto-approve");
    }
    let plan = run(&machine, "plan s --detailed-exitcode").code(0);
    assert!(!plan.stdout.contains("Kept:"), "{plan:?}");
}

/// The names `a` and `b`, come back with each other's buckets, wherever the run is cut off.
#[test]
fn old_names_that_come_back_exchanged_leave_each_role_with_its_own_bucket() {
    let swapped = [bucket("a", "acme-b"), bucket("b", "acme-a")].concat();
    for call in (0..60).step_by(12) {
        let machine = applied(&[bucket("a", "acme-a"), bucket("b", "acme-b")]);
        let new = [bucket("first", "acme-b"), bucket("second", "acme-a")].concat();
        machine.write("s/stack.toml", &format!("{HEAD}{new}"));
        run(&machine, "apply s --auto-approve").ok();
        machine.write("s/stack.toml", &format!("{HEAD}{swapped}"));
        let plan = run(&machine, "plan s").ok();
        assert!(!plan.stdout.contains("policy"), "{plan:?}");
        if call > 0 {
            machine.write("sim.toml", &format!("kill_at = {call}\n"));
            run(&machine, "apply s --auto-approve --sim sim.toml");
            let lock = run(&machine, "unlock s --force");
            let plan = run(&machine, "plan s").ok();
            assert!(!plan.stdout.contains("policy"), "{call}: {lock:?} {plan:?}");
        }
        run(&machine, "apply s --auto-approve").ok();
        let plan = run(&machine, "plan s --detailed-exitcode").code(0);
        assert!(!plan.stdout.contains("Kept:"), "{call}: {plan:?}");
    }
}

/// A network, and a pool in it, under these names.
fn pool(network: &str, pool: &str) -> String {
    format!(
        "[network.{network}]\ncidr = \"10.64.0.0/16\"\n[pool.{pool}]\nfollows = \"serve\"\nnetwork = \"@network.{network}\"\ninstance_types = [\"g5.xlarge\"]\ncapacity = 4\n"
    )
}

#[test]
fn a_name_that_a_renamed_pool_keeps_is_refused_and_never_called_created() {
    let machine = applied(&[pool("n", "a")]);
    machine.write("s/stack.toml", &format!("{HEAD}{}", pool("z", "b")));
    run(&machine, "apply s --auto-approve").ok();
    machine.write("s/stack.toml", &format!("{HEAD}{}{}", pool("z", "b"), pool("n", "a")));
    let said = "`drstack-demo-pool-a` is the name that pool.b/launch-template keeps; give this component another name";
    for _ in 0..2 {
        let refused = run(&machine, "apply s --auto-approve").code(1);
        assert!(refused.stdout.contains(said), "{refused:?}");
        assert!(!refused.stderr.contains("created pool.a/group"), "{refused:?}");
    }
    // A network has no name in AWS: the second one is another one.
    assert_eq!(machine.objects()["vpc"]["us-west-2"].as_object().map(serde_json::Map::len), Some(2));
    machine.write("s/stack.toml", &format!("{HEAD}{}{}", pool("z", "b"), pool("n", "c")));
    run(&machine, "apply s --auto-approve").ok();
    run(&machine, "plan s --detailed-exitcode").code(0);
    assert_eq!(machine.objects()["group"]["us-west-2"].as_object().map(serde_json::Map::len), Some(2));
}

#[test]
fn a_destroy_after_a_rename_that_was_not_applied_keeps_what_feeds_the_copy() {
    let machine = applied(&[bucket("a", "acme-a")]);
    let before = machine.objects();
    machine.write("s/stack.toml", &format!("{HEAD}{}", bucket("b", "acme-a")));
    run(&machine, "destroy s --auto-approve").ok();
    let after = machine.objects();
    for (kind, region) in
        [("bucket", "us-west-2"), ("replication-rule", "us-east-1"), ("replication-role", "global")]
    {
        assert_eq!(after[kind][region], before[kind][region], "{kind}");
        assert_eq!(after[kind][region].as_object().map(serde_json::Map::len), Some(1), "{kind}");
    }
}

/// Two pools that change their names at once, with images of their own.
fn two_pools(names: [&str; 2]) -> String {
    let pool = |name: &str, group: &str| {
        format!(
            "[pool.{name}]\nfollows = \"{group}\"\nnetwork = \"@network.n\"\ninstance_types = [\"g5.xlarge\"]\ncapacity = 4\n"
        )
    };
    format!("[network.n]\ncidr = \"10.64.0.0/16\"\n{}{}", pool(names[0], "a"), pool(names[1], "b"))
}

#[test]
fn a_rename_of_two_pools_that_was_cut_off_anywhere_goes_on_and_makes_none_anew() {
    let new = format!("{HEAD}{}", two_pools(["infx", "trnx"]));
    let mut cut_off = 0;
    for call in (0..40).step_by(2) {
        let machine = applied(&[two_pools(["inf", "trn"])]);
        let groups = machine.objects()["group"].clone();
        let ids = |it: &Value| it["us-west-2"].as_object().map(|it| it.keys().cloned().collect::<Vec<_>>());
        machine.write("s/stack.toml", &new);
        machine.write("sim.toml", &format!("kill_at = {call}\n"));
        let died = run(&machine, "apply s --auto-approve --sim sim.toml");
        cut_off += usize::from(died.code == 137);
        run(&machine, "unlock s --force");
        let plan = run(&machine, "plan s").ok();
        assert!(!plan.stdout.contains(" - group") && !plan.stdout.contains(" + group"), "{call}: {plan:?}");
        run(&machine, "apply s --auto-approve").ok();
        assert_eq!(ids(&machine.objects()["group"]), ids(&groups), "{call}");
        run(&machine, "plan s --detailed-exitcode").code(0);
    }
    assert!(cut_off > 5, "{cut_off} runs died");
}

#[test]
fn two_pools_that_failed_over_under_new_names_keep_role_and_template_in_the_failback() {
    let machine = applied(&[two_pools(["inf", "trn"])]);
    machine.write("lost.toml", "down = [\"us-east-1\", \"global\"]\n");
    machine.write("s/stack.toml", &format!("{HEAD}{}", two_pools(["infx", "trnx"])));
    run(&machine, "failover s --with-files --auto-approve --sim lost.toml").unasked();
    let before = machine.objects();
    run(&machine, "failback s --auto-approve").ok();
    let after = machine.objects();
    for (kind, region) in [("launch-template", "us-west-2"), ("group", "us-west-2")] {
        let ids = |it: &Value| it[kind][region].as_object().map(|it| it.keys().cloned().collect::<Vec<_>>());
        assert_eq!(ids(&after), ids(&before), "{kind}");
    }
    run(&machine, "plan s --detailed-exitcode").code(0);
}
