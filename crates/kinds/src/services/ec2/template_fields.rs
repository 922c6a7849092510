//! Fields of a launch template that a pool follows, and what becomes of each.

use crate::ledger::Fate::{Carried, Irrelevant, Mapped, NotYet, Refused};
use crate::ledger::{Ledger, Model};

#[cfg(feature = "aws")]
pub(crate) mod aws;

/// The data of a version.
pub const TEMPLATE: Ledger = Ledger {
    object: "Launch template",
    service: "ec2",
    model: Model::Members("ResponseLaunchTemplateData"),
    fields: &[
        ("KeyName", NotYet("key pair")),
        ("Placement", NotYet("placement")),
        ("TagSpecifications", NotYet("template tag")),
        ("CpuOptions", NotYet("CPU options")),
        ("CreditSpecification", NotYet("CPU credits")),
        ("DisableApiTermination", NotYet("termination protection")),
        ("DisableApiStop", NotYet("stop protection")),
        ("InstanceInitiatedShutdownBehavior", NotYet("at shutdown")),
        ("LicenseSpecifications", NotYet("license configuration")),
        ("HibernationOptions", NotYet("hibernation")),
        ("EnclaveOptions", NotYet("Nitro Enclaves")),
        ("PrivateDnsNameOptions", NotYet("private DNS name options")),
        ("MaintenanceOptions", NotYet("no automatic recovery")),
        ("NetworkPerformanceOptions", NotYet("network bandwidth weighting")),
        ("SecondaryInterfaces", NotYet("secondary interface")),
        ("KernelId", NotYet("kernel")),
        ("RamDiskId", NotYet("RAM disk")),
        ("ElasticGpuSpecifications", NotYet("elastic GPU")),
        ("ElasticInferenceAccelerators", NotYet("inference accelerator")),
        ("EbsOptimized", Carried),
        ("IamInstanceProfile", Carried),
        ("InstanceType", Carried),
        ("Monitoring", Carried),
        ("UserData", Carried),
        ("BlockDeviceMappings", Mapped("the fields below")),
        ("ImageId", Mapped("a copy of the image, or its publisher's of that name")),
        ("NetworkInterfaces", Mapped("one interface in the component's `network`; the fields below")),
        ("MetadataOptions", Mapped("the fields below")),
        ("SecurityGroupIds", Mapped("the security groups of the component's `network`")),
        ("SecurityGroups", Mapped("the security groups of the component's `network`")),
        ("InstanceMarketOptions", Mapped("`purchase`")),
        ("CapacityReservationSpecification", Mapped("`reservations`")),
        ("InstanceRequirements", Refused("DR231")),
        ("Operator", Irrelevant("names the service that manages the template")),
    ],
};

/// A disk of a template.
pub const DISK: Ledger = Ledger {
    object: "Disk of a launch template",
    service: "ec2",
    model: Model::Members("LaunchTemplateBlockDeviceMapping"),
    fields: &[
        // A disk with a size is carried.
        ("Ebs", NotYet("unsized disk")),
        ("VirtualName", NotYet("instance store mapping")),
        ("NoDevice", NotYet("suppressed device")),
        ("DeviceName", Carried),
    ],
};

/// The volume of a disk.
pub const VOLUME: Ledger = Ledger {
    object: "EBS volume of a launch template",
    service: "ec2",
    model: Model::Members("LaunchTemplateEbsBlockDevice"),
    fields: &[
        ("SnapshotId", NotYet("disk snapshot")),
        ("KmsKeyId", NotYet("disk key")),
        ("DeleteOnTermination", NotYet("kept disk")),
        ("VolumeInitializationRate", NotYet("volume initialization rate")),
        ("EbsCardIndex", NotYet("EBS card")),
        ("Iops", Carried),
        ("Throughput", Carried),
        ("VolumeSize", Carried),
        ("VolumeType", Carried),
        ("Encrypted", Mapped("always encrypted")),
    ],
};

/// The options of the metadata service.
pub const METADATA: Ledger = Ledger {
    object: "Metadata options of a launch template",
    service: "ec2",
    model: Model::Members("LaunchTemplateInstanceMetadataOptions"),
    fields: &[
        ("HttpProtocolIpv6", Carried),
        ("HttpPutResponseHopLimit", Carried),
        ("InstanceMetadataTags", Carried),
        ("HttpEndpoint", Mapped("always on")),
        ("HttpTokens", Mapped("always required: IMDSv2")),
        ("State", Irrelevant("a state")),
    ],
};

/// A network interface of a template.
pub const INTERFACE: Ledger = Ledger {
    object: "Network interface of a launch template",
    service: "ec2",
    model: Model::Members("LaunchTemplateInstanceNetworkInterfaceSpecification"),
    fields: &[
        ("InterfaceType", NotYet("interface type")),
        ("DeviceIndex", NotYet("further network interface")),
        ("NetworkCardIndex", NotYet("further network card")),
        ("NetworkInterfaceId", NotYet("existing network interface")),
        ("AssociatePublicIpAddress", NotYet("public address")),
        ("AssociateCarrierIpAddress", NotYet("carrier address")),
        ("Ipv6AddressCount", NotYet("number of IPv6 addresses")),
        ("Ipv6Addresses", NotYet("fixed IPv6 address")),
        ("Ipv4PrefixCount", NotYet("number of IPv4 prefixes")),
        ("Ipv4Prefixes", NotYet("IPv4 prefix")),
        ("Ipv6PrefixCount", NotYet("number of IPv6 prefixes")),
        ("Ipv6Prefixes", NotYet("IPv6 prefix")),
        ("PrimaryIpv6", NotYet("primary IPv6 address")),
        ("PrivateIpAddress", NotYet("fixed private address")),
        ("PrivateIpAddresses", NotYet("fixed private address")),
        ("SecondaryPrivateIpAddressCount", NotYet("number of secondary addresses")),
        ("EnaSrdSpecification", NotYet("ENA Express")),
        ("ConnectionTrackingSpecification", NotYet("connection tracking timeout")),
        ("EnaQueueCount", NotYet("number of ENA queues")),
        ("Groups", Mapped("the security groups of the component's `network`")),
        ("SubnetId", Mapped("the subnets of the component's `network`")),
        ("DeleteOnTermination", Mapped("always deleted with the instance")),
        ("Description", Irrelevant("a text for people")),
    ],
};
