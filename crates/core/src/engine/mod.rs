//! The engine: makes a plan true.

pub mod event;
pub mod execute;
pub mod journal;
mod pace;
pub mod schedule;
mod step;
pub mod wait;
