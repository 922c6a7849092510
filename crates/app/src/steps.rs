//! The steps that every operation consists of.

mod addresses;
mod empty;
pub mod execute;
mod facts;
mod left;
pub mod lock;
pub mod plan;
mod predict;
pub mod publish;
mod rehearse;
mod stale;
pub mod stop;
pub mod then;
mod waiting;
