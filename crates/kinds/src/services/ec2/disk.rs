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

#[cfg(feature = "aws")]
/// Converts the disks of a launch template. Snapshots belong to a region, so they are left to the
/// image.
pub(crate) fn disks(mappings: &[aws_sdk_ec2::types::LaunchTemplateBlockDeviceMapping]) -> Vec<Disk> {
    let disk = |mapping: &aws_sdk_ec2::types::LaunchTemplateBlockDeviceMapping| {
        let ebs = mapping.ebs.as_ref()?;
        Some(Disk {
            device: mapping.device_name.clone()?,
            gib: ebs.volume_size?,
            kind: ebs.volume_type.as_ref().map_or("gp3", |it| it.as_str()).to_owned(),
            iops: ebs.iops,
            throughput: ebs.throughput,
        })
    };
    mappings.iter().filter_map(disk).collect()
}
