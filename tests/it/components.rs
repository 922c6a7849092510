//! Components as data, against moto: `tests/components/NAME/`.
//!
//! `stack.toml` uses the component. `boto.py` seeds the primary, changes it, and reads a region
//! back with boto3. `expected.json` holds the standby region after an apply, a failover and a
//! failback; `changed.json` holds it after an apply has followed the change.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::drstack::Drstack;
use crate::servers::{PRIMARY, STANDBY, Server};

/// Returns the folder of each component.
pub(crate) fn folders() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/components");
    let mut all: Vec<_> =
        std::fs::read_dir(all).expect("a folder").map(|it| it.expect("an entry").path()).collect();
    all.sort();
    all
}

/// Runs the whole life of the stack in `folder`, on a server that holds nothing of it. `run` runs
/// drstack and asserts an exit code.
pub(crate) fn live(server: &Server, machine: &Drstack, folder: &Path, run: &mut dyn FnMut(&[&str], i32)) {
    let file = |name: &str| std::fs::read_to_string(folder.join(name)).expect(name);
    let boto = |what: &str, region: &str| {
        let args = json!({ "file": folder.join("boto.py"), "do": what, "region": region });
        server.boto().run("component", &args)
    };
    let holds = |expected: &str, primary: &Value, when: &str| {
        let expected: Value = serde_json::from_str(expected).expect("JSON");
        assert_eq!(boto("read", STANDBY), expected, "{}, {when}", folder.display());
        assert_eq!(boto("read", PRIMARY), *primary, "{}: the primary, {when}", folder.display());
    };
    let (expected, changed) = (file("expected.json"), file("changed.json"));
    boto("seed", PRIMARY);
    let seeded = boto("read", PRIMARY);
    machine.write("component/stack.toml", &file("stack.toml"));
    run(&["apply", "component", "--auto-approve"], 0);
    holds(&expected, &seeded, "after an apply");
    run(&["plan", "component", "--detailed-exitcode"], 0);
    // The stack has no check of what serves.
    run(&["failover", "component", "--auto-approve"], 3);
    holds(&expected, &seeded, "after a failover");
    run(&["failback", "component", "--auto-approve"], 0);
    holds(&expected, &seeded, "after a failback");
    boto("change", PRIMARY);
    let later = boto("read", PRIMARY);
    run(&["apply", "component", "--auto-approve"], 0);
    holds(&changed, &later, "after a change");
    run(&["destroy", "component", "--auto-approve", "--delete-data", "control"], 0);
    holds(&boto("nothing", STANDBY).to_string(), &later, "after a destroy");
}

#[test]
fn every_component_stands_in_the_standby_region_as_expected_for_all_its_life() {
    for folder in folders() {
        let Some(server) = Server::moto() else { return };
        let machine = server.drstack();
        live(&server, &machine, &folder, &mut |args, code| {
            machine.run(args).code(code);
        });
    }
}
