//! Tests of kinds and components through the registries, without a cloud or on the simulated one.

#![expect(clippy::unwrap_used, reason = "clippy knows test functions as tests, but not what they share")]

mod answers;
mod bundle;
mod compile;
mod contract;
mod described;
mod fixpoint;
mod groups;
mod loaded;
mod not_carried;
mod preconditions;
mod props;
mod random;
mod samples;
mod unanswered;
mod whole;
