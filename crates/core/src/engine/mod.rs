//! The engine: executes a plan.

pub mod again;
pub mod event;
pub mod execute;
pub mod keep;
mod launches;
mod made;
mod pace;
mod raise;
pub mod schedule;
mod step;
pub mod wait;
