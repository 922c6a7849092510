//! Evaluates checks: one attempt on a web server, a table, an object, or a command.
//!
//! A condition that does not hold yet is a [`CloudError::NotYet`], which the engine retries. A
//! failure that time does not remove is another error.

mod web;

pub(crate) use web::answer;

use std::collections::{BTreeMap, HashMap};
use std::process::Stdio;
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, TableStatus};
use drstack_core::cloud::CloudError;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::aws::{Target, chain, has_code};
use crate::services::checks::check::{CheckSpec, KeyValue, Probe};
use crate::services::dynamodb::calls as dynamodb;

/// Operation name of a check in errors.
const OPERATION: &str = "check";
/// Maximum bytes of a command's output that are kept, from its end: some lines for an error
/// message.
const MOST_OUTPUT: usize = 4096;
/// Maximum lines of a command's output in an error message.
const LINES: usize = 5;
/// Attribute of an item that holds the time of the last write by a check.
const CHECKED: &str = "drstack_checked";
/// Parts of the names of environment variables whose values are hidden.
const SECRET: [&str; 7] = ["ACCESS_KEY", "API_KEY", "CREDENTIAL", "PASSW", "PRIVATE", "SECRET", "TOKEN"];
/// Minimum length of a hidden value; shorter values are common words.
const SHORTEST_SECRET: usize = 6;

/// Evaluates a check once.
pub(crate) async fn look(at: &Target<'_>, spec: &CheckSpec) -> Result<(), CloudError> {
    let attempt = async {
        match &spec.probe {
            Probe::Http { url, status, contains } => web::http(url, *status, contains.as_deref()).await,
            Probe::Answer { url, host } => web::answer(url, host).await,
            Probe::Table { name, item, writable } => table(at, name, item, *writable).await,
            Probe::Object { bucket, key, sha256 } => object(at, bucket, key, sha256).await,
            Probe::Command(command) => run(command).await,
        }
    };
    let late = || not_yet(format!("{} took longer than {} s", subject(&spec.probe), spec.timeout));
    tokio::time::timeout(Duration::from_secs(spec.timeout.into()), attempt)
        .await
        .unwrap_or_else(|_| Err(late()))
}

fn subject(probe: &Probe) -> String {
    match probe {
        Probe::Http { url, .. } => format!("`{}`", web::plain(url)),
        Probe::Answer { url, host } => format!("`{}` at `{host}`", web::plain(url)),
        Probe::Table { name, .. } => format!("table `{name}`"),
        Probe::Object { bucket, key, .. } => format!("`{key}` of `{bucket}`"),
        Probe::Command(command) => format!("`{}`", command.first().map_or("", String::as_str)),
    }
}

fn not_yet(message: String) -> CloudError {
    CloudError::NotYet { operation: OPERATION.to_owned(), message }
}

fn never(code: &str, message: String) -> CloudError {
    CloudError::Invalid { operation: OPERATION.to_owned(), code: code.to_owned(), message }
}

async fn table(
    at: &Target<'_>,
    name: &str,
    item: &BTreeMap<String, KeyValue>,
    writable: bool,
) -> Result<(), CloudError> {
    let status = dynamodb::table(at, name).await?.map(|it| it.table_status);
    match status {
        None => return Err(not_yet(format!("there is no table `{name}` in {}", at.region))),
        // A table that is being updated serves as before.
        Some(Some(TableStatus::Active | TableStatus::Updating)) => {}
        Some(other) => {
            let status = other.map_or_else(String::new, |it| it.as_str().to_owned());
            return Err(not_yet(format!("table `{name}` is {status}")));
        }
    }
    if item.is_empty() {
        return Ok(());
    }
    let value = |it: &KeyValue| match it {
        KeyValue::Text(text) => AttributeValue::S(text.clone()),
        KeyValue::Number(number) => AttributeValue::N(number.to_string()),
    };
    let key: HashMap<String, AttributeValue> =
        item.iter().map(|(name, it)| (name.clone(), value(it))).collect();
    let now = AttributeValue::S(Timestamp::now().to_string());
    if writable {
        let update = at.dynamodb().update_item().table_name(name).set_key(Some(key.clone()));
        let update =
            update.update_expression("SET #checked = :now").expression_attribute_names("#checked", CHECKED);
        let written = update.expression_attribute_values(":now", now.clone()).send().await;
        written.map_err(|error| at.failed("dynamodb:UpdateItem", error))?;
    }
    let get = at.dynamodb().get_item().table_name(name).set_key(Some(key)).consistent_read(true);
    let found = get.send().await.map_err(|error| at.failed("dynamodb:GetItem", error))?.item;
    match found {
        None => Err(not_yet(format!("table `{name}` has no such item yet"))),
        // Two concurrent runs write the same item; either write is proof.
        Some(found) if writable && !found.contains_key(CHECKED) => {
            Err(not_yet(format!("table `{name}` does not keep what is written")))
        }
        Some(_) => Ok(()),
    }
}

async fn object(at: &Target<'_>, bucket: &str, key: &str, sha256: &str) -> Result<(), CloudError> {
    let answer = match at.s3().get_object().bucket(bucket).key(key).send().await {
        Ok(answer) => answer,
        Err(error) if has_code(&error, &["NoSuchKey", "NoSuchBucket"]) => {
            return Err(not_yet(format!("there is no `{key}` in `{bucket}` yet")));
        }
        Err(error) => return Err(at.failed("s3:GetObject", error)),
    };
    let (mut body, mut hash) = (answer.body, Sha256::new());
    loop {
        let part = body.try_next().await;
        match part.map_err(|error| not_yet(format!("`{key}` of `{bucket}` broke off: {}", chain(&error))))? {
            Some(part) => hash.update(&part),
            None => break,
        }
    }
    let seen: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    match seen == sha256 {
        true => Ok(()),
        // A lost primary sends no newer object, and reading gigabytes again and again would not
        // help.
        false => {
            Err(never("OtherContent", format!("`{key}` of `{bucket}` has the SHA-256 {seen}, not {sha256}")))
        }
    }
}

async fn run(command: &[String]) -> Result<(), CloudError> {
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
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (out, err, ended) = tokio::join!(end_of(out), end_of(err), child.wait());
    let ended = ended.map_err(|error| not_yet(format!("`{program}`: {error}")))?;
    if ended.success() {
        return Ok(());
    }
    let how = ended
        .code()
        .map_or_else(|| "was ended by a signal".to_owned(), |code| format!("ended with exit code {code}"));
    let last = hidden(last_lines(&if err.is_empty() { out } else { err }), std::env::vars());
    let says = if last.is_empty() { String::new() } else { format!(": {last}") };
    Err(not_yet(format!("`{program}` {how}{says}")))
}

/// Reads the end of a stream. Read errors are ignored, because the exit code decides.
async fn end_of(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let (mut kept, mut part) = (Vec::new(), [0; MOST_OUTPUT]);
    let Some(mut stream) = stream else { return kept };
    while let Ok(count @ 1..) = stream.read(&mut part).await {
        kept.extend_from_slice(&part[..count]);
        kept.drain(..kept.len().saturating_sub(MOST_OUTPUT));
    }
    kept
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

    /// Returns the message of a failed command.
    fn said(script: &str, timeout: u32) -> Option<String> {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ran = async { tokio::time::timeout(Duration::from_secs(timeout.into()), run(&command)).await };
        match runtime.block_on(ran) {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("late".to_owned()),
        }
    }

    #[test]
    fn a_command_says_by_its_exit_code_and_its_last_lines() {
        assert_eq!(said("exit 0", 10), None);
        assert_eq!(
            said("seq 9; exit 3", 10).unwrap(),
            "check does not pass: `sh` ended with exit code 3: 5 / 6 / 7 / 8 / 9"
        );
        assert_eq!(
            said("echo out; echo why >&2; exit 1", 10).unwrap(),
            "check does not pass: `sh` ended with exit code 1: why"
        );
        assert_eq!(said("kill -9 $$", 10).unwrap(), "check does not pass: `sh` was ended by a signal");
        let long = said("yes drstack | head -c 3000000; exit 1", 30).unwrap();
        assert!(long.len() < 200, "{long}");
    }

    #[test]
    fn a_command_that_takes_too_long_is_ended() {
        let folder = std::env::temp_dir().join(format!("drstack-check-{}", std::process::id()));
        let script = format!("echo $$ > {}; exec sleep 600", folder.display());
        assert_eq!(said(&script, 1).unwrap(), "late");
        let process = std::fs::read_to_string(&folder).unwrap();
        std::fs::remove_file(&folder).unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", process.trim())).unwrap_or_default();
        // The signal is sent; the kernel delivers it in its own time.
        let until = std::time::Instant::now() + Duration::from_secs(10);
        while !(state().is_empty() || state().contains(") Z ")) {
            assert!(std::time::Instant::now() < until, "{}", state());
            std::thread::yield_now();
        }
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
