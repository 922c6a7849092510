//! Exit codes, and failures that carry one.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All done.
    Done = 0,
    /// Failed or incomplete.
    Failed = 1,
    /// `--detailed-exitcode`: there are changes.
    Changes = 2,
    /// Not ready for what was asked, or an objective was missed.
    NotReady = 3,
    /// Locked by another run, or the plan is stale.
    Locked = 4,
    /// Wrong usage.
    Usage = 64,
    /// The stack is invalid.
    Invalid = 65,
    /// Interrupted.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// A failure, in words for the user, with the way out.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How the program ends.
    pub(crate) exit: Exit,
    /// What is wrong; rendered diagnostics where `hint` is `None`.
    pub(crate) message: String,
    /// What to do next, as an imperative sentence.
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// A failure with a way out.
    #[expect(clippy::needless_pass_by_value, reason = "callers hand over errors and texts alike")]
    pub(crate) fn new(exit: Exit, message: impl ToString, hint: impl Into<String>) -> Self {
        Self { exit, message: message.to_string(), hint: Some(hint.into()) }
    }
}
