//! The moves that every operation is made of.

pub mod execute;
pub mod lock;
pub mod plan;
pub mod publish;
pub mod then;
