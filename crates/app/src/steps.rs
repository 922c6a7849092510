//! The steps that every operation consists of.

pub mod execute;
pub mod lock;
pub mod plan;
mod predict;
pub mod publish;
pub mod stop;
pub mod then;
