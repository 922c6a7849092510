//! Python with moto, boto3 and botocore, for tests that need another tool.
//!
//! `tests/servers/setup` installs it. If it is absent, the test says so and passes; if `CI` is set,
//! it fails.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

/// Returns the Python that has moto, boto3 and botocore: `tests/servers/setup` installs it in `test-venv` in
/// the target folder.
pub(crate) fn python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
    let python = target.join("test-venv/bin/python");
    if python.exists() { Some(python) } else { skip_loudly("moto", &python) }
}

/// Reports on standard error, past the test harness's capture, that a test did not run. In CI that
/// is a failure.
pub(crate) fn skip_loudly(name: &str, missing: &Path) -> Option<PathBuf> {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let why = format!("{test}: needs {name}, and there is no {}", missing.display());
    assert!(std::env::var_os("CI").is_none(), "{why}; run `tests/servers/setup`");
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED {why}\n\nhint: `tests/servers/setup` brings it, `tests/run` does that and runs all tests"
    );
    None
}

/// Runs `tests/it/py/SCRIPT.py` with `python` on JSON arguments and returns the JSON that it prints.
#[track_caller]
pub(crate) fn run(python: &Path, script: &str, args: &Value, variables: &[(&str, &str)]) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/py");
    let mut child = Command::new(python)
        .arg("-B") // leaves no bytecode in the tree
        .arg(folder.join(script).with_extension("py"))
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start python");
    let mut input = child.stdin.take().expect("piped");
    input.write_all(args.to_string().as_bytes()).expect("hand over the arguments");
    drop(input);
    let output = child.wait_with_output().expect("hear python");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}.py {args}\n{said}");
    serde_json::from_slice(&output.stdout).expect("scripts print JSON")
}
