//! Runs the command of a check, with all that it starts, to its end.

use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use drstack_core::cloud::CloudError;
use futures_util::future::{Either, join, select};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Operation name of a check in errors.
const OPERATION: &str = "check";
/// Maximum bytes of a command's output that are kept, from its end: some lines for the screen.
const MOST_OUTPUT: usize = 4096;
/// Maximum lines of a command's output on the screen.
const LINES: usize = 5;
/// Time in which the output of a command that has ended is read to its end. A process that left the
/// command's group may keep the pipes open for hours.
const REST: Duration = Duration::from_millis(100);
/// Parts of the names of environment variables whose values are hidden.
const SECRET: [&str; 7] = ["ACCESS_KEY", "API_KEY", "CREDENTIAL", "PASSW", "PRIVATE", "SECRET", "TOKEN"];
/// Minimum length of a hidden value; shorter values are common words.
const SHORTEST_SECRET: usize = 6;

/// Returns that a condition does not hold yet.
pub(super) fn not_yet(message: String) -> CloudError {
    CloudError::NotYet { operation: OPERATION.to_owned(), message, output: String::new() }
}

/// Returns that a condition will never hold.
pub(super) fn never(code: &str, message: String) -> CloudError {
    CloudError::Invalid { operation: OPERATION.to_owned(), code: code.to_owned(), message }
}

/// The processes of a command: it and all that it starts. They end when this is dropped, because
/// nothing waits for them any more.
struct Group {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

impl Group {
    fn of(leader: &tokio::process::Child) -> Self {
        #[cfg(not(unix))]
        let _ = leader;
        Self {
            #[cfg(unix)]
            leader: leader
                .id()
                .and_then(|id| i32::try_from(id).ok())
                .and_then(rustix::process::Pid::from_raw),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(leader) = self.leader {
            // An error says that none of them is left.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

/// Runs a command once: the condition holds if it ends with exit code 0.
///
/// Whatever it started in its process group ends with it, also at a timeout.
pub(super) async fn run(command: &[String]) -> Result<(), CloudError> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(never("NoProgram", "the command names no program".to_owned()));
    };
    let mut child = std::process::Command::new(program);
    child.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Ctrl-C in the terminal is for drstack, which lets the command end.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut child, 0);
    let child = tokio::process::Command::from(child).kill_on_drop(true).spawn();
    let mut child =
        child.map_err(|error| never("NotStarted", format!("`{program}` cannot be started: {error}")))?;
    let group = Group::of(&child);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let ended = {
        let reading = pin!(join(read_end(stdout, &mut out), read_end(stderr, &mut err)));
        match select(pin!(child.wait()), reading).await {
            Either::Left((ended, reading)) => {
                // What it left running keeps the pipes open.
                drop(group);
                let _ = tokio::time::timeout(REST, reading).await;
                ended
            }
            Either::Right((_, ending)) => ending.await,
        }
    };
    let ended = ended.map_err(|error| not_yet(format!("`{program}`: {error}")))?;
    if ended.success() {
        return Ok(());
    }
    let how = ended
        .code()
        .map_or_else(|| "was ended by a signal".to_owned(), |code| format!("ended with exit code {code}"));
    let output = hidden(last_lines(&if err.is_empty() { out } else { err }), std::env::vars());
    let message = format!("`{program}` {how}");
    Err(CloudError::NotYet { operation: OPERATION.to_owned(), message, output })
}

/// Reads a stream, and keeps its end. Read errors are ignored, because the exit code decides.
async fn read_end(stream: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let mut part = [0; MOST_OUTPUT];
    let Some(mut stream) = stream else { return };
    while let Ok(count @ 1..) = stream.read(&mut part).await {
        kept.extend_from_slice(&part[..count]);
        kept.drain(..kept.len().saturating_sub(MOST_OUTPUT));
    }
}

/// Returns the last non-empty lines, in one line.
fn last_lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let printable =
        |line: &str| line.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned();
    let mut lines: Vec<String> =
        text.lines().rev().map(printable).filter(|line| !line.is_empty()).take(LINES).collect();
    lines.reverse();
    lines.join(" / ")
}

/// Hides the values of variables whose names suggest a secret.
fn hidden(text: String, variables: impl Iterator<Item = (String, String)>) -> String {
    let secret = |name: &str| SECRET.iter().any(|part| name.to_ascii_uppercase().contains(part));
    let values = variables.filter(|(name, value)| value.len() >= SHORTEST_SECRET && secret(name));
    values.fold(text, |text, (_, value)| text.replace(&value, "***"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the message of a failed command, and what it wrote.
    fn said(script: &str, timeout: u32) -> Option<String> {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ran = async { tokio::time::timeout(Duration::from_secs(timeout.into()), run(&command)).await };
        match runtime.block_on(ran) {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                let output = error.output().map_or_else(String::new, |it| format!(" | {it}"));
                Some(format!("{error}{output}"))
            }
            Err(_) => Some("late".to_owned()),
        }
    }

    #[test]
    fn a_command_says_by_its_exit_code_and_its_last_lines() {
        assert_eq!(said("exit 0", 10), None);
        assert_eq!(
            said("seq 9; exit 3", 10).unwrap(),
            "check does not pass: `sh` ended with exit code 3 | 5 / 6 / 7 / 8 / 9"
        );
        assert_eq!(
            said("echo out; echo why >&2; exit 1", 10).unwrap(),
            "check does not pass: `sh` ended with exit code 1 | why"
        );
        assert_eq!(said("kill -9 $$", 10).unwrap(), "check does not pass: `sh` was ended by a signal");
        let long = said("yes drstack | head -c 3000000; exit 1", 30).unwrap();
        assert!(long.len() < 200, "{long}");
    }

    /// Runs a script, whose `$F` is a file for the id of a process that it starts; waits until that
    /// process has ended, and returns what the command said.
    fn outlived(script: &str, timeout: u32) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("process");
        let said = said(&script.replace("$F", &file.display().to_string()), timeout);
        let process = std::fs::read_to_string(&file).unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", process.trim())).unwrap_or_default();
        // The signal is sent; the kernel delivers it in its own time.
        let until = std::time::Instant::now() + Duration::from_secs(10);
        while !(state().is_empty() || state().contains(") Z ")) {
            assert!(std::time::Instant::now() < until, "{}", state());
            std::thread::yield_now();
        }
        said
    }

    #[test]
    fn a_command_that_takes_too_long_is_ended_with_all_that_it_started() {
        assert_eq!(outlived("echo $$ > $F; exec sleep 600", 1).unwrap(), "late");
        assert_eq!(outlived("sleep 600 & echo $! > $F; wait", 1).unwrap(), "late");
    }

    #[test]
    fn a_command_ends_when_its_own_process_does() {
        assert_eq!(outlived("sleep 600 & echo $! > $F; exit 0", 60), None);
        let said = outlived("sleep 600 & echo $! > $F; echo why >&2; exit 1", 60).unwrap();
        assert_eq!(said, "check does not pass: `sh` ended with exit code 1 | why");
    }

    #[test]
    fn what_a_command_writes_is_in_no_record() {
        let error = CloudError::NotYet {
            operation: OPERATION.to_owned(),
            message: "ended".to_owned(),
            output: "a secret".to_owned(),
        };
        assert_eq!(error.output(), Some("a secret"));
        let recorded = format!("{error} {}", serde_json::to_string(&error).unwrap());
        assert!(!recorded.contains("secret"), "{recorded}");
    }

    #[test]
    fn a_program_that_is_not_there_never_passes() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let error = runtime.block_on(run(&["/no/such/program".to_owned()])).unwrap_err();
        assert!(matches!(&error, CloudError::Invalid { code, .. } if code == "NotStarted"), "{error}");
    }

    #[test]
    fn secrets_of_the_environment_are_not_shown() {
        let variables = [("AWS_SECRET_ACCESS_KEY", "abcdefgh"), ("HOME", "/home/me"), ("MY_TOKEN", "on")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let text = hidden("abcdefgh at /home/me is on".to_owned(), variables.into_iter());
        assert_eq!(text, "*** at /home/me is on");
    }
}
