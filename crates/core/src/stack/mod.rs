//! The stack: a stack file with its modules, loaded.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::address::ComponentAddress;
use crate::component::{DynComponent, Problem, StackFacts};
use crate::diagnostic::{Diagnostic, Label, Sources, Span};
use crate::keys::PublicKey;
use crate::objective::{Objective, Posture};

/// One AI system: its components, objectives and regions.
#[derive(Clone)]
pub struct Stack {
    /// Name, regions, control bucket.
    pub facts: StackFacts,
    /// Default posture of components.
    pub posture: Posture,
    /// Default objective of components.
    pub objective: Objective,
    /// Key that must have signed its bundle, if the stack names one.
    pub signing: Option<PublicKey>,
    /// Components, with references resolved to absolute addresses.
    pub components: BTreeMap<ComponentAddress, Declared>,
    /// What components were called before, new by old address (`[[moved]]`).
    pub moved: BTreeMap<ComponentAddress, ComponentAddress>,
    /// What a sync may do by itself (`[sync]`).
    pub sync: SyncLimits,
    /// The `[sim]` table for the simulator; `null` if there is none.
    pub sim: Value,
    /// SHA-256 of all files read, and of the inputs.
    pub hash: String,
    /// Secret values in the stack itself ([`crate::component::SecretText`]), by hash.
    pub secrets: crate::cloud::Secrets,
    /// The files that it was read from.
    pub sources: Sources,
}

/// One component as declared.
#[derive(Clone)]
pub struct Declared {
    /// Its address.
    pub address: ComponentAddress,
    /// Its component kind.
    pub component: &'static dyn DynComponent,
    /// Its table with templates replaced, in the shape of the kind's `Spec`.
    pub spec: Value,
    /// Its posture.
    pub posture: Posture,
    /// Its objective.
    pub objective: Objective,
    /// Tags to select it by, beside its address: `--only tag:team=search`. AWS does not see them.
    pub tags: BTreeMap<String, String>,
    /// Components that it refers to.
    pub refers_to: BTreeSet<ComponentAddress>,
    /// Span of its table's header, then where the modules around it are used, innermost first.
    pub origin: Vec<Span>,
    /// Spans of its top-level fields.
    pub fields: BTreeMap<String, Span>,
    /// Checks that must pass before it counts as up. A check is declared like a component, and has
    /// its component's address.
    pub checks: Vec<Declared>,
}

impl Declared {
    /// Returns the span of `field` (or of the header), then where the modules around it are used.
    pub(crate) fn labels(&self, field: &str) -> Vec<Label> {
        let own = self.fields.get(field).or(self.origin.first());
        let own = own.map(|span| Label { span: span.clone(), text: String::new() });
        let used = |span: &Span| Label { span: span.clone(), text: "used here".to_owned() };
        own.into_iter().chain(self.origin.iter().skip(1).map(used)).collect()
    }

    /// Converts `problem` to a diagnostic with its place.
    pub(crate) fn diagnose(&self, problem: &Problem) -> Diagnostic {
        Diagnostic {
            code: problem.code,
            severity: problem.severity,
            message: format!("{}: {}", self.address.without_keys(), problem.message),
            labels: self.labels(problem.field),
            help: Some(problem.help.clone()),
        }
    }
}

mod check;
mod declare;
mod decode;
mod fields;
mod head;
mod inputs;
mod load;
mod member;
mod module;
mod moved;
mod outside;
mod regions;
mod resolved;
mod schema;
mod scope;
mod secret_text;
mod sync;
mod template;
#[cfg(test)]
mod tests;

pub use check::{BUCKET_HELP, is_bucket_name, is_region};
pub(crate) use decode::guess;
pub use load::{Failed, Loaded, load};
pub use outside::{FileError, InputValue, InputValues, Origin, Outside, ReadFiles};
pub use regions::partition;
pub use resolved::{ResolvedComponent, ResolvedStack, Unresolvable};
pub use schema::schema;
pub use sync::{Allowed, SyncLimits};
