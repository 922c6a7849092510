//! Components, which users write in a stack. One file each, and one line here.

pub mod bucket;
pub mod check;
pub mod fence;
pub mod image;
pub mod network;
pub mod pool;
pub(crate) mod queue;
pub mod table;
pub mod traffic;

use drstack_core::component::{CompileCx, DynComponent, ErasedComponent, Seed};
use drstack_core::facts::{FactQuery, Known};
use serde_json::json;

use crate::facts::{AccountFact, SIMULATED_ACCOUNT};

pub use crate::registry::components::*;
pub use check::Check;

/// The check component, which may be part of any other: `[[pool.inference.check]]`.
pub const CHECK: &dyn DynComponent = &ErasedComponent::<Check>::NEW;

/// Name under which buckets and tables export the name of their original.
const PRIMARY: &str = "primary";

/// Returns the account that owns the stack's buckets.
///
/// None if an older version stored the facts: a failover from those changes no role and no rule,
/// and any other run captures the account again.
fn account(cx: &CompileCx<'_>) -> Option<String> {
    match cx.facts.get(&FactQuery::account()) {
        Known::Yes(AccountFact(account)) => Some(account),
        Known::Absent | Known::Unknown(_) => None,
    }
}

/// Returns the account for the simulated cloud.
fn simulated_account() -> Seed {
    Seed::Fact { query: FactQuery::account(), value: json!(SIMULATED_ACCOUNT) }
}

/// The default of switches that are on.
fn yes() -> bool {
    true
}
