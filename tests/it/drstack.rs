//! Runs the built program the way a user does, in a home and a folder of its own.

use std::fmt::{self, Debug, Formatter};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::events::refusals;
use tempfile::TempDir;

/// Time limit of one command. An apply of everything against a local server takes seconds.
const COMMAND_LIMIT: Duration = Duration::from_secs(240);
/// Interval between two checks that the command has ended: below what a person would notice.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A user's machine: a home, a working folder and an environment. All of it is deleted with it.
pub(crate) struct Drstack {
    home: TempDir,
    env: Vec<(String, String)>,
}

/// Creates a fresh machine without an account: only `--cloud sim` works on it.
pub(crate) fn drstack() -> Drstack {
    Drstack { home: tempfile::tempdir().expect("temporary folder"), env: Vec::new() }
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("NO_COLOR", "1")
}

impl Drstack {
    /// Returns this machine with credentials, and `endpoint` for all of AWS.
    #[cfg(feature = "aws")]
    pub(crate) fn at(self, endpoint: &str, region: &str) -> Self {
        self.env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", region)
    }

    /// Returns this machine with one more environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The folder that commands run in.
    pub(crate) fn folder(&self) -> &Path {
        self.home.path()
    }

    /// Returns the objects of the simulated world, by kind, region and id.
    pub(crate) fn objects(&self) -> Value {
        let path = self.folder().join(".drstack/sim/world.json");
        let world: Value = serde_json::from_slice(&std::fs::read(path).expect("a world")).expect("JSON");
        world["world"]["objects"].clone()
    }

    /// Writes a file below the working folder, with its folders, and returns its whole path.
    pub(crate) fn write(&self, path: &str, text: &str) -> PathBuf {
        let file = self.folder().join(path);
        let parent = file.parent().expect("a file has a folder");
        std::fs::create_dir_all(parent).expect("make the folder");
        std::fs::write(&file, text).expect("write the file");
        file
    }

    /// Runs `drstack ARGS...` to its end.
    pub(crate) fn run<I>(&self, args: I) -> Ran
    where
        I: IntoIterator,
        I::Item: AsRef<std::ffi::OsStr>,
    {
        end(self.command(args))
    }

    /// Runs `drstack ARGS...` with at most `mib` of memory.
    pub(crate) fn run_within(&self, mib: u64, args: &[&str]) -> Ran {
        let mut command = Command::new("sh");
        let limit = (mib * 1024).to_string();
        command.args(["-c", "ulimit -v $0 && exec \"$@\"", &limit, env!("CARGO_BIN_EXE_drstack")]);
        command.args(args);
        end(self.dressed(command))
    }

    /// Returns the command that [`run`](Self::run) runs, for tests that signal it or kill it.
    pub(crate) fn command<I>(&self, args: I) -> Command
    where
        I: IntoIterator,
        I::Item: AsRef<std::ffi::OsStr>,
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drstack"));
        command.args(args);
        self.dressed(command)
    }

    /// Adds this machine's home, folder and environment to the command.
    fn dressed(&self, mut command: Command) -> Command {
        command
            .current_dir(self.folder())
            .env_clear()
            .env("HOME", self.folder())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// Runs `command` to its end.
fn end(mut command: Command) -> Ran {
    let mut child = command.spawn().expect("start drstack");
    let stdout = read_all(child.stdout.take().expect("piped"));
    let stderr = read_all(child.stderr.take().expect("piped"));
    let deadline = Instant::now() + COMMAND_LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().expect("look after drstack") {
            break Some(status);
        }
        if Instant::now() > deadline {
            child.kill().expect("kill drstack");
            child.wait().expect("bury drstack");
            break None;
        }
        thread::sleep(LOOK_EVERY);
    };
    let ran = Ran {
        code: status.and_then(|status| status.code()).unwrap_or(-1),
        stdout: stdout.join().expect("reader"),
        stderr: stderr.join().expect("reader"),
    };
    assert!(status.is_some(), "drstack did not end within {COMMAND_LIMIT:?}\n{ran:?}");
    ran
}

/// The result of a command.
pub(crate) struct Ran {
    /// Exit code; -1 if a signal ended it.
    pub(crate) code: i32,
    /// Results.
    pub(crate) stdout: String,
    /// Everything else.
    pub(crate) stderr: String,
}

impl Ran {
    /// Asserts an exit code. A failure shows the program's output.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n{self:?}");
        self
    }

    /// Asserts success.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.code(0)
    }

    /// Asserts a complete failover of a stack without a check of what serves.
    #[track_caller]
    pub(crate) fn unasked(self) -> Self {
        let ran = self.code(3);
        assert!(ran.stderr.contains("this is no recovery yet"), "{ran:?}");
        ran
    }

    /// Returns the objects of `--json`, one per line. Each has to match
    /// `schemas/events.schema.json`.
    #[track_caller]
    pub(crate) fn json(&self) -> Vec<Value> {
        let parse = |line| {
            let value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in `{line}`\n{self:?}"));
            let refused = refusals(&value);
            assert!(refused.is_empty(), "`{line}` does not fit schemas/events.schema.json:\n{refused}");
            value
        };
        self.stdout.lines().map(parse).collect()
    }
}

impl Debug for Ran {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "--- code {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// Reads a pipe to its end on a thread of its own, so that a full pipe never blocks the program.
fn read_all(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("read the pipe");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[test]
fn a_command_runs_in_its_own_home() {
    let machine = drstack().env("DRSTACK_TEST", "1");
    assert!(machine.write("stack/stack.toml", "").starts_with(machine.folder()));
    let ran = machine.run(["--version"]);
    assert!(ran.stderr.is_empty(), "{ran:?}");
    ran.ok();
    let line = "{\"version\":2,\"type\":\"lock\",\"state\":\"free\"}\n";
    let ran = Ran { code: 0, stdout: line.repeat(2), stderr: String::new() };
    assert_eq!(
        ran.json(),
        [1, 2].map(|_| serde_json::json!({"version": 2, "type": "lock", "state": "free"}))
    );
}
