//! Checks: what is asked from the machine that drstack runs on.

pub mod check;
#[cfg(feature = "aws")]
pub(crate) mod probe;
