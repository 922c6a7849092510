//! Secrets are planted where users have them, and searched for in everything that the program
//! prints and stores.

use std::path::{Path, PathBuf};

use drstack_core::cloud::sha256;

use crate::drstack::{Drstack, Ran, drstack};

/// Secrets in the user data of the stack, in its file, in a module's, and in the environment. They
/// are distinct, so that a leak shows its source.
const IN_TEXT: &str = "PLANTED-in-text-4f9a";
const IN_FILE: &str = "PLANTED-in-file-77c1";
const IN_MODULE: &str = "PLANTED-in-module-b2d8";
const IN_KEY: &str = "PLANTED-in-key-09ee";
const IN_TOKEN: &str = "PLANTED-in-token-5a31";
const IN_VARIABLE: &str = "PLANTED-in-variable-c6f0";
/// The common prefix of all secrets.
const PLANTED: &str = "PLANTED";
/// The prefix of all user data as EC2 receives it: `#!/bin/sh` in base64.
const ENCODED: &str = "IyEvYmluL3No";

/// The exit code of a program that `kill -9` ends.
const KILLED: i32 = 137;
/// More calls than the stack's apply makes.
const MOST_CALLS: usize = 600;

fn stack() -> String {
    format!(
        r#"
[stack]
name = "demo"
primary = "us-east-1"
standby = "us-west-2"
posture = "warm"

[network.standby]
cidr = "10.64.0.0/16"

[pool.text]
follows = "text"
network = "@network.standby"
user_data = """
{}"""

[pool.file]
follows = "file"
network = "@network.standby"
user_data_file = "boot.sh"

[module.m]
source = "m"
network = "@network.standby"
"#,
        script(IN_TEXT)
    )
}

fn module() -> String {
    format!(
        "[inputs]\nnetwork = {{ type = \"string\" }}\n[pool.inner]\nfollows = \"inner\"\nnetwork = \"${{input.network}}\"\n\
         user_data = '''\n{}'''\n",
        script(IN_MODULE)
    )
}

fn script(secret: &str) -> String {
    format!("#!/bin/sh\nexport TOKEN={secret}\n")
}

/// Returns a machine with the stack in `s`, secrets in the environment, and all logs on.
fn machine() -> Drstack {
    let machine = drstack()
        .env("AWS_ACCESS_KEY_ID", IN_KEY)
        .env("AWS_SECRET_ACCESS_KEY", IN_KEY)
        .env("AWS_SESSION_TOKEN", IN_TOKEN)
        .env("DATABASE_PASSWORD", IN_VARIABLE)
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "full");
    machine.write("s/stack.toml", &stack());
    machine.write("s/boot.sh", &script(IN_FILE));
    machine.write("s/m/module.toml", &module());
    machine.write("soon.toml", "between_runs = \"1s\"\n");
    machine
}

/// Returns the files below `folder`, without the stack's own.
fn kept(folder: &Path, machine: &Drstack) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|it| it.expect("an entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let others = folders.iter().filter(|path| **path != machine.folder().join("s"));
    files.into_iter().chain(others.flat_map(|path| kept(path, machine))).collect()
}

#[track_caller]
fn clean(text: &str, place: &str) {
    for secret in [PLANTED, ENCODED] {
        let found = text.lines().find(|line| line.contains(secret));
        assert!(found.is_none(), "{secret} in {place}: {found:?}");
    }
}

/// Asserts that neither the output nor any file contains a secret.
#[track_caller]
fn leaks_nothing(machine: &Drstack, ran: &Ran) {
    clean(&ran.stdout, "stdout");
    clean(&ran.stderr, "stderr");
    for path in kept(machine.folder(), machine) {
        let bytes = std::fs::read(&path).expect("a file");
        clean(&String::from_utf8_lossy(&bytes), &path.display().to_string());
    }
}

/// Runs the words of `line` on the sim, with and without `--json`, and asserts that nothing leaks.
#[track_caller]
fn run(machine: &Drstack, line: &str) -> Ran {
    let words = || line.split(' ').chain(["--cloud", "sim"]);
    leaks_nothing(machine, &machine.run(words().chain(["--json"])));
    let ran = machine.run(words());
    leaks_nothing(machine, &ran);
    ran
}

fn world(machine: &Drstack) -> String {
    std::fs::read_to_string(machine.folder().join(".drstack/sim/world.json")).expect("world.json")
}

#[test]
fn no_command_says_or_keeps_a_secret() {
    let machine = machine();
    for line in ["init new", "validate s", "graph s", "plan s --out today.plan", "plan s --mode active"] {
        run(&machine, line);
    }
    let ran = machine.run(["apply", "today.plan", "--cloud", "sim"]).ok();
    leaks_nothing(&machine, &ran);
    for line in ["plan s", "apply s --auto-approve", "unlock s", "graph s"] {
        run(&machine, line).ok();
    }
    let kept = world(&machine);
    for secret in [IN_TEXT, IN_FILE, IN_MODULE] {
        let hash = sha256(script(secret).as_bytes());
        assert!(kept.contains(&hash), "the user data of {secret} was never used");
    }
    run(&machine, "destroy s --auto-approve").ok();
}

#[test]
fn no_failure_says_a_secret() {
    let faults = [
        "throttled",
        "denied",
        "expired",
        "untrusted",
        "internal",
        "no-capacity",
        "quota",
        "timeout-after-effect",
        "partial",
    ];
    for fault in faults {
        let machine = machine();
        let kind = "[[faults]]\nkind = \"launch-template\"\noperation = \"create\"\n";
        machine.write("sim.toml", &format!("{kind}error = \"{fault}\"\n"));
        let ran = run(&machine, "apply s --auto-approve --sim sim.toml");
        // The second run finds a change whose answer was lost.
        assert_eq!(ran.code == 0, fault == "timeout-after-effect", "{fault}: {ran:?}");
        assert!(ran.code == 0 || ran.stderr.contains("hint: "), "{fault}: {ran:?}");
    }
}

#[test]
fn no_killed_run_leaves_a_secret() {
    for (killed, call) in (1..MOST_CALLS).step_by(11).enumerate() {
        let machine = machine();
        machine.write("sim.toml", &format!("kill_at = {call}\n"));
        let ran = machine.run(["apply", "s", "--auto-approve", "--cloud", "sim", "--sim", "sim.toml"]);
        leaks_nothing(&machine, &ran);
        if ran.code == 0 {
            assert!(killed > 5, "{killed} runs were killed");
            return;
        }
        ran.code(KILLED);
        run(&machine, "unlock s --force --sim soon.toml").ok();
    }
    panic!("an apply makes more than {MOST_CALLS} calls");
}

/// A problem shows its line. A problem of user data shows no other line of it.
#[test]
fn what_is_wrong_beside_a_secret_is_shown_without_it() {
    let wrong = [
        ("export TOKEN=", "export HOME=${HOME}\nexport TOKEN="),
        ("user_data_file = \"boot.sh\"", "user_data_file = \"boot.sh\"\nuser_data = \"\"\"\n#\"\"\""),
        ("user_data_file = \"boot.sh\"", "user_data_file = \"../s\""),
        ("follows = \"file\"", "follws = \"file\""),
        ("network = \"@network.standby\"", "network = \"@network.stndby\""),
    ];
    for (good, bad) in wrong {
        let machine = machine();
        machine.write("s/stack.toml", &stack().replace(good, bad));
        run(&machine, "validate s").code(65);
        run(&machine, "apply s --auto-approve").code(65);
    }
    let machine = machine();
    machine.write("s/boot.sh", &format!("{}{}", script(IN_FILE), "x".repeat(16 * 1024)));
    run(&machine, "validate s").code(65);
}

#[test]
fn rust_log_tells_what_is_done_on_stderr_and_nothing_is_told_without_it() {
    let silent = drstack();
    silent.write("s/stack.toml", &stack());
    silent.write("s/boot.sh", &script(IN_FILE));
    silent.write("s/m/module.toml", &module());
    let plain = silent.run(["plan", "s", "--cloud", "sim"]).ok();
    assert!(!plain.stderr.contains("DEBUG"), "{plain:?}");

    let told = silent.env("RUST_LOG", "drstack=debug");
    let ran = told.run(["plan", "s", "--cloud", "sim"]).ok();
    assert_eq!(ran.stdout, plain.stdout);
    for line in ["loaded the stack", "compiled", "observed", "address=pool.text/launch-template", "planned"] {
        assert!(ran.stderr.contains(line), "no `{line}` in {ran:?}");
    }
    let ran = told.env("RUST_LOG", "drstack=loud").run(["validate", "s"]).ok();
    assert!(ran.stderr.contains("write `RUST_LOG=drstack=debug`"), "{ran:?}");
}
