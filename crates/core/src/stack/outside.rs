//! What a stack is loaded from, beside the text of its own file: other files, and values of inputs.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Reader of the stack's files; the core itself does no I/O.
pub trait ReadFiles {
    /// Reads the text of the file at `path`.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read(&self, path: &Path) -> Result<String, FileError>;
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It does not exist.
    #[error("no such file")]
    Missing,
    /// It is a folder.
    #[error("it is a folder")]
    Folder,
    /// Part of its path is a file.
    #[error("a file stands where a folder is named")]
    NoFolder,
    /// This user may not read it.
    #[error("permission denied")]
    Denied,
    /// It is too large to be what is expected.
    #[error("it is larger than {0} MiB")]
    Large(u64),
    /// It is not text.
    #[error("line {line} is not UTF-8")]
    NotText {
        /// The first line that is not.
        line: usize,
    },
    /// Any other failure, as the system reports it.
    #[error("{0}")]
    Other(String),
}

impl FileError {
    /// Returns what to do next; `usual` if another file has to be named.
    pub fn hint(&self, usual: &str) -> String {
        match self {
            Self::Missing | Self::Folder | Self::NoFolder => usual,
            Self::Denied => "allow this user to read it: `ls -l` shows who may",
            Self::Large(_) => "name another file: this one is too large for what is expected here",
            Self::NotText { .. } => "save it as UTF-8",
            Self::Other(_) => "see that the disk can be read, then run the same command again",
        }
        .to_owned()
    }
}

/// A value for an input.
#[derive(Clone, Debug, PartialEq)]
pub enum InputValue {
    /// From the command line or the environment: parsed as the declared type.
    Text(String),
    /// From a TOML file.
    Value(Value),
}

/// Where a value for an input comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `-i NAME=VALUE`.
    CommandLine,
    /// A file that `--inputs` names.
    File(PathBuf),
    /// The environment variable of this name.
    Environment(String),
}

impl Display for Origin {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("given with `-i`"),
            Self::File(path) => write!(f, "given in `{}`", path.display()),
            Self::Environment(name) => write!(f, "given by the environment, `{name}`"),
        }
    }
}

/// A value for an input, given outside the stack.
#[derive(Clone, Debug, PartialEq)]
pub struct Outside {
    /// The value.
    pub value: InputValue,
    /// Where it comes from.
    pub origin: Origin,
}

/// Values for inputs by name.
pub type InputValues = BTreeMap<String, Outside>;
