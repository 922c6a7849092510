//! The AWS half: clients, errors, the control bucket, and the bridge from typed drivers to [`Cloud`].
//!
//! [`Cloud`]: drstack_core::cloud::Cloud

mod driver;

pub use driver::{Driver, Seen, Target};
