//! Call log of the sim, in order, for tests and for faults that select calls.

use drstack_core::calls::CallNote;
use drstack_core::kind::Place;
use jiff::Timestamp;
use serde::Serialize;

use crate::operation::{Failure, Operation};

/// One attempt of one call. Each retry of a throttled call has its own record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallRecord {
    /// Its number in this run, from 1.
    pub number: u64,
    /// The operation.
    pub operation: Operation,
    /// Kind of the resource or fact, or the operation on the control bucket: `put`.
    pub kind: String,
    /// Place: primary, standby or global.
    pub place: Place,
    /// Region of the call; `global` for services of the whole partition.
    pub region: String,
    /// An address, an id, ids joined by commas, a key.
    pub subject: String,
    /// Time of the call, in the world's time.
    pub at: Timestamp,
    /// Milliseconds until the answer or the timeout; the work that it started may take longer.
    pub millis: u64,
    /// 1 for the first attempt of a call.
    pub attempt: u32,
    /// The failure, if any.
    pub failure: Option<Failure>,
    /// True if there was no answer.
    pub lost: bool,
}

impl CallRecord {
    /// Converts it to the call log's format. There is no HTTP here: 200 means an answer, 400 a
    /// refusal.
    pub(crate) fn note(&self) -> CallNote {
        let error = match (self.lost, self.failure) {
            (true, _) => Some("timeout".to_owned()),
            (false, failure) => failure.map(|it| it.name().to_owned()),
        };
        let status = match (self.lost, &error) {
            (true, _) => 0,
            (false, Some(_)) => 400,
            (false, None) => 200,
        };
        CallNote {
            service: self.kind.clone(),
            operation: self.operation.to_string(),
            region: self.region.clone(),
            at: self.at,
            millis: self.millis,
            attempt: self.attempt,
            status,
            error,
            request_id: None,
        }
    }
}
