//! The end of an operation: its status, or a failure in words for the user.

use drstack_core::control::StoreError;
use drstack_core::diagnostic::{Diagnostic, is_invalid};
use drstack_core::kind::ShapeError;

/// The status that an operation ends with. The command line turns it into an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All done.
    Done,
    /// Failed or incomplete.
    Failed,
    /// Not ready for what was asked, or an objective was missed.
    NotReady,
    /// Locked by another run, or the plan is stale.
    Locked,
    /// Wrong usage.
    Usage,
    /// The stack is invalid.
    Invalid,
    /// Interrupted.
    Interrupted,
}

/// The result of an operation.
pub type Ended = Result<Status, Failure>;

/// A failure in words for the user, with a hint.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// How the operation ends.
    pub status: Status,
    /// The error message; rendered diagnostics if `hint` is `None`.
    pub message: String,
    /// The hint: the next thing to do, as an imperative sentence.
    pub hint: Option<String>,
}

impl Failure {
    /// Creates the failure of a stack with these problems, rendered as `message`.
    pub fn of_problems(message: String, problems: &[Diagnostic]) -> Self {
        let status = if is_invalid(problems) { Status::Invalid } else { Status::Failed };
        Self { status, message, hint: None }
    }

    /// Creates a failure with a hint.
    #[expect(clippy::needless_pass_by_value, reason = "callers hand over errors and texts alike")]
    pub fn new(status: Status, message: impl ToString, hint: impl Into<String>) -> Self {
        Self { status, message: message.to_string(), hint: Some(hint.into()) }
    }
}

/// Returns the failure for a control bucket that cannot be used.
pub fn store_failure(error: &StoreError) -> Failure {
    let hint = match error {
        StoreError::Refused { .. } => "run again".to_owned(),
        StoreError::NoBucket { .. } => {
            "while the primary is lost, `drstack failover STACK --without-control` fails over without it; while the primary serves, `drstack apply STACK` makes it"
                .to_owned()
        }
        StoreError::Newer { .. } => "use the newer drstack".to_owned(),
        StoreError::Broken { key, .. } => {
            format!(
                "bring back an older version of `{key}`, or delete it while the primary answers: it is asked anew"
            )
        }
        StoreError::Cloud(error) => error.hint(),
    };
    let message = match error {
        // It names the bucket itself.
        StoreError::NoBucket { .. } => error.to_string(),
        _ => format!("control bucket: {error}"),
    };
    Failure::new(Status::Failed, message, hint)
}

/// Returns the failure for a spec or live value that does not have its kind's shape.
pub fn shape_failure(error: &ShapeError) -> Failure {
    Failure::new(Status::Failed, error, "another version of drstack made this; use that one, or report it")
}

/// Returns the failure for a mode that cannot be recorded.
pub fn mode_failure(error: &StoreError) -> Failure {
    match error {
        StoreError::Refused { .. } => {
            let hint = "`drstack failover STACK --watch` shows what the other run does";
            Failure::new(Status::Locked, "another run changed the mode at the same time", hint)
        }
        _ => store_failure(error),
    }
}

#[cfg(test)]
mod tests {
    use drstack_core::answer::{OBJECT, Unread};

    use super::*;

    /// The failure for a bundle that was not read to its end.
    fn unread(why: &Unread<String>) -> Failure {
        store_failure(&StoreError::unread(why, "bundle.json", "s3:GetObject", "us-west-2"))
    }

    /// B23
    #[test]
    fn a_lost_control_bucket_is_named_once_with_a_way_on_in_an_outage() {
        let lost = store_failure(&StoreError::NoBucket { bucket: "acme-control".to_owned() });
        assert_eq!(lost.message, "control bucket `acme-control` does not exist");
        assert!(lost.hint.unwrap().contains("`drstack failover STACK --without-control`"));
    }

    #[test]
    fn an_answer_without_an_end_says_its_limit_and_what_to_do() {
        let large = unread(&Unread::Large(OBJECT));
        assert_eq!(large.status, Status::Failed);
        assert_eq!(large.message, "control bucket: `bundle.json` cannot be read: it has more than 64 MiB");
        assert!(large.hint.unwrap().starts_with("bring back an older version of `bundle.json`"));
        let slow = unread(&Unread::Slow { limits: OBJECT, bytes: 120 });
        assert_eq!(slow.status, Status::Failed);
        assert_eq!(
            slow.message,
            "control bucket: s3:GetObject in us-west-2 did not answer: `bundle.json`: it took longer than 60 s, and 120 bytes came"
        );
        assert!(slow.hint.unwrap().starts_with("check the network and whether us-west-2 is up"));
    }
}
