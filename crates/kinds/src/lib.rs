//! The kinds of drstack: components (written by users), resources (one AWS object each) and the
//! facts they follow.
//!
//! Feature `aws` adds the calls; without it everything here is pure.

pub mod components;
pub mod discover;
pub mod facts;
pub mod kms;
pub mod ledger;
pub mod names;
pub mod policy;
pub mod registry;
pub mod services;

#[cfg(feature = "aws")]
pub mod aws;

pub use registry::resources;

use drstack_core::component::ComponentRegistry;
use drstack_core::kind::KindRegistry;

/// Returns every component kind of this build.
pub fn components() -> ComponentRegistry {
    ComponentRegistry::new(components::ALL).with_checks(components::CHECK)
}

/// Returns every resource kind of this build.
pub fn kinds() -> KindRegistry {
    KindRegistry::new(resources::ALL)
}
