//! Amazon Route 53.

#[cfg(feature = "aws")]
pub(crate) mod calls;
pub mod dns_record;
pub mod dns_weights;
pub mod health_check;
