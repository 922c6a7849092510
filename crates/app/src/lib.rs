//! The application: what drstack does, without a command line, a terminal or a cloud by name.
//!
//! [`app::App`] holds what the operations need of the world: a catalogue of kinds, clouds to connect to, the machine that runs them
//! and the operator who watches and decides. A [`session::Session`] is one stack on one cloud. Everything in [`ops`] is made of the
//! same moves: capture, plan, confirm, lock, execute, publish ([`steps`]). The command line, the tests with random runs and the
//! examples all call this code.

pub mod accepted;
pub mod app;
mod doubt;
pub mod failure;
pub mod host;
mod minimum;
pub mod open;
pub mod operator;
pub mod ops;
mod part;
pub mod planned;
pub mod report;
pub mod session;
pub mod steps;
pub mod text;
pub mod trust;
