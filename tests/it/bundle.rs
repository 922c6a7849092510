//! Bundles: every complete apply publishes one. It suffices for a machine without any file of the
//! stack, and is refused once it was altered.

mod age;

use std::path::PathBuf;

use drstack_core::bundle::Bundle;
use drstack_core::keys::PrivateKey;
use serde_json::Value;

use crate::drstack::{Drstack, Ran, drstack};

const HEAD: &str = r#"
[stack]
name = "demo"
primary = "us-east-1"
standby = "us-west-2"
posture = "warm"
"#;

const REST: &str = r#"
[bucket.models]
name = "acme-models"

[network.standby]
cidr = "10.64.0.0/16"

[pool.serving]
follows = "serve"
network = "@network.standby"
buckets = ["@bucket.models"]
"#;

const WORLD: &str = ".drstack/sim/world.json";
const CONTROL: &str = "drstack-demo-us-west-2";
const URL: &str = "s3://drstack-demo-us-west-2/demo";

/// Runs the words of `line` on the sim.
fn run(machine: &Drstack, line: &str) -> Ran {
    machine.run(line.split(' ').chain(["--cloud", "sim"]))
}

/// Returns a machine with the stack in `s`, applied.
fn applied() -> Drstack {
    let machine = drstack();
    machine.write("s/stack.toml", &format!("{HEAD}{REST}"));
    run(&machine, "apply s --auto-approve").ok();
    machine
}

/// Returns a machine that has the world of `machine` and none of its files.
fn elsewhere(machine: &Drstack) -> Drstack {
    let other = drstack();
    other.write(WORLD, &std::fs::read_to_string(machine.folder().join(WORLD)).expect("a world"));
    other
}

/// Returns the objects of the control bucket.
fn objects(machine: &Drstack) -> Value {
    let text = std::fs::read_to_string(machine.folder().join(WORLD)).expect("a world");
    let world: Value = serde_json::from_str(&text).expect("JSON");
    world["world"]["buckets"][CONTROL]["objects"].clone()
}

fn published(machine: &Drstack) -> Option<String> {
    objects(machine).get("bundle.json").map(|it| it.as_str().expect("text").to_owned())
}

/// Replaces an object with `text`, or deletes it, as another writer to the bucket could.
fn put(machine: &Drstack, key: &str, text: Option<&str>) {
    let path = machine.folder().join(WORLD);
    let mut world: Value = serde_json::from_slice(&std::fs::read(&path).expect("a world")).expect("JSON");
    let objects = world["world"]["buckets"][CONTROL]["objects"].as_object_mut().expect("objects");
    match text {
        Some(text) => drop(objects.insert(key.to_owned(), text.into())),
        None => drop(objects.remove(key)),
    }
    std::fs::write(path, world.to_string()).expect("write");
}

#[track_caller]
fn refused(ran: Ran, code: i32, message: &str) {
    let ran = ran.code(code);
    assert!(ran.stderr.contains(message) && ran.stderr.contains("hint: "), "{ran:?}");
    assert_eq!(ran.stdout, "");
}

#[test]
fn a_bundle_is_all_that_another_machine_needs() {
    let machine = applied();
    let other = elsewhere(&machine);
    let idle = run(&other, &format!("plan --bundle {URL} --detailed-exitcode")).ok();
    assert!(idle.stdout.contains("No changes. "), "{idle:?}");
    let steps = |ran: Ran| -> Vec<Value> {
        ran.ok().json().into_iter().filter(|line| line["type"] == "step").collect()
    };
    let here = steps(run(&machine, "plan s --mode active --json"));
    let there = steps(run(&other, &format!("plan --bundle {URL} --mode active --json")));
    assert!(!here.is_empty());
    assert_eq!(there, here);
}

#[test]
fn a_failover_asks_of_data_that_it_leaves_alone_whether_it_is_there() {
    let machine = applied();
    let path = machine.folder().join(WORLD);
    let mut world: Value = serde_json::from_slice(&std::fs::read(&path).expect("a world")).expect("JSON");
    let copies = world["world"]["objects"]["bucket"]["us-west-2"].as_object_mut().expect("copies");
    copies.remove("acme-models-us-west-2").expect("a copy");
    std::fs::write(&path, world.to_string()).expect("write");
    // A plan shows that the bucket is gone, and that no failover could create it.
    let looked = run(&machine, "plan s --mode active").code(1);
    assert!(looked.stdout.contains("bucket.models/bucket: a failover would have to create it"), "{looked:?}");
    // Instances do not wait for the bucket, and without it nothing is recovered.
    let other = elsewhere(&machine);
    let taken = run(&other, &format!("failover --bundle {URL} --unsigned --auto-approve")).code(1);
    assert!(
        taken.stdout.contains("BLOCKED bucket.models/bucket: a failover would have to create it"),
        "{taken:?}"
    );
    assert!(taken.stdout.contains("never fewer than"), "{taken:?}");
    let left = run(&other, &format!("plan --bundle {URL} --detailed-exitcode")).code(2);
    assert!(left.stdout.contains("bucket.models/bucket"), "{left:?}");
}

#[test]
fn what_is_not_what_was_published_is_refused() {
    let machine = applied();
    let good = published(&machine).expect("a bundle");
    let plan = |bundle: Option<&str>| {
        put(&machine, "bundle.json", bundle);
        run(&elsewhere(&machine), &format!("plan --bundle {URL}"))
    };
    refused(plan(Some(&good.replacen("acme", "evil", 1))), 1, "was changed after it was published");
    refused(
        plan(Some(&good.replacen("\"format\":1", "\"format\":9", 1))),
        1,
        "format is 9, this drstack reads 1",
    );
    refused(plan(Some(&good[..good.len() / 2])), 1, "cut short");
    refused(plan(Some("hello")), 1, "not a drstack bundle");
    let mut newer = Bundle::from_bytes(good.as_bytes()).expect("a bundle");
    newer.stack.components.values_mut().for_each(|it| it.kind = "teapot".to_owned());
    let newer = String::from_utf8(newer.to_bytes().expect("JSON")).expect("text");
    refused(plan(Some(&newer)), 1, "of kind `teapot`, which this drstack does not know");
    refused(plan(None), 1, "there is no bundle in `drstack-demo-us-west-2`");
    plan(Some(&good)).ok();
}

#[test]
fn a_bundle_is_named_well_or_refused() {
    let machine = applied();
    let plan = |url: &str| run(&machine, &format!("plan --bundle {url}"));
    for url in ["demo", "s3://drstack-demo-us-west-2", "s3://drstack-demo-us-west-2/", "s3://Not_One/demo"] {
        refused(plan(url), 64, &format!("`{url}` names no bundle"));
    }
    // The region is never guessed, on no cloud.
    refused(plan("s3://drstack-demo-us-west-2/other"), 64, "does not say its region");
    let there = "--region us-west-2";
    refused(plan(&format!("s3://drstack-demo-us-west-2/other {there}")), 1, "the bundle is of stack `demo`");
    refused(plan(&format!("s3://another-bucket/demo {there}")), 1, "`another-bucket` does not exist");
    let ran = machine.run(["plan", "s", "--bundle", URL, "--cloud", "sim"]).code(64);
    assert!(ran.stderr.contains("cannot be used with"), "{ran:?}");
    refused(run(&drstack(), &format!("plan --bundle {URL}")), 1, "no simulated cloud");
}

#[test]
fn only_a_whole_apply_publishes_and_a_whole_destroy_withdraws() {
    let machine = drstack();
    machine.write("s/stack.toml", &format!("{HEAD}{REST}"));
    run(&machine, "apply s --auto-approve --target bucket.models").ok();
    assert_eq!(published(&machine), None);
    run(&machine, "apply s --auto-approve").ok();
    let first = published(&machine).expect("a bundle");
    run(&machine, "destroy s --auto-approve --target pool.serving").ok();
    assert_eq!(published(&machine).as_ref(), Some(&first));
    run(&machine, "destroy s --auto-approve").ok();
    assert_eq!(published(&machine), None);
}

/// Else a failover would build from it what was destroyed.
#[test]
fn a_destroy_that_could_not_withdraw_the_bundle_is_finished_by_the_next() {
    let machine = applied();
    let fault = "[[faults]]\noperation = \"control\"\nsubject = \"bundle.json\"\nerror = \"internal\"\n";
    machine.write("fault.toml", fault);
    run(&machine, "destroy s --auto-approve --sim fault.toml").code(1);
    assert!(published(&machine).is_some());
    run(&machine, "destroy s --auto-approve --sim fault.toml").code(1);
    run(&machine, "destroy s --auto-approve").ok();
    assert_eq!(published(&machine), None);
    let before = objects(&machine);
    run(&machine, "destroy s --auto-approve").ok();
    assert_eq!(objects(&machine), before, "not even the lock was taken");
}

#[test]
fn an_apply_with_nothing_to_do_publishes_what_is_missing_or_old_and_else_writes_nothing() {
    let machine = applied();
    // The facts of the primary are those from before the first apply.
    run(&machine, "apply s").ok();
    let good = published(&machine).expect("a bundle");
    let before = objects(&machine);
    run(&machine, "apply s").ok();
    assert_eq!(objects(&machine), before, "not even the lock was taken");
    for bundle in [None, Some("damaged")] {
        put(&machine, "bundle.json", bundle);
        run(&machine, "apply s").ok();
        let again = Bundle::from_bytes(published(&machine).expect("a bundle").as_bytes()).expect("read");
        assert!(again.says_the_same_as(&Bundle::from_bytes(good.as_bytes()).expect("read")));
    }
    run(&machine, "plan s").ok();
    machine.write("s/stack.toml", &format!("{HEAD}rto = \"1h\"\n{REST}"));
    run(&machine, "apply s").ok();
    let moved = Bundle::from_bytes(published(&machine).expect("a bundle").as_bytes()).expect("read");
    assert_eq!(moved.stack.objective.rto, "1h".parse().ok());
}

#[test]
fn a_bundle_holds_what_stands_outside_of_the_standby_region() {
    let machine = applied();
    let bundle = Bundle::from_bytes(published(&machine).expect("a bundle").as_bytes()).expect("read");
    let held: Vec<&str> = bundle.elsewhere.keys().map(|it| it.as_str()).collect();
    for address in ["bucket.models/bucket-versioning", "bucket.models/replication-rule"] {
        assert!(held.contains(&address), "{held:?}");
    }
    assert!(held.iter().all(|it| !it.starts_with("network.")), "{held:?}");
}

/// Returns a machine whose stack names a key, which is in the file `key`, and that key.
fn signing() -> (Drstack, String) {
    let machine = drstack();
    let ran = machine.run(["keys", "new", "key"]).ok();
    let public = ran.stdout.trim().to_owned();
    machine.write("s/stack.toml", &format!("{HEAD}signing = \"{public}\"\n{REST}"));
    (machine, public)
}

#[test]
fn once_the_stack_names_a_key_apply_signs_or_does_nothing() {
    let (machine, public) = signing();
    let apply = "apply s --auto-approve";
    refused(run(&machine, apply), 64, &format!("signed by {public}, and its private key is not at hand"));
    machine.run(["keys", "new", "other"]).ok();
    refused(run(&machine, &format!("{apply} --signing-key other")), 64, "and this key is ed25519:");
    let garbage = machine.write("garbage", "hello");
    #[cfg(unix)]
    std::fs::set_permissions(&garbage, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("chmod");
    refused(run(&machine, &format!("{apply} --signing-key garbage")), 64, "not a private key");
    refused(run(&machine, &format!("{apply} --signing-key absent")), 64, "`absent`: no such file");
    assert_eq!(run(&machine, "plan s --detailed-exitcode").code, 2);
    run(&machine, &format!("{apply} --signing-key key")).ok();
    run(&elsewhere(&machine), &format!("plan --bundle {URL}")).ok();

    let machine = machine.env("DRSTACK_SIGNING_KEY", "key");
    put(&machine, "bundle.json.sig", None);
    refused(run(&elsewhere(&machine), &format!("plan --bundle {URL}")), 1, "it is not signed");
    run(&machine, "apply s").ok();
    run(&elsewhere(&machine), &format!("plan --bundle {URL}")).ok();
}

#[test]
fn whoever_writes_the_bucket_cannot_forge_what_is_checked_with_a_key_of_ones_own() {
    let (machine, public) = signing();
    run(&machine, "apply s --auto-approve --signing-key key").ok();
    let good = published(&machine).expect("a bundle");
    let mut forged = Bundle::from_bytes(good.as_bytes()).expect("a bundle");
    forged.stack.signing = None;
    forged.facts.answers.clear();
    let forged = String::from_utf8(forged.to_bytes().expect("JSON")).expect("text");
    let thief = PrivateKey::from_random(&[9; 32]);
    let plan = |more: &str| run(&elsewhere(&machine), &format!("plan --bundle {URL}{more}"));
    let verify = format!(" --verify-key {public}");
    plan(&verify).ok();
    put(&machine, "bundle.json", Some(&forged));
    refused(plan(&verify), 1, &format!("no valid signature by {public}"));
    put(&machine, "bundle.json.sig", Some(&thief.sign(forged.as_bytes())));
    refused(plan(&verify), 1, &format!("no valid signature by {public}"));
    put(&machine, "bundle.json.sig", None);
    refused(plan(&verify), 1, "it is not signed");
    let asked = elsewhere(&machine).env("DRSTACK_VERIFY_KEY", &public);
    refused(run(&asked, &format!("plan --bundle {URL}")), 1, "it is not signed");
    // Without the caller's own key the forgery passes, which is why `--verify-key` exists.
    plan("").ok();
    refused(plan(" --verify-key ed25519:00"), 64, "`--verify-key`: this is not a public key");
}

#[test]
fn keys_are_private_and_never_overwritten() {
    let machine = drstack();
    let made = machine.run(["keys", "new", "key"]).ok();
    assert!(made.stdout.starts_with("ed25519:") && made.stdout.lines().count() == 1, "{made:?}");
    let file: PathBuf = machine.folder().join("key");
    let text = std::fs::read_to_string(&file).expect("the key");
    let secret = text.trim().rsplit(':').next().expect("digits");
    assert!(!made.stdout.contains(secret) && !made.stderr.contains(secret), "{made:?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).expect("the key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    refused(machine.run(["keys", "new", "key"]), 64, "`key` exists");
    assert_eq!(std::fs::read_to_string(&file).expect("the key"), text);
    assert_eq!(machine.run(["keys", "show", "key"]).ok().stdout, made.stdout);
    let json = machine.run(["keys", "show", "key", "--json"]).ok().json();
    assert_eq!(json[0]["public"], made.stdout.trim());
    let another = machine.run(["keys", "new", "another"]).ok();
    assert_ne!(another.stdout, made.stdout);
    refused(machine.run(["keys", "new", "no/folder/key"]), 1, "cannot write `no/folder/key`");
    refused(machine.run(["keys", "show", "absent"]), 64, "`absent`: no such file");
}

#[test]
fn a_failover_is_held_against_what_was_rehearsed() {
    let machine = applied();
    let dry = |world: &Drstack| run(world, &format!("failover --bundle {URL} --dry-run")).ok();
    let said = dry(&elsewhere(&machine));
    assert!(said.stdout.contains(" expected a failover of 1 step, about "), "{said:?}");
    assert!(said.stdout.contains("  ~ pool.serving/group") && !said.stdout.contains("bundle: "), "{said:?}");
    let rehearsed =
        run(&elsewhere(&machine), &format!("failover --bundle {URL} --dry-run --json")).ok().json();
    let rehearsed =
        rehearsed.iter().position(|line| line["type"] == "rehearsed").expect("what was rehearsed");
    assert_eq!(rehearsed, 0, "before anything is looked at");

    // The pool was deleted since.
    run(&machine, "destroy s --auto-approve --target pool.serving").ok();
    let said = run(&elsewhere(&machine), &format!("failover --bundle {URL} --dry-run"));
    assert!(
        said.stdout.contains(" expected 1 step; ") && said.stdout.contains("create pool.serving/group"),
        "{said:?}"
    );

    // An older version published no rehearsal.
    let mut older = Bundle::from_bytes(published(&machine).expect("a bundle").as_bytes()).expect("read");
    older.rehearsed = None;
    put(&machine, "bundle.json", Some(&String::from_utf8(older.to_bytes().expect("JSON")).expect("text")));
    let said = dry(&elsewhere(&machine));
    assert!(!said.stdout.contains("expected") && said.stdout.contains("pool.serving/group"), "{said:?}");
}
