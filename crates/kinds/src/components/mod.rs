//! Components: what a user writes. One file each, and one line here.

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

/// What stands below any of them: `[[pool.inference.check]]`.
pub const CHECK: &dyn DynComponent = &ErasedComponent::<Check>::NEW;

/// What buckets and tables call the name of what they copy, for whoever refers to them.
const PRIMARY: &str = "primary";

/// The account that owns the stack's buckets. None where an older version kept the facts: a failover from those changes no role
/// and no rule, and anything else asks anew.
fn account(cx: &CompileCx<'_>) -> Option<String> {
    match cx.facts.get(&FactQuery::account()) {
        Known::Yes(AccountFact(account)) => Some(account),
        Known::Absent | Known::Unknown(_) => None,
    }
}

/// What the simulated cloud answers to that.
fn simulated_account() -> Seed {
    Seed::Fact { query: FactQuery::account(), value: json!(SIMULATED_ACCOUNT) }
}

/// The default of switches that are on.
fn yes() -> bool {
    true
}
