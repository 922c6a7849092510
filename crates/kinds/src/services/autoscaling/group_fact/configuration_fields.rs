//! Fields of a launch configuration, which old groups have in the place of a launch template, and
//! what becomes of each.

use crate::ledger::Fate::{Carried, Irrelevant, Mapped, NotYet};
use crate::ledger::{Ledger, Model};

/// The launch configuration.
pub const CONFIGURATION: Ledger = Ledger {
    object: "Launch configuration",
    service: "autoscaling",
    model: Model::Members("LaunchConfiguration"),
    fields: &[
        ("KeyName", NotYet("key pair")),
        ("AssociatePublicIpAddress", NotYet("public address")),
        ("PlacementTenancy", NotYet("tenancy")),
        ("SpotPrice", NotYet("spot price limit")),
        ("KernelId", NotYet("kernel")),
        ("RamdiskId", NotYet("RAM disk")),
        ("EbsOptimized", Carried),
        ("IamInstanceProfile", Carried),
        ("InstanceMonitoring", Carried),
        ("InstanceType", Carried),
        ("UserData", Carried),
        ("BlockDeviceMappings", Mapped("the fields below")),
        ("ImageId", Mapped("a copy of the image, or its publisher's of that name")),
        ("MetadataOptions", Mapped("the fields below")),
        ("SecurityGroups", Mapped("the security groups of the component's `network`")),
        ("LaunchConfigurationName", Mapped("a launch template of the stack")),
        ("ClassicLinkVPCId", Irrelevant(CLASSIC)),
        ("ClassicLinkVPCSecurityGroups", Irrelevant(CLASSIC)),
        ("CreatedTime", Irrelevant("a state")),
        ("LaunchConfigurationARN", Irrelevant("a name that AWS gives")),
    ],
};

/// A disk of a launch configuration.
pub const CONFIGURATION_DISK: Ledger = Ledger {
    object: "Disk of a launch configuration",
    service: "autoscaling",
    model: Model::Members("BlockDeviceMapping"),
    fields: &[
        // A disk with a size is carried.
        ("Ebs", NotYet("unsized disk")),
        ("VirtualName", NotYet("instance store mapping")),
        ("NoDevice", NotYet("suppressed device")),
        ("DeviceName", Carried),
    ],
};

/// The volume of a disk of a launch configuration.
pub const CONFIGURATION_VOLUME: Ledger = Ledger {
    object: "EBS volume of a launch configuration",
    service: "autoscaling",
    model: Model::Members("Ebs"),
    fields: &[
        ("SnapshotId", NotYet("disk snapshot")),
        ("DeleteOnTermination", NotYet("kept disk")),
        ("Iops", Carried),
        ("Throughput", Carried),
        ("VolumeSize", Carried),
        ("VolumeType", Carried),
        ("Encrypted", Mapped("always encrypted")),
    ],
};

/// The options of the metadata service.
pub const CONFIGURATION_METADATA: Ledger = Ledger {
    object: "Metadata options of a launch configuration",
    service: "autoscaling",
    model: Model::Members("InstanceMetadataOptions"),
    fields: &[
        ("HttpPutResponseHopLimit", Carried),
        ("HttpEndpoint", Mapped("always on")),
        ("HttpTokens", Mapped("always required: IMDSv2")),
    ],
};

/// Reason of what only EC2-Classic had.
const CLASSIC: &str = "belongs to EC2-Classic, which AWS has closed";
