//! Amazon CloudWatch.

pub mod alarm;
#[cfg(feature = "aws")]
pub(crate) mod calls;
pub mod traffic_switch;

#[cfg(feature = "aws")]
crate::aws::client!(aws_sdk_cloudwatch, "cloudwatch", cloudwatch);
