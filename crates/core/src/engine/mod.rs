//! The engine: makes a plan true.

pub mod event;
