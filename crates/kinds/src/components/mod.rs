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

use std::fmt::Display;

use drstack_core::component::{CompileCx, DynComponent, ErasedComponent, ResourceSet, Seed};
use drstack_core::diagnostic::codes::UNANSWERED;
use drstack_core::facts::{FactQuery, Known, NoAnswer};
use drstack_core::objective::Mode;
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

/// Reports that an object of the primary is not what drstack can follow.
///
/// It is an error until the stack is applied so. Once the standby region serves it is a warning:
/// nothing of it can be mended then, and what is there has to stay in reach.
fn refuse(
    cx: &CompileCx<'_>,
    out: &mut ResourceSet,
    (code, field): (&'static str, &'static str),
    message: String,
    help: impl Into<String>,
) {
    match cx.mode {
        Mode::Standby => out.error(code, field, message, help),
        Mode::Active => out.warn(code, field, message, help),
    }
}

/// Reports that nothing is known of what the component follows.
///
/// Only a refusal is an error of the stack, and has the component's own `code`.
fn unknown(
    out: &mut ResourceSet,
    (code, field): (&'static str, &'static str),
    message: impl Display,
    why: &NoAnswer,
    help: impl Into<String>,
) {
    let code = if why.is_refusal() { code } else { UNANSWERED };
    out.error(code, field, format!("{message}: {why}"), help);
}

/// True if a failover goes on without an answer that nobody has: what stands in the standby region stays as it
/// is. Warns of it. A refusal is an error in either mode.
fn goes_on_without(
    cx: &CompileCx<'_>,
    out: &mut ResourceSet,
    (code, field): (&'static str, &'static str),
    message: impl Display,
    why: &NoAnswer,
) -> bool {
    let goes_on = cx.mode == Mode::Active && !why.is_refusal();
    if goes_on {
        out.warn(code, field, format!("{message} ({why}): it stays as it stands"), why.hint());
    }
    goes_on
}

/// The default of switches that are on.
fn yes() -> bool {
    true
}
