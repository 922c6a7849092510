//! Checks that run from drstack's own machine.

pub mod check;
#[cfg(feature = "aws")]
pub(crate) mod probe;
