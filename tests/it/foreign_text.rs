//! What others can write into the control bucket reaches no terminal as it is.

use serde_json::{Value, json};

use crate::drstack::drstack;

const WORLD: &str = ".drstack/sim/world.json";

#[test]
fn no_terminal_obeys_what_a_lock_record_says() {
    let machine = drstack();
    machine.write("s/stack.toml", &crate::reservations::one_pool(""));
    machine.run(["apply", "s", "--auto-approve", "--cloud", "sim"]).ok();
    let hostile = "\u{1b}[2J\u{1b}]0;x\u{7}\nUnlocked.\u{202e}\u{9b}1m";
    let lock = json!({
        "state": "held", "owner": hostile, "host": hostile, "purpose": "apply", "run": "run-1", "epoch": 2,
        "since": "2026-11-29T00:00:00Z", "until": "2126-11-29T00:00:00Z",
    });
    let path = machine.folder().join(WORLD);
    let mut world: Value = serde_json::from_slice(&std::fs::read(&path).expect("a world")).expect("JSON");
    world["world"]["buckets"]["acme-control"]["objects"]["lock.json"] = Value::from(lock.to_string());
    machine.write(WORLD, &world.to_string());
    for line in
        ["destroy s --auto-approve", "destroy s --auto-approve --json", "unlock s", "unlock s --force --json"]
    {
        let ran = machine.run(line.split(' ').chain(["--cloud", "sim"]));
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("[2J"), "{line} names the holder: {ran:?}");
        let obeyed = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
        assert!(!said.contains(obeyed) && !said.contains("\nUnlocked.\\u{202e}"), "{line}: {said:?}");
    }
}
