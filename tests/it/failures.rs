//! Failures as a user sees them, on the sim: killed runs, locks, faults of every class, a lost
//! region.

use serde_json::Value;

use crate::drstack::{Drstack, Ran, drstack};

const STACK: &str = r#"
[stack]
name = "demo"
primary = "us-east-1"
standby = "us-west-2"
posture = "warm"

[bucket.models]
name = "acme-models"

[table.features]
name = "acme-features"
"#;

/// More calls than any run of the stack makes.
const MOST_CALLS: usize = 400;
/// The exit code of a program that `kill -9` ends.
const KILLED: i32 = 137;

/// Returns a machine with the stack in `s`. Its next command comes one second after the last.
fn machine() -> Drstack {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    machine.write("soon.toml", "between_runs = \"1s\"\n");
    machine
}

fn run(machine: &Drstack, line: &str) -> Ran {
    machine.run(line.split(' ').chain(["--cloud", "sim"]))
}

/// Applies with these settings of the sim.
fn apply(machine: &Drstack, sim: &str) -> Ran {
    machine.write("sim.toml", sim);
    run(machine, "apply s --auto-approve --sim sim.toml")
}

/// Asserts that a plain apply completes, and that nothing is left to do.
fn mended(machine: &Drstack) {
    run(machine, "apply s --auto-approve").ok();
    run(machine, "plan s --detailed-exitcode").ok();
}

/// Returns a machine on which an apply died during its steps, one second ago.
fn died() -> Drstack {
    for call in (0..MOST_CALLS).step_by(3) {
        let machine = machine();
        let ran = apply(&machine, &format!("kill_at = {}\n", call + 1));
        if ran.stderr.contains("created ") {
            ran.code(KILLED);
            return machine;
        }
    }
    panic!("no apply died in the middle");
}

/// Kills an apply at every seventh call, and completes each one with another apply.
fn killed_anywhere(setting: &str) {
    for (killed, call) in (1..MOST_CALLS).step_by(7).enumerate() {
        let machine = machine();
        let ran = apply(&machine, &format!("{setting} = {call}\n"));
        if ran.code == 0 {
            assert!(killed > 5, "{killed} runs were killed");
            return;
        }
        ran.code(KILLED);
        mended(&machine);
    }
    panic!("an apply makes more than {MOST_CALLS} calls");
}

#[test]
fn a_run_that_was_killed_before_any_call_is_completed_by_the_next() {
    killed_anywhere("kill_at");
}

#[test]
fn a_run_that_was_killed_after_any_call_is_completed_by_the_next() {
    killed_anywhere("kill_after");
}

#[test]
fn a_killed_destroy_is_completed_by_the_next() {
    let machine = machine();
    run(&machine, "apply s --auto-approve").ok();
    let destroy = "destroy s --auto-approve --delete-data bucket.models --delete-data table.features";
    // Observing lists every kind once; the changes come after it.
    let kill_at = drstack_kinds::resources::ALL.len() + 22;
    machine.write("sim.toml", &format!("kill_at = {kill_at}\n"));
    run(&machine, &format!("{destroy} --sim sim.toml")).code(KILLED);
    run(&machine, destroy).ok();
    let ran = run(&machine, destroy).ok();
    assert!(ran.stdout.contains("Nothing left to destroy"), "{ran:?}");
}

#[test]
fn a_live_lock_says_who_holds_it_and_until_when() {
    let machine = died();
    let ran = apply(&machine, "between_runs = \"1s\"\n").code(4);
    for part in [
        " holds the lock for `apply` since 2026-01-01T",
        "\n\nhint: wait: ",
        "`drstack unlock STACK` (without its files `drstack unlock --bundle s3://",
    ] {
        assert!(ran.stderr.contains(part), "{part} in {ran:?}");
    }
    mended(&machine);
}

#[test]
fn a_lock_is_broken_only_on_purpose() {
    let machine = died();
    let unlock = "unlock s --sim soon.toml";
    let ran = run(&machine, unlock).code(64);
    for part in [
        "holds the lock for `apply`",
        "It renewed its lease",
        "cannot ask for confirmation: no terminal",
        "hint: add `--force`",
    ] {
        assert!(ran.stderr.contains(part), "{part} in {ran:?}");
    }
    let ran = run(&machine, &format!("{unlock} --force --json")).ok();
    assert_eq!((&ran.json()[0]["state"], &ran.json()[0]["purpose"]), (&"broken".into(), &"apply".into()));
    let ran = run(&machine, unlock).ok();
    assert_eq!(ran.stdout, "The stack is not locked.\n");
    apply(&machine, "between_runs = \"1s\"\n").ok();
    run(&machine, "plan s --detailed-exitcode").ok();
}

#[test]
fn a_lock_whose_lease_ran_out_says_so() {
    let machine = died();
    machine.write("late.toml", "between_runs = \"10m\"\n");
    let ran = run(&machine, "unlock s --sim late.toml --force").ok();
    assert!(ran.stderr.contains("Its lease ran out."), "{ran:?}");
    mended(&machine);
}

#[test]
fn a_stack_that_was_never_applied_is_not_locked() {
    assert_eq!(run(&machine(), "unlock s").ok().stdout, "The stack is not locked.\n");
}

#[test]
fn each_class_of_error_has_a_message_and_a_hint_and_the_next_apply_completes() {
    for (fault, message, hint) in [
        ("throttled", "bucket:create was throttled", "lower `--parallelism`"),
        ("denied", "bucket:create was denied: ", "allow `bucket:create` to these credentials"),
        // E9
        (
            "expired",
            "bucket:create was refused, the credentials have expired: ",
            "sign in again, then run the same command",
        ),
        (
            "untrusted",
            "bucket:create in us-west-2 was not sent, its certificate is not trusted: ",
            "`AWS_CA_BUNDLE`",
        ),
        ("internal", "bucket:create failed: ", "run again"),
        ("no-capacity", "bucket:create: no capacity: ", "name more instance types"),
        ("quota", "bucket:create: over a quota: ", "raise the quota"),
        ("timeout-after-effect", "bucket:create in us-west-2 did not answer", "check the network"),
        ("partial", "bucket:create failed: ", "run again"),
    ] {
        let machine = machine();
        let sim = format!("[[faults]]\nkind = \"bucket\"\noperation = \"create\"\nerror = \"{fault}\"\n");
        let ran = apply(&machine, &sim).code(1);
        let error = ran.stderr.split("\nerror: bucket.models/bucket: ").nth(1).expect("an error");
        assert!(error.starts_with(message), "{fault}: {ran:?}");
        assert!(error.split("\n\nhint: ").nth(1).is_some_and(|it| it.contains(hint)), "{fault}: {ran:?}");
        assert!(ran.stdout.contains("1 failed, 1 skipped"), "{fault}: {ran:?}");
        assert!(
            ran.stderr.matches("bucket:create").count() <= 5,
            "the same is not said over and over: {ran:?}"
        );
        mended(&machine);
    }
}

/// F13: 65 is for stacks alone.
#[test]
fn a_group_that_is_throttled_at_every_try_is_no_error_of_the_stack() {
    let machine = machine();
    let pool = "[network.standby]\nvpc = \"vpc-1\"\nsubnets = [\"subnet-1\"]\n\n\
                [pool.inference]\nfollows = \"fleet-inference\"\nnetwork = \"@network.standby\"\n";
    machine.write("s/stack.toml", &format!("{STACK}\n{pool}"));
    let fault =
        |error| format!("[[faults]]\nkind = \"group\"\noperation = \"capture\"\nerror = \"{error}\"\n");
    for (error, hint) in [("throttled", "run the same command again"), ("denied", "allow `group:capture`")] {
        let ran = apply(&machine, &fault(error)).code(1);
        assert!(ran.stderr.contains("error[DR206]: pool.inference: nothing is known of "), "{ran:?}");
        assert!(ran.stderr.contains(hint), "{ran:?}");
    }
    mended(&machine);
}

#[test]
fn a_look_that_is_denied_blocks_what_hangs_on_it_and_nothing_else() {
    let machine = machine();
    let denied = "[[faults]]\nkind = \"table-replica\"\noperation = \"read\"\nerror = \"denied\"\n";
    let ran = apply(&machine, denied).code(1);
    assert!(ran.stdout.contains("Blocked:\n  table.features/table-replica: could not look: "), "{ran:?}");
    assert!(ran.stdout.contains("allow `table-replica:read` to these credentials"), "{ran:?}");
    assert!(ran.stderr.contains("created bucket.models/bucket"), "{ran:?}");
    // B17: what is blocked is not done.
    assert!(ran.stdout.contains("\nApply incomplete: ") && ran.stdout.contains(" 1 blocked, "), "{ran:?}");
    assert!(!ran.stdout.contains("Apply complete"), "{ran:?}");
    let ran = apply(&machine, denied).code(1);
    assert!(ran.stdout.ends_with("\nNothing can be done until that is fixed.\n"), "{ran:?}");
    mended(&machine);
}

#[test]
fn a_lost_region_leaves_what_it_said_last_and_how_old_that_is() {
    let machine = machine();
    run(&machine, "apply s --auto-approve").ok();
    machine
        .write("s/stack.toml", &format!("{STACK}\n[sim]\ndown = [\"us-east-1\"]\nbetween_runs = \"3h\"\n"));
    let ran = run(&machine, "plan s --json").code(1);
    let lines = ran.json();
    let texts = |kind: &str| {
        lines.iter().filter(|it| it["type"] == kind).map(|it| it["text"].to_string()).collect::<Vec<_>>()
    };
    let aged = "using the answer of 3h ";
    assert_eq!(texts("note").iter().filter(|it| it.contains(aged)).count(), 2, "{ran:?}");
    let blocked = texts("blocked");
    assert!(
        !blocked.is_empty() && blocked.iter().all(|it| it.contains("us-east-1 did not answer")),
        "{ran:?}"
    );
    let steps = lines.iter().filter(|it| it["type"] == "step").collect::<Vec<&Value>>();
    assert!(steps.is_empty(), "nothing is made or taken away because nobody could look: {steps:?}");
    let ran = run(&machine, "plan s").code(1);
    let grouped = format!("\n  {} items wait for us-east-1, which does not answer (", blocked.len());
    assert_eq!(ran.stdout.matches("us-east-1").count(), 2 + 1 + 1, "head, group, and result: {ran:?}");
    assert!(
        ran.stdout.contains("\n  2 facts were not answered: using stored answers, the oldest of "),
        "{ran:?}"
    );
    assert!(ran.stdout.contains(&grouped), "{ran:?}");
    let (_, hint) = ran.stderr.split_once("hint: if us-east-1 is lost, run `drstack ").expect("a hint");
    let (command, _) = hint.split_once('`').expect("a command");
    assert_eq!(command, "failover s --cloud sim");
    let all = run(&machine, "plan s --verbose").code(1).stdout;
    assert_eq!(all.matches(": could not l").count(), blocked.len(), "{all}");
    machine.run(command.split(' ').chain(["--auto-approve"])).unasked();
    run(&machine, "failback s --auto-approve").code(3);
    machine.write("s/stack.toml", STACK);
    run(&machine, "failback s --auto-approve").ok();
    run(&machine, "plan s --detailed-exitcode").ok();
}

#[test]
fn a_world_that_is_damaged_newer_or_in_use_is_left_alone_and_said_so() {
    let machine = machine();
    run(&machine, "apply s --auto-approve").ok();
    let path = machine.folder().join(".drstack/sim/world.json");
    let whole = std::fs::read_to_string(&path).expect("the world");
    let newer = whole.replace("\"format\":1", "\"format\":9");
    assert_ne!(newer, whole);
    let refused = |code: i32, said: &str, hint: &str| {
        let ran = run(&machine, "plan s").code(code);
        assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains(said), "{ran:?}");
        assert!(ran.stderr.contains(&format!("\n\nhint: {hint}")), "{ran:?}");
    };
    machine.write(".drstack/sim/world.json", &newer);
    refused(1, "has format 9", "use the newer drstack");
    machine.write(".drstack/sim/world.json", &whole[..whole.len() / 2]);
    refused(1, "cannot be understood", "delete the folder `.drstack/sim`");
    machine.write(".drstack/sim/world.json", &whole);
    let lock = std::fs::File::create(machine.folder().join(".drstack/sim/lock")).expect("the lock");
    lock.lock().expect("locked");
    refused(4, "another drstack is using", "wait until it has ended");
    lock.unlock().expect("unlocked");
    run(&machine, "plan s --detailed-exitcode").ok();
}

#[test]
fn settings_of_the_sim_that_cannot_be_used_are_refused() {
    let machine = machine();
    for (settings, said) in
        [("latency = 3", "latency"), ("speed = 1", "speed"), ("throttle = 2.0", "`throttle` is a share")]
    {
        let ran = apply(&machine, settings).code(65);
        assert!(ran.stderr.contains(said) && ran.stderr.contains("hint: "), "{ran:?}");
    }
    assert!(
        run(&machine, "plan s --sim nowhere.toml").code(64).stderr.contains("cannot read `nowhere.toml`")
    );
}

/// A creation that failed after its effect, of a kind that gets its tags in a call of its own.
#[test]
fn what_was_begun_without_tags_is_finished_or_named_and_not_made_twice() {
    let machine = machine();
    let record = r#"
[traffic.api]
zone           = "example.com"
record         = "api"
primary_target = "east.example.com"
standby_target = "west.example.com"
probe          = "https://api.example.com/healthz"
watch          = false
"#;
    machine.write("s/stack.toml", &format!("{STACK}{record}"));
    let fault =
        "[[faults]]\nkind = \"health-check\"\noperation = \"create\"\nerror = \"timeout-after-effect\"\n";
    let ids = || {
        let all = machine.objects()["health-check"]["global"].as_object().cloned();
        all.unwrap_or_default().into_iter().map(|(id, _)| id).collect::<Vec<String>>()
    };
    apply(&machine, fault).code(1);
    let begun = ids();
    assert!(!begun.is_empty());
    for line in ["plan s", "plan s --destroy"] {
        let said = run(&machine, line).stdout;
        assert!(
            begun.iter().all(|id| said.contains(&format!("`{id}` was begun for this stack"))),
            "{line}: {said}"
        );
    }
    mended(&machine);
    assert!(begun.iter().all(|id| ids().contains(id)), "{begun:?}");
    assert!(!run(&machine, "plan s").stdout.contains("was begun"));
    run(&machine, "destroy s --auto-approve").ok();
    assert!(ids().is_empty(), "{:?}", ids());
    // Another path makes another check: the first is named from then on.
    apply(&machine, fault).code(1);
    let begun = ids();
    machine.write("s/stack.toml", &format!("{STACK}{}", record.replace("healthz", "ready")));
    mended(&machine);
    let said = run(&machine, "plan s").stdout;
    assert!(begun.iter().any(|id| said.contains(&format!("`{id}` was begun for this stack"))), "{said}");
}

/// In an empty folder, with the bundle alone: the command that the failover names puts a lock in the
/// place of a damaged one.
#[test]
fn a_damaged_lock_is_replaced_without_the_files_of_the_stack() {
    let machine = machine();
    run(&machine, "apply s --auto-approve").ok();
    let path = ".drstack/sim/world.json";
    let text = std::fs::read_to_string(machine.folder().join(path)).expect("a world");
    let mut world: Value = serde_json::from_str(&text).expect("JSON");
    world["world"]["buckets"]["drstack-demo-us-west-2"]["objects"]["lock.json"] = "{damaged".into();
    machine.write(path, &world.to_string());
    std::fs::remove_dir_all(machine.folder().join("s")).expect("the stack's folder");
    let failover =
        "failover --bundle s3://drstack-demo-us-west-2/demo --unsigned --auto-approve --accept-degraded";
    let stuck = run(&machine, failover).code(4);
    let way = "unlock --bundle s3://drstack-demo-us-west-2/demo --region us-west-2";
    assert!(stuck.stderr.contains(&format!("`drstack {way}`")), "{stuck:?}");
    run(&machine, way).code(64);
    run(&machine, &format!("{way} --force")).ok();
    assert!([0, 3].contains(&run(&machine, failover).code));
}
