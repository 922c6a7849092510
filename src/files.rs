//! Files of the user: stacks, inputs, plan files.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use drstack_app::accepted::quoted;
use drstack_app::failure::Status;
use drstack_core::keys::PrivateKey;
use drstack_core::plan_file::{PlanFile, PlanFileError};
use drstack_core::stack::{FileError, InputValue, InputValues, Origin, Outside, ReadFiles};

use crate::args::StackArgs;
use crate::exit::Failure;

/// Prefix of environment variables that give inputs.
const INPUT_PREFIX: &str = "DRSTACK_INPUT_";

/// The file system, as the loader reads it.
pub(crate) struct Disk;

/// Largest text file that is read, in MiB. A stack of ten thousand components is smaller by far.
/// Reading a file that is no stack, such as a model or `/dev/zero`, ends here.
const MOST_TEXT: u64 = 8;
/// Largest plan file, in MiB: ten thousand components with ten steps each, a kilobyte per step, and
/// as much again.
const MOST_PLAN: u64 = 256;

/// Returns the bytes of the file at `path`, at most `most` MiB.
fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let limit = most * 1024 * 1024;
    let mut bytes = Vec::new();
    // Nobody may ever write into a pipe: to open one would wait for that.
    if is_pipe(path) {
        return Err(FileError::Other("it is a pipe, and not a file".to_owned()));
    }
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 > limit => Err(FileError::Large(most)),
        Ok(_) => Ok(bytes),
        Err(error) => Err(match error.kind() {
            ErrorKind::NotFound => FileError::Missing,
            ErrorKind::IsADirectory => FileError::Folder,
            ErrorKind::NotADirectory => FileError::NoFolder,
            ErrorKind::PermissionDenied => FileError::Denied,
            _ => FileError::Other(error.to_string()),
        }),
    }
}

#[cfg(unix)]
fn is_pipe(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    // What the shell passes as `<(command)` has a writer.
    let is_named = !path.starts_with("/dev") && !path.starts_with("/proc");
    is_named && std::fs::metadata(path).is_ok_and(|it| it.file_type().is_fifo())
}

#[cfg(not(unix))]
fn is_pipe(_: &Path) -> bool {
    false
}

/// Returns the plan file at `path`.
pub(crate) fn plan_file(path: &Path) -> Result<PlanFile, Failure> {
    let bytes = bytes(path, MOST_PLAN).map_err(|error| {
        let message = format!("cannot read `{}`: {error}", path.display());
        let usual = "name a plan file that `drstack plan STACK --out FILE` has written";
        Failure::new(Status::Usage, message, error.hint(usual))
    })?;
    PlanFile::from_bytes(&bytes).map_err(|error: PlanFileError| {
        let hint = "make it again with `drstack plan STACK --out FILE`";
        Failure::new(Status::Usage, format!("`{}`: {error}", path.display()), hint)
    })
}

/// Returns the private key in the file at `path`.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKey, Failure> {
    let usual = "name a file that `drstack keys new FILE` has written";
    let fail = |message: String, hint: String| {
        Failure::new(Status::Usage, format!("`{}`: {message}", path.display()), hint)
    };
    expect_private(path)?;
    let text = bytes(path, MOST_TEXT).map_err(|error| fail(error.to_string(), error.hint(usual)))?;
    let key = std::str::from_utf8(&text).map_err(|_| "it is not text".to_owned());
    let key = key.and_then(|text| PrivateKey::from_text(text).map_err(|error| error.to_string()));
    key.map_err(|message| fail(message, usual.to_owned()))
}

/// Fails if others may read or write the file of a private key, as ssh does: who holds the key
/// decides what a failover starts.
#[cfg(unix)]
fn expect_private(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    // A pipe belongs to the process that opened it; a missing file is reported where it is read.
    let Some(found) = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file) else { return Ok(()) };
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let path = path.display();
    let message = format!("`{path}`: a private key that others may use (mode {mode:04o})");
    let hint = format!(
        "run `chmod 600 {}`; if others could read it, make a new key: `drstack keys new FILE`",
        quoted(&path.to_string())
    );
    Err(Failure::new(Status::Usage, message, hint))
}

#[cfg(not(unix))]
fn expect_private(_: &Path) -> Result<(), Failure> {
    Ok(())
}

/// Writes a private key that only the user can read. It never overwrites a file, and leaves no part
/// of a key behind.
pub(crate) fn write_key(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let written = std::io::Write::write_all(&mut file, text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // The error that is reported is the first one.
        let _ = std::fs::remove_file(path);
    }
    written
}

impl ReadFiles for Disk {
    fn read(&self, path: &Path) -> Result<String, FileError> {
        let bytes = bytes(path, MOST_TEXT)?;
        String::from_utf8(bytes).map_err(|error| {
            let good = error.utf8_error().valid_up_to();
            let line = line_of(error.as_bytes(), good);
            FileError::NotText { line }
        })
    }
}

/// Returns the line number of the byte `at`.
fn line_of(text: &[u8], at: usize) -> usize {
    text.iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

/// Returns the stack file that `stack` names: a folder or the file itself.
pub(crate) fn entry(stack: &Path) -> PathBuf {
    if stack.is_dir() { stack.join("stack.toml") } else { stack.to_path_buf() }
}

/// Returns the values of inputs: from the environment, the file and the command line, where the
/// later one wins.
pub(crate) fn inputs(args: &StackArgs) -> Result<InputValues, Failure> {
    let mut values: InputValues = std::env::vars()
        .filter_map(|(name, value)| {
            let input = name.strip_prefix(INPUT_PREFIX)?.to_owned();
            let (value, origin) = (InputValue::Text(value), Origin::Environment(name));
            Some((input, Outside { value, origin }))
        })
        .collect();
    if let Some(path) = &args.inputs {
        let fail = |message: String, hint: String| {
            Failure::new(Status::Usage, format!("`{}`: {message}", path.display()), hint)
        };
        let usual = "name a TOML file, with one `name = value` a line";
        let text = Disk.read(path).map_err(|error| fail(error.to_string(), error.hint(usual)))?;
        let fail = |message: String| fail(message, "write it as TOML, one `name = value` a line".to_owned());
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map(|span| line_of(text.as_bytes(), span.start));
            fail(format!("line {}: {}", line.unwrap_or(1), error.message()))
        })?;
        for (name, value) in table {
            let value = serde_json::to_value(value).map_err(|error| fail(error.to_string()))?;
            values.insert(
                name,
                Outside { value: InputValue::Value(value), origin: Origin::File(path.clone()) },
            );
        }
    }
    for (name, value) in &args.input {
        let value = InputValue::Text(value.clone());
        values.insert(name.clone(), Outside { value, origin: Origin::CommandLine });
    }
    Ok(values)
}

/// Writes `bytes` atomically: a reader sees the old file or the new one, never half of one. A device
/// or a pipe is written to, not replaced.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let is_file = std::fs::metadata(path).map_or(true, |it| it.is_file());
    let attempt = || -> std::io::Result<()> {
        if !is_file {
            return std::fs::write(path, bytes);
        }
        let mut file = tempfile::NamedTempFile::new_in(folder(path))?;
        std::io::Write::write_all(&mut file, bytes)?;
        // Some file systems report a full disk only here.
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    attempt().map_err(|error| unwritable(path, Status::Failed, &error))
}

/// Fails if no file can be written at `path`: better now than after a run.
pub(crate) fn expect_writable(path: &Path) -> Result<(), Failure> {
    if std::fs::metadata(path).is_ok_and(|it| !it.is_file() && !it.is_dir()) {
        // A device or a pipe, see `write`.
        return Ok(());
    }
    let attempt = tempfile::NamedTempFile::new_in(folder(path));
    attempt.map(drop).map_err(|error| unwritable(path, Status::Usage, &error))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns the failure for a file or a folder that cannot be written, with what helps against it.
pub(crate) fn unwritable(path: &Path, status: Status, error: &std::io::Error) -> Failure {
    // The rest of the error is about a temporary file that the user never named.
    let (what, hint) = match error.kind() {
        ErrorKind::NotFound => ("no such folder".to_owned(), "make the folder first, or name another"),
        ErrorKind::PermissionDenied => {
            ("permission denied".to_owned(), "name a folder that you may write to")
        }
        ErrorKind::IsADirectory => ("it is a folder".to_owned(), "name a file"),
        ErrorKind::NotADirectory => {
            ("a file stands where a folder is named".to_owned(), "name a folder, and a file in it")
        }
        ErrorKind::AlreadyExists => ("it is a file".to_owned(), "name another folder"),
        ErrorKind::StorageFull => (error.to_string(), "free some space, or name another disk"),
        _ => (error.to_string(), "name a file on another disk"),
    };
    Failure::new(status, format!("cannot write `{}`: {what}", path.display()), hint)
}
