//! The record of the mode: which region serves, as it is kept in the control bucket and a second time in the standby region.

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
    /// When the run that changed it began.
    pub since: Timestamp,
    /// That run.
    pub run: String,
    /// Whether it has come to its end: a failover that was cut off is in mode active already, and goes on when run again.
    pub complete: bool,
}

/// The address of the second record.
pub fn address() -> Address {
    Address::new(&ComponentAddress::new("control"), "mode")
}

/// The name of the second record.
pub fn name(stack: &str) -> String {
    format!("/drstack/{stack}/mode")
}
