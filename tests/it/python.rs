//! Python with moto, boto3 and botocore, for tests that need another tool.
//!
//! `tests/servers/setup` installs it. If it is absent, the test says so and passes; if `CI` is set,
//! it fails.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde_json::{Map, Value, json};

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
    let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut worker = idle.unwrap_or_else(|| Worker::start(python));
    let variables: Map<_, _> = variables.iter().map(|(name, value)| ((*name).into(), json!(value))).collect();
    let file = scripts().join(script).with_extension("py");
    let mut said = worker.answer(&json!({ "script": file, "args": args, "variables": variables }));
    if let Some(why) = said["failed"].as_str() {
        panic!("{script}.py {args}\n{why}");
    }
    IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
    said["printed"].take()
}

/// Workers that run nothing: tests share them, as loading boto3 takes longer than most scripts.
static IDLE: Mutex<Vec<Worker>> = Mutex::new(Vec::new());

/// A process of `tests/it/py/worker.py`. It ends when its input closes, also if the tests are
/// killed.
struct Worker {
    process: Child,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    fn start(python: &Path) -> Self {
        let mut process = Command::new(python)
            .arg("-B") // leaves no bytecode in the tree
            .arg(scripts().join("worker.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start python");
        let answers = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, answers }
    }

    fn answer(&mut self, asked: &Value) -> Value {
        let input = self.process.stdin.as_mut().expect("piped");
        writeln!(input, "{asked}").expect("hand over the arguments");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("hear python");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("no answer to {asked}: {error}\n{line}"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/py")
}
