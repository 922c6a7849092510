//! The application: what drstack does, without a command line, a terminal or a cloud by name.
//!
//! [`app::App`] holds the ports of the operations: a catalogue of kinds, clouds to connect to, the
//! machine that runs them and the operator that decides. A [`session::Session`] is one stack on one
//! cloud. All [`ops`] consist of the same [`steps`]: capture, plan, confirm, lock, execute,
//! publish. The command line, the property tests and the examples call this code.

pub mod accepted;
pub mod app;
mod began_with;
mod doubt;
pub mod failure;
pub mod freshness;
pub mod host;
pub(crate) mod identity;
mod minimum;
pub mod open;
pub mod operator;
pub mod ops;
mod part;
pub mod planned;
pub mod readiness;
pub mod report;
pub mod session;
pub mod steps;
pub mod text;
pub mod trust;
