//! Amazon CloudWatch.

pub mod alarm;
#[cfg(feature = "aws")]
pub(crate) mod calls;
pub mod traffic_switch;
