//! Exit codes.

use std::process::ExitCode;

use drstack_app::failure::Status;

pub(crate) use drstack_app::failure::Failure;

/// The exit code of the program.
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

impl Exit {
    /// The codes of a failure: the others end a command that did what was asked.
    pub(crate) const FAILURES: [Self; 6] =
        [Self::Failed, Self::NotReady, Self::Locked, Self::Usage, Self::Invalid, Self::Interrupted];
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

impl From<Status> for Exit {
    fn from(status: Status) -> Self {
        match status {
            Status::Done => Self::Done,
            Status::Failed => Self::Failed,
            Status::NotReady => Self::NotReady,
            Status::Locked => Self::Locked,
            Status::Usage => Self::Usage,
            Status::Invalid => Self::Invalid,
            Status::Interrupted => Self::Interrupted,
        }
    }
}

/// The result of a command.
pub(crate) type Ended = Result<Exit, Failure>;
