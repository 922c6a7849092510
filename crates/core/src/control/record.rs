//! The mode record: which region serves, stored in the control bucket and again in the standby
//! region.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::address::{Address, ComponentAddress};
use crate::objective::Standing;

/// The format this build writes.
pub(super) const FORMAT: u32 = 1;

/// Which region serves, since when, and by which run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub(super) format: u32,
    /// Mode and epoch.
    #[serde(flatten)]
    pub standing: Standing,
    /// Start of the run that changed the mode.
    pub since: Timestamp,
    /// When the outage was noticed that the failover recovers from; every run of it counts from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected: Option<Timestamp>,
    /// When all that was asked for was found to serve, which ends the outage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<Timestamp>,
    /// Id of that run.
    pub run: String,
    /// True once the change is complete. An interrupted failover is in mode active already, and
    /// resumes when it is run again.
    pub complete: bool,
}

impl Record {
    /// Returns the record of a standing that no known run began.
    pub(super) fn of_no_run(standing: Standing) -> Self {
        Self {
            format: FORMAT,
            standing,
            since: Timestamp::UNIX_EPOCH,
            detected: None,
            served: None,
            run: "unknown".to_owned(),
            complete: true,
        }
    }
}

/// Returns the address of the second record.
pub fn address() -> Address {
    Address::new(&ComponentAddress::new("control"), "mode")
}

/// Returns the name of the second record.
pub fn name(stack: &str) -> String {
    format!("/drstack/{stack}/mode")
}
