//! Fields of an image, and what becomes of each in a copy.
//!
//! What a copy has is in the EC2 User Guide, "Copy an Amazon EC2 AMI".

use crate::ledger::Fate::{Carried, Irrelevant, Mapped, NotYet};
use crate::ledger::{Ledger, Model};

/// The image.
pub const IMAGE: Ledger = Ledger {
    object: "Image",
    service: "ec2",
    model: Model::Members("Image"),
    fields: &[
        ("Tags", NotYet("image tag")),
        ("DeprecationTime", NotYet("deprecation time")),
        ("DeregistrationProtection", NotYet("deregistration protection")),
        ("Architecture", Carried),
        ("BootMode", Carried),
        ("EnaSupport", Carried),
        ("Hypervisor", Carried),
        ("ImageType", Carried),
        ("ImdsSupport", Carried),
        ("InstanceTypeSpecification", Carried),
        ("KernelId", Carried),
        ("Platform", Carried),
        ("PlatformDetails", Carried),
        ("ProductCodes", Carried),
        ("RamdiskId", Carried),
        ("RootDeviceName", Carried),
        ("RootDeviceType", Carried),
        ("SriovNetSupport", Carried),
        ("TpmSupport", Carried),
        ("UsageOperation", Carried),
        ("VirtualizationType", Carried),
        (
            "BlockDeviceMappings",
            Mapped("copies of the snapshots, encrypted under `kms_key` or the region's default key"),
        ),
        ("Description", Mapped("names the source and the stack")),
        ("ImageId", Mapped("the id of the copy")),
        ("Name", Mapped("a name of the stack and the component")),
        ("Public", Mapped("the copy is private")),
        ("CreationDate", Irrelevant(STATE)),
        ("FreeTierEligible", Irrelevant(STATE)),
        ("ImageAllowed", Irrelevant(STATE)),
        ("ImageLocation", Irrelevant(STATE)),
        ("ImageOwnerAlias", Irrelevant(STATE)),
        ("ImageWatermarks", Irrelevant(STATE)),
        ("LastLaunchedTime", Irrelevant(STATE)),
        ("OwnerId", Irrelevant(STATE)),
        ("PublicSsmParameterName", Irrelevant(STATE)),
        ("ScanResults", Irrelevant(STATE)),
        ("SourceImageId", Irrelevant(STATE)),
        ("SourceImageRegion", Irrelevant(STATE)),
        ("SourceInstanceId", Irrelevant(STATE)),
        ("State", Irrelevant(STATE)),
        ("StateReason", Irrelevant(STATE)),
    ],
};

/// Reason of what AWS reports and nobody sets.
const STATE: &str = "a state or an origin that AWS reports";
