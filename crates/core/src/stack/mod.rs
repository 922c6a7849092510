//! The stack: what a user's TOML says, loaded.

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
    /// Posture of components that do not say their own.
    pub posture: Posture,
    /// Objective of components that do not say their own.
    pub objective: Objective,
    /// Whose signature its bundle must bear, where it names one.
    pub signing: Option<PublicKey>,
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
    /// What it is chosen by, beside its address: `--only tag:team=search`. AWS does not see them.
    pub tags: BTreeMap<String, String>,
    /// Whom it refers to.
    pub refers_to: BTreeSet<ComponentAddress>,
    /// Where its table's header stands, then where the modules around it are used, innermost first.
    pub origin: Vec<Span>,
    /// Where each of its top-level fields stands.
    pub fields: BTreeMap<String, Span>,
    /// What has to hold before it counts as up. A check is declared as a component is, and has its component's address.
    pub checks: Vec<Declared>,
}

impl Declared {
    /// Where `field` stands (its header where it has none), then where the modules around it are used.
    pub(crate) fn labels(&self, field: &str) -> Vec<Label> {
        let own = self.fields.get(field).or(self.origin.first());
        let own = own.map(|span| Label { span: span.clone(), text: String::new() });
        let used = |span: &Span| Label { span: span.clone(), text: "used here".to_owned() };
        own.into_iter().chain(self.origin.iter().skip(1).map(used)).collect()
    }

    /// `problem`, where it stands.
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
mod resolved;
mod schema;
mod scope;
mod template;
#[cfg(test)]
mod tests;
mod user_data;

pub use check::{BUCKET_HELP, is_bucket_name, is_region};
pub use load::{Failed, InputValue, InputValues, Loaded, ReadFiles, load};
pub use resolved::{ResolvedComponent, ResolvedStack, Unresolvable};
pub use schema::schema;
