//! Checks that run from drstack's own machine.

pub mod check;
// Its tests need no SDK.
#[cfg(any(feature = "aws", test))]
mod command;
#[cfg(feature = "aws")]
pub(crate) mod probe;
