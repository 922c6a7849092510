//! Amazon EC2 Auto Scaling.

pub mod group;
pub mod group_fact;

#[cfg(feature = "aws")]
crate::aws::client!(aws_sdk_applicationautoscaling, "application-autoscaling", scaling);
#[cfg(feature = "aws")]
crate::aws::client!(aws_sdk_autoscaling, "autoscaling", autoscaling);

/// Error codes of Auto Scaling, which passes on the capacity and quota errors of EC2.
#[cfg(feature = "aws")]
pub(crate) const CODES: crate::aws::Codes = crate::aws::Codes {
    no_capacity: super::ec2::CODES.no_capacity,
    quota: super::ec2::CODES.quota,
    throttled: &[],
    conflict: &[
        "InvalidAMIID.NotFound",
        "InvalidLaunchTemplateId.NotFound",
        "InvalidSubnetID.NotFound",
        "ScalingActivityInProgress",
    ],
};
