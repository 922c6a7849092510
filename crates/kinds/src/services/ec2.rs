//! Amazon EC2.

#[cfg(feature = "aws")]
pub(crate) mod calls;
pub mod disk;
pub mod gateway_endpoint;
pub mod image;
pub mod image_fact;
pub mod launch_options;
pub mod launch_template;
#[cfg(feature = "aws")]
pub(crate) mod limits;
pub mod network_fact;
pub mod reservation_fact;
pub mod route_table;
pub mod security_group;
pub mod subnet;
pub mod supply;
pub mod template_fields;
#[cfg(feature = "aws")]
pub(crate) mod templates;
#[cfg(feature = "aws")]
pub(crate) mod user_data;
pub mod vpc;
pub mod zones_fact;

#[cfg(feature = "aws")]
crate::aws::client!(aws_sdk_ec2, "ec2", ec2);

#[cfg(feature = "aws")]
pub(crate) const CODES: crate::aws::Codes = crate::aws::Codes {
    throttled: &[],
    no_capacity: &[
        "InsufficientCapacity",
        "InsufficientHostCapacity",
        "InsufficientInstanceCapacity",
        "InsufficientReservedInstanceCapacity",
        "UnfulfillableCapacity",
    ],
    quota: &[
        "InstanceLimitExceeded",
        "MaxSpotInstanceCountExceeded",
        "RouteTableLimitExceeded",
        "SecurityGroupLimitExceeded",
        "SubnetLimitExceeded",
        "VcpuLimitExceeded",
        "VpcEndpointLimitExceeded",
        "VpcLimitExceeded",
    ],
    conflict: &[
        "DependencyViolation",
        "IncorrectState",
        // Links name live resources, so an object that EC2 does not find was created a moment ago.
        "InvalidAMIID.NotFound",
        "InvalidAMIID.Unavailable",
        "InvalidGroup.NotFound",
        "InvalidLaunchTemplateId.NotFound",
        "InvalidRouteTableID.NotFound",
        "InvalidSubnetID.NotFound",
        "InvalidVpcID.NotFound",
    ],
};
