//! Calls: what was asked of the sim, in order, for tests and for faults that choose among them.

use drstack_core::calls::CallNote;
use drstack_core::kind::Place;
use jiff::Timestamp;
use serde::Serialize;

use crate::operation::{Failure, Operation};

/// One attempt of one call. A call that is throttled and tried again is recorded each time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallRecord {
    /// Its number in this run, from 1.
    pub number: u64,
    /// What it does.
    pub operation: Operation,
    /// The resource's kind, the fact's kind, or what is done to the control bucket: `put`.
    pub kind: String,
    /// Primary, standby or global.
    pub place: Place,
    /// The region that was called; `global` for services of the whole partition.
    pub region: String,
    /// An address, an id, ids joined by commas, a key.
    pub subject: String,
    /// When, in the world's time.
    pub at: Timestamp,
    /// Milliseconds until it was answered or given up; what it set going may take longer.
    pub millis: u64,
    /// 1 for the first attempt of a call.
    pub attempt: u32,
    /// What went wrong, if anything did.
    pub failure: Option<Failure>,
    /// Whether nothing answered.
    pub lost: bool,
}

impl CallRecord {
    /// As the call log has it. There is no HTTP here: 200 stands for an answer, 400 for a refusal.
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
