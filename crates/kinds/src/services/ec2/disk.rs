//! Disks of instances.

use serde::{Deserialize, Serialize};

/// A disk of an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disk {
    /// Its device name.
    pub device: String,
    /// Its size in GiB.
    pub gib: i32,
    /// `gp3`, `io2`, ...
    pub kind: String,
    /// Operations per second, if set.
    pub iops: Option<i32>,
    /// MiB per second, if set.
    pub throughput: Option<i32>,
}
