//! The steps that every operation consists of.

mod addresses;
pub mod execute;
mod facts;
mod led;
mod left;
pub mod lock;
mod of_data;
pub mod plan;
mod predict;
pub mod publish;
mod rehearse;
mod stale;
pub mod stop;
pub mod then;
mod waiting;
