//! The operations, one file each.

pub mod apply;
mod change;
mod compare;
pub mod destroy;
pub mod drain;
pub mod failback;
pub mod failover;
mod finish;
pub mod graph;
mod moments;
pub mod output;
pub mod plan;
pub mod runs;
pub mod status;
mod supply;
pub mod sync;
pub mod unlock;
pub mod watch;
