//! Cloud calls: the log of attempts, and the calls that are refused while a region is lost.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cloud::{CloudError, Scope};
use crate::control::lease::Permit;
use crate::kind::Place;

/// Stands for the region of services of the whole partition.
pub const GLOBAL: &str = "global";

/// One attempt of one call; each retry has a note of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallNote {
    /// The service, as IAM and its endpoints name it: `s3`, `autoscaling`.
    pub service: String,
    /// The operation as the service names it: `PutObject`.
    pub operation: String,
    /// Region of the call; [`GLOBAL`] for services of the whole partition.
    pub region: String,
    /// Time it was sent.
    pub at: Timestamp,
    /// Milliseconds until the answer or the timeout.
    pub millis: u64,
    /// 1 for the first attempt of a call.
    pub attempt: u32,
    /// HTTP status; 0 without an answer.
    pub status: u16,
    /// Error in a word: AWS's error code, or `timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// AWS's request id, which its support asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// The calls that a cloud sends: their log, and the limits on them.
pub trait Calls {
    /// Number of attempts of calls on `kind` in the region of `place` that were throttled so far, retried or not: the
    /// engine's pace follows it.
    fn throttled(&self, _kind: &str, _scope: &Scope, _place: Place) -> u64 {
        0
    }
    /// From now on each attempt of a call that changes anything, retries included, asks `permit` first, and is refused
    /// with [`CloudError::Lapsed`] once it does not hold; `None` ends this. Writes of the control store are exempt: lock
    /// and journal have conditions of their own.
    fn under(&self, _permit: Option<Permit>) {}
    /// From now on nothing may leave the standby region: every call to another region, or to a control plane of the
    /// whole partition ([`crate::kind::Operation::home`]), answers [`CloudError::Forbidden`] and is never sent. This cannot be undone: a
    /// failover ends with the program. A cloud that does nothing here sends nothing anywhere.
    fn restrict_to_standby(&self) {}
    /// Calls that were refused because the cloud stands alone.
    fn refused(&self) -> Vec<RefusedCall> {
        Vec::new()
    }
    /// Every attempt of every call so far, in the order they ended.
    fn calls(&self) -> Vec<CallNote> {
        Vec::new()
    }
    /// Problems of the environment that would show on the day the primary is lost, one sentence each.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A call that was not sent: it would have left the standby region, to which the cloud was
/// restricted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedCall {
    /// As in [`CallNote`].
    pub service: String,
    /// As in [`CallNote`].
    pub operation: String,
    /// Region of the call.
    pub region: String,
}

impl RefusedCall {
    /// Converts the refusal to an error of the call.
    pub fn error(&self) -> CloudError {
        let operation = format!("{}:{}", self.service, self.operation);
        CloudError::Forbidden { operation, region: self.region.clone() }
    }
}

/// Serializes the log: one JSON object per line.
pub fn lines(notes: &[CallNote]) -> Vec<u8> {
    let mut body = Vec::new();
    for note in notes {
        // Strings, numbers and times always have a JSON form.
        body.extend(serde_json::to_vec(note).unwrap_or_default());
        body.push(b'\n');
    }
    body
}

/// Returns the region of `place` as call notes name it.
pub fn region(scope: &crate::cloud::Scope, place: Place) -> &str {
    if place == Place::Global { GLOBAL } else { scope.region(place) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_call_and_region() {
        let refused = RefusedCall {
            service: "iam".to_owned(),
            operation: "GetRole".to_owned(),
            region: GLOBAL.to_owned(),
        };
        let error = refused.error();
        assert_eq!(
            error.to_string(),
            "iam:GetRole was not sent to global: a failover calls nothing outside the standby region"
        );
        assert!(!error.is_transient(), "trying again does not help");
        assert!(error.hint().contains("plan STACK --mode active"));
    }

    #[test]
    fn notes_are_one_object_a_line() {
        let note = CallNote {
            service: "s3".to_owned(),
            operation: "PutObject".to_owned(),
            region: "us-west-2".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            millis: 40,
            attempt: 1,
            status: 200,
            error: None,
            request_id: None,
        };
        let text = String::from_utf8(lines(&[note.clone(), note.clone()])).unwrap();
        let read: Vec<CallNote> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, [note.clone(), note]);
    }
}
