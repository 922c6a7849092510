//! The one integration-test binary: the real program against the sim, moto and fakecloud.
//!
//! Tests that need AWS endpoints are behind the feature `aws`; the rest is part of the fast loop.

mod accounts;
mod adopted;
mod bundle;
#[cfg(feature = "aws")]
mod calls;
#[cfg(feature = "aws")]
mod checks;
mod cli;
#[cfg(feature = "aws")]
mod cold;
mod commands;
mod completions;
#[cfg(feature = "aws")]
mod components;
mod diagnostics;
mod discover;
mod drstack;
mod events;
mod examples;
mod exchanged_names;
mod failover;
mod failures;
#[cfg(feature = "aws")]
mod faults;
mod fleet;
#[cfg(feature = "aws")]
mod followed;
mod forecast;
mod foreign_text;
#[cfg(feature = "aws")]
mod forgotten;
mod golden_output;
mod hints;
mod identity;
#[cfg(feature = "aws")]
mod kills;
#[cfg(feature = "aws")]
mod late;
#[cfg(feature = "aws")]
mod launches;
mod ledgers;
mod levels;
mod local_files;
#[cfg(feature = "aws")]
mod lost_region;
#[cfg(feature = "aws")]
mod main_job;
mod mutated;
#[cfg(feature = "aws")]
mod operators;
mod other_sizes;
mod output;
#[cfg(feature = "aws")]
mod permissions;
mod pipeline;
mod plan_files;
#[cfg(feature = "aws")]
mod planned;
mod python;
#[cfg(feature = "aws")]
mod queues;
mod reference;
mod regressions;
mod renamed;
mod reservations;
mod runs;
mod schema;
mod secrets;
#[cfg(feature = "aws")]
mod servers;
#[cfg(feature = "aws")]
mod shipped;
mod sim_regions;
mod sizes;
mod stacks;
mod status;
mod sync;
#[cfg(feature = "aws")]
mod traffic;
#[cfg(feature = "aws")]
mod unread;
#[cfg(feature = "aws")]
mod variants;
