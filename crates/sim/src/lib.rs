//! A simulated cloud at the level of resource calls: virtual time, seed, latency, faults, capacity,
//! region loss.
//!
//! It knows no kind by name. The pure halves of the kinds define what a created resource looks
//! like, what it links to and how many instances it requests, so a new kind is simulated as soon as
//! it exists.
//!
//! Time is tokio's paused clock (see [`runtime`]): a sleeping task lets the clock jump, so an hour
//! costs nothing.

mod arn;
mod backlog;
mod calls;
mod capacity;
mod cloud;
mod config;
mod control;
mod dice;
mod disk;
mod effect;
mod exchange;
mod gate;
mod keep;
mod operation;
mod seat;
mod sim;
mod state;
mod supply;
mod world;

pub use calls::CallRecord;
pub use config::{Backlog, ConfigError, Fault, SimConfig};
pub use disk::WorldError;
pub use gate::ATTEMPTS;
pub use operation::{Failure, Operation};
pub use seat::{Astray, Way};
pub use sim::Sim;
pub use world::{Bucket, Exchange, Holder, Object, World};

/// Creates a runtime whose clock stops while any task runs, and jumps to the next deadline when all
/// wait.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()
}
