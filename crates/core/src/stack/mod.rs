//! The stack: what a user's TOML says, loaded.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::address::ComponentAddress;
use crate::component::{DynComponent, StackFacts};
use crate::diagnostic::{Sources, Span};
use crate::objective::{Objective, Posture};

/// One AI system: its components, objectives and regions.
#[derive(Clone)]
pub struct Stack {
    /// Name, regions, control bucket.
    pub facts: StackFacts,
    /// Posture of components that do not say their own.
    pub posture: Posture,
    /// Objective of components that do not say their own.
    pub objective: Objective,
    /// Components, references resolved to absolute addresses.
    pub components: BTreeMap<ComponentAddress, Declared>,
    /// The `[sim]` table, for the simulator to read; `null` where there is none.
    pub sim: Value,
    /// SHA-256 of everything that was read, inputs included.
    pub hash: String,
    /// Secret values that the stack itself states (user data), by hash.
    pub secrets: crate::cloud::Secrets,
    /// What it was read from.
    pub sources: Sources,
}

/// One component as declared.
#[derive(Clone)]
pub struct Declared {
    /// Its address.
    pub address: ComponentAddress,
    /// Its kind.
    pub component: &'static dyn DynComponent,
    /// Its table, templates replaced, in the shape of the kind's `Spec`.
    pub spec: Value,
    /// Its posture.
    pub posture: Posture,
    /// Its objective.
    pub objective: Objective,
    /// Whom it refers to.
    pub refers_to: BTreeSet<ComponentAddress>,
    /// Where its table's header stands, then where the modules around it are used, innermost first.
    pub origin: Vec<Span>,
    /// Where each of its top-level fields stands.
    pub fields: BTreeMap<String, Span>,
}

mod check;
mod decode;
mod load;
mod schema;
mod scope;
mod template;
#[cfg(test)]
mod tests;

pub use load::{Failed, InputValue, InputValues, Loaded, ReadFiles, load};
pub use schema::schema;
