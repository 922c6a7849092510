//! Amazon EC2.

#[cfg(feature = "aws")]
pub(crate) mod calls;
pub mod gateway_endpoint;
pub mod image;
pub mod launch_template;
#[cfg(feature = "aws")]
pub(crate) mod reservations;
pub mod route_table;
pub mod security_group;
pub mod subnet;
#[cfg(feature = "aws")]
pub(crate) mod templates;
#[cfg(feature = "aws")]
pub(crate) mod user_data;
pub mod vpc;
