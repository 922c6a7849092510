//! Mutated files: plan files, the sim's world, and the objects of the control bucket in it.
//!
//! The program ends with an exit code of the manual and a hint, and leaves files alone that it
//! cannot read.

use drstack_core::plan_file::PlanFile;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestCaseError, TestRunner};

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

/// Runs of the whole program for each file. The parsers below are tested with thousands of
/// mutations in their own crates.
const CASES: u32 = 24;
/// The exit codes of the manual.
const CODES: [i32; 8] = [0, 1, 2, 3, 4, 64, 65, 130];
/// The files that hold the sim's world between two runs. Each run rewrites them.
const WORLD: &str = ".drstack/sim/world.json";
const LOG: &str = ".drstack/sim/world.log";

/// Replacements for a part of a file.
const PIECES: [&str; 14] = [
    "",
    "null",
    "{}",
    "[]",
    "\"\"",
    "-1",
    "1e400",
    "18446744073709551615",
    "\u{0}",
    "}",
    "\"",
    "\n",
    "9999-12-31T23:59:59Z",
    "\"state\":\"held\"",
];

/// A mutation: a part of the file is replaced.
#[derive(Clone, Debug)]
struct Slip {
    at: Index,
    length: usize,
    piece: &'static str,
}

impl Slip {
    fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let from = self.at.index(bytes.len() + 1);
        let to = (from + self.length).min(bytes.len());
        [&bytes[..from], self.piece.as_bytes(), &bytes[to..]].concat()
    }
}

fn slip() -> impl Strategy<Value = Slip> {
    let length = prop_oneof![0..20_usize, Just(usize::MAX / 2)];
    (any::<Index>(), length, select(&PIECES[..])).prop_map(|(at, length, piece)| Slip { at, length, piece })
}

/// Calls `test` with an empty file, and then with `bytes` after each of some mutations.
fn mutated(bytes: &[u8], test: impl Fn(&[u8]) -> Result<(), TestCaseError>) {
    test(b"").expect("an empty file is no other case");
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(&slip(), |slip| test(&slip.apply(bytes))).expect("no case fails");
}

/// Returns a machine with the stack in `s`, an apply of it that was killed during its steps, and a
/// plan of the rest.
fn machine() -> Drstack {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    // Observing lists every kind once; the changes come after it.
    let kill_at = drstack_kinds::resources::ALL.len() + 26;
    machine.write("sim.toml", &format!("kill_at = {kill_at}\n"));
    let killed = ["apply", "s", "--auto-approve", "--cloud", "sim", "--sim", "sim.toml"];
    machine.run(killed).code(137);
    machine.run(["unlock", "s", "--force", "--cloud", "sim"]).ok();
    machine.run(["plan", "s", "--cloud", "sim", "--out", "today.plan"]).ok();
    let plan = PlanFile::from_bytes(&read(&machine, "today.plan")).expect("a plan file");
    assert!(!plan.plan.is_empty(), "nothing is left to do");
    machine
}

fn read(machine: &Drstack, path: &str) -> Vec<u8> {
    std::fs::read(machine.folder().join(path)).unwrap_or_default()
}

fn put(machine: &Drstack, path: &str, bytes: &[u8]) {
    std::fs::write(machine.folder().join(path), bytes).expect("write");
}

/// Checks for an exit code of the manual, no panic, and a hint for every refusal.
fn ends_well(ran: &Ran) -> Result<(), TestCaseError> {
    prop_assert!(CODES.contains(&ran.code) && !ran.stderr.contains("panicked"), "{ran:?}");
    let has_way = ["hint: ", "= help: "].iter().any(|it| ran.stderr.contains(it));
    prop_assert!(ran.code == 0 || ran.code == 2 || has_way, "{ran:?}");
    Ok(())
}

#[test]
fn a_mutated_plan_file_is_applied_or_refused() {
    let machine = machine();
    let (plan, world) = (read(&machine, "today.plan"), read(&machine, WORLD));
    mutated(&plan, |bytes| {
        put(&machine, "today.plan", bytes);
        put(&machine, WORLD, &world);
        put(&machine, LOG, b"");
        let ran = machine.run(["apply", "today.plan", "--cloud", "sim"]);
        prop_assert!(bytes == plan || ran.code != 0 || ran.stdout.contains("Apply complete"), "{ran:?}");
        prop_assert_eq!(&read(&machine, "today.plan")[..], bytes);
        ends_well(&ran)?;
        ends_well(&machine.run(["show", "today.plan"]))
    });
}

/// Mutates a plan file thousands of times, without a program for each mutation.
#[test]
fn a_mutated_plan_file_is_read_whole_or_refused() {
    let machine = machine();
    let plan = read(&machine, "today.plan");
    let config = Config { cases: 5000, failure_persistence: None, ..Config::default() };
    let test = |slips: Vec<Slip>| {
        let bytes = slips.iter().fold(plan.clone(), |bytes, slip| slip.apply(&bytes));
        match PlanFile::from_bytes(&bytes) {
            Ok(file) => {
                let again = PlanFile::from_bytes(&file.to_bytes().expect("JSON")).expect("what was written");
                prop_assert_eq!(again, file);
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
        Ok(())
    };
    TestRunner::new(config).run(&proptest::collection::vec(slip(), 1..4), test).expect("no case fails");
}

#[test]
fn a_mutated_world_is_opened_or_left_as_it_was() {
    let machine = machine();
    let world = read(&machine, WORLD);
    mutated(&world, |bytes| {
        put(&machine, WORLD, bytes);
        put(&machine, LOG, b"");
        let ran = machine.run(["plan", "s", "--cloud", "sim"]);
        if ran.stderr.contains("cannot be understood") || ran.stderr.contains("has format") {
            prop_assert_eq!(&read(&machine, WORLD)[..], bytes);
        }
        ends_well(&ran)
    });
}

/// Returns the range of the object `key` of the control bucket, within a JSON string of the world.
fn object(world: &str, key: &str) -> std::ops::Range<usize> {
    let name = format!("\"{key}\":\"");
    let start = world.find(&name).unwrap_or_else(|| panic!("no {key}")) + name.len();
    let mut strings = serde_json::Deserializer::from_str(&world[start - 1..]).into_iter::<String>();
    strings.next().expect("a body").expect("a JSON string");
    start..start + strings.byte_offset() - 2
}

#[test]
fn mutated_objects_of_the_control_bucket_are_understood_or_refused_and_kept() {
    let machine = machine();
    let world = String::from_utf8(read(&machine, WORLD)).expect("text");
    for key in ["lock.json", "facts.json"] {
        let place = object(&world, key);
        let body: String = serde_json::from_str(&format!("\"{}\"", &world[place.clone()])).expect("a body");
        mutated(body.as_bytes(), |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let quoted = serde_json::Value::from(text.as_ref()).to_string();
            let inner = &quoted[1..quoted.len() - 1];
            put(&machine, WORLD, [&world[..place.start], inner, &world[place.end..]].concat().as_bytes());
            put(&machine, LOG, b"");
            for line in ["plan s", "apply s --auto-approve", "unlock s --force"] {
                let ran = machine.run(line.split(' ').chain(["--cloud", "sim"]));
                ends_well(&ran)?;
                if key == "lock.json" && line.starts_with("unlock") {
                    let again = machine.run(["apply", "s", "--auto-approve", "--cloud", "sim"]);
                    prop_assert!(!again.stderr.contains("`lock.json`"), "unlocking is no way out: {again:?}");
                } else if ran.stderr.contains("the next apply stores") {
                    // Nothing rests on facts that can be asked for again, or that the bundle has.
                } else if ran.stderr.contains("cannot be read") {
                    let now = String::from_utf8(read(&machine, WORLD)).expect("text");
                    prop_assert_eq!(&now[object(&now, key)], inner, "{}: {:?}", key, ran);
                }
            }
            Ok(())
        });
    }
}

/// An apply that has nothing else to do publishes a mutated bundle anew.
#[test]
fn a_mutated_bundle_is_refused_and_published_anew() {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    machine.run(["apply", "s", "--auto-approve", "--cloud", "sim"]).ok();
    let world = String::from_utf8(read(&machine, WORLD)).expect("text");
    let place = object(&world, "bundle.json");
    let body: String = serde_json::from_str(&format!("\"{}\"", &world[place.clone()])).expect("a body");
    let plan = ["plan", "--bundle", "s3://drstack-demo-us-west-2/demo", "--cloud", "sim"];
    mutated(body.as_bytes(), |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let quoted = serde_json::Value::from(text.as_ref()).to_string();
        let inner = &quoted[1..quoted.len() - 1];
        put(&machine, WORLD, [&world[..place.start], inner, &world[place.end..]].concat().as_bytes());
        put(&machine, LOG, b"");
        let ran = machine.run(plan);
        ends_well(&ran)?;
        prop_assert_eq!(ran.code, if text == body { 0 } else { 1 }, "{:?}", ran);
        let again = machine.run(["apply", "s", "--cloud", "sim"]);
        prop_assert_eq!(again.code, 0, "{:?}", again);
        let ran = machine.run(plan);
        prop_assert_eq!(ran.code, 0, "publishing anew is no way out: {:?}", ran);
        Ok(())
    });
}

#[test]
fn a_mutated_log_is_read_or_left_as_it_was() {
    let machine = machine();
    machine.run(["destroy", "s", "--auto-approve", "--cloud", "sim"]).ok();
    std::fs::remove_dir_all(machine.folder().join(".drstack")).expect("the world");
    machine.run(["apply", "s", "--auto-approve", "--cloud", "sim", "--sim", "sim.toml"]).code(137);
    let (world, log) = (read(&machine, WORLD), read(&machine, LOG));
    assert!(log.len() > 1000, "a killed run leaves its log");
    mutated(&log, |bytes| {
        put(&machine, WORLD, &world);
        put(&machine, LOG, bytes);
        let ran = machine.run(["plan", "s", "--cloud", "sim"]);
        if ran.stderr.contains("cannot be understood") {
            prop_assert_eq!(&read(&machine, LOG)[..], bytes);
            prop_assert_eq!(&read(&machine, WORLD), &world);
        }
        ends_well(&ran)
    });
}
