//! Where a resource lives, seen from the stack.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a resource lives, seen from the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// In the primary region: only replication may be switched on here.
    Primary,
    /// In the standby region.
    Standby,
    /// In a service of the whole partition, such as IAM.
    Global,
}
