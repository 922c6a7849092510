//! AWS Systems Manager.

pub mod parameter;

#[cfg(feature = "aws")]
crate::aws::client!(aws_sdk_ssm, "ssm", ssm);
