//! The sim with toy kinds.

#![expect(clippy::unwrap_used, reason = "clippy knows test functions as tests, but not what they share")]

mod alone;
mod contract;
mod exchange;
mod execute;
mod failures;
mod fixpoint;
mod halfway;
mod lease;
mod persistence;
mod runs;
mod toys;
