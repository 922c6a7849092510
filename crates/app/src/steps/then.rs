//! Decides if a run publishes or withdraws the bundle, and what of the primary goes into it.

use std::collections::BTreeMap;

use drstack_core::address::Address;
use drstack_core::cloud::Found;
use drstack_core::compile::Compiled;
use drstack_core::kind::Place;
use drstack_core::observe::{Look, Observed};
use drstack_core::plan::{Intent, Options};

/// The action that a complete run takes on the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleAction {
    /// The standby region matches the stack, so the run publishes the bundle.
    Publish,
    /// The stack is deleted, so the run deletes its bundle.
    Withdraw,
    /// Part of the stack was left out, or a failover goes on from the bundle that it was begun
    /// with.
    Leave,
}

impl BundleAction {
    /// Returns the action after a run with these options.
    pub(crate) fn after(options: &Options) -> Self {
        match (options.intent, options.targets.is_empty()) {
            (Intent::Converge, true) => Self::Publish,
            (Intent::Destroy, true) => Self::Withdraw,
            _ => Self::Leave,
        }
    }
}

/// Returns the live resources outside the standby region.
pub(crate) fn elsewhere(compiled: &Compiled, seen: &Observed) -> BTreeMap<Address, Found> {
    let outside = compiled.graph.resources.values().filter(|it| it.place != Place::Standby);
    let found = |address: &Address| match seen.seen.get(address) {
        Some(Look::Present(found)) => Some((address.clone(), found.clone())),
        _ => None,
    };
    outside.filter_map(|it| found(&it.address)).collect()
}
