//! F15: what drstack writes arrives, or the command fails; and a key that others may use is none.

#![cfg(target_os = "linux")]

use std::fs::{File, Permissions};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::process::{Command, Stdio};

use crate::drstack::drstack;

/// Runs the command with a full disk for its results.
fn on_a_full_disk(mut command: Command) -> (i32, String) {
    let full = File::options().write(true).open("/dev/full").expect("/dev/full");
    let ran = command.stdout(full).stderr(Stdio::piped()).output().expect("run drstack");
    (ran.status.code().expect("an exit code"), String::from_utf8_lossy(&ran.stderr).into_owned())
}

/// F15
#[test]
fn results_that_do_not_fit_on_the_disk_are_no_success() {
    let machine = drstack();
    machine.run(["init", "demo"]).ok();
    let sim = ["--cloud", "sim"];
    let commands: [&[&str]; 12] = [
        &["--help"],
        &["--version"],
        &["schema"],
        &["kinds"],
        &["kinds", "--json"],
        &["explain", "DR201"],
        &["completions", "bash"],
        &["man"],
        &["validate", "demo"],
        &["iam-policy", "--role", "read"],
        &["graph", "demo", sim[0], sim[1]],
        &["plan", "demo", "--detailed-exitcode", sim[0], sim[1]],
    ];
    for args in commands {
        let (code, stderr) = on_a_full_disk(machine.command(args));
        assert_eq!(code, 1, "{args:?}: {stderr}");
        let sentence = "error: cannot write the results to stdout: No space left on device";
        assert!(stderr.contains(sentence) && stderr.contains("hint: "), "{args:?}: {stderr}");
    }
    // A failure keeps its own code, and a reader that has seen enough is none.
    assert_eq!(on_a_full_disk(machine.command(["validate", "absent", "--json"])).0, 65);
    let mut reading = machine.command(["schema"]).stdout(Stdio::piped()).spawn().expect("start drstack");
    drop(reading.stdout.take());
    assert_eq!(reading.wait().expect("wait for drstack").code(), Some(0));
}

/// F15
#[test]
fn a_device_in_the_place_of_a_file_is_written_to_and_stays() {
    let machine = drstack();
    machine.run(["init", "demo"]).ok();
    let ran = machine.run(["plan", "demo", "--cloud", "sim", "--out", "/dev/full"]).code(1);
    assert!(ran.stderr.contains("cannot write `/dev/full`: No space left on device"), "{ran:?}");
    assert!(std::fs::metadata("/dev/full").expect("/dev/full").file_type().is_char_device());
    let machine = drstack();
    machine.run(["init", "demo"]).ok();
    let ran = machine.run(["apply", "demo", "--cloud", "sim", "--auto-approve", "--timings", "no/t.svg"]);
    assert!(ran.code(64).stderr.contains("cannot write `no/t.svg`: no such folder"));
    assert!(!machine.folder().join(".drstack").exists(), "the apply had begun");
}

/// F15
#[test]
fn a_private_key_that_others_may_use_is_refused() {
    let machine = drstack();
    machine.run(["keys", "new", "key"]).ok();
    machine.run(["init", "demo"]).ok();
    let mode = |mode| {
        std::fs::set_permissions(machine.folder().join("key"), Permissions::from_mode(mode)).expect("chmod");
    };
    for (bits, shown) in [(0o666, "0666"), (0o640, "0640"), (0o604, "0604")] {
        mode(bits);
        let apply = ["apply", "demo", "--cloud", "sim", "--auto-approve", "--signing-key", "key"];
        for args in [&["keys", "show", "key"][..], &apply] {
            let ran = machine.run(args).code(64);
            let sentence = format!("`key`: a private key that others may use (mode {shown})");
            assert!(ran.stderr.contains(&sentence), "{ran:?}");
            assert!(ran.stderr.contains("run `chmod 600 key`"), "{ran:?}");
        }
    }
    mode(0o400);
    machine.run(["keys", "show", "key"]).ok();
}

/// Nobody may ever write into a pipe: whoever opened it would wait for good.
#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_a_file_is_refused_at_once() {
    let machine = drstack();
    std::fs::create_dir_all(machine.folder().join("s")).expect("a folder");
    let made = std::process::Command::new("mkfifo").arg(machine.folder().join("s/stack.toml")).status();
    assert!(made.expect("run mkfifo").success());
    let refused = machine.run(["validate", "s"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    assert!(refused.stderr.contains("it is a pipe, and not a file"), "{refused:?}");
}
