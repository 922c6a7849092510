//! Data that a failover restores from an export: the export, and the moment that it shows.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::address::{Address, ComponentAddress};
use crate::kind::{Action, KindRegistry, Role};
use crate::plan::{Plan, PlanReport};

/// Output of the export's finder and of the restored resource: the export's id; empty if unknown.
pub const EXPORT: &str = "export";
/// Output of both: the moment that the export shows; empty if unknown.
pub const AS_OF: &str = "as_of";

/// An export of data.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// Its id; empty if unknown.
    pub id: String,
    /// The moment that it shows, if known.
    pub as_of: Option<Timestamp>,
}

/// Data that a plan restores, or that is restored already.
#[derive(Clone, Debug, PartialEq)]
pub struct Restored {
    /// Resource that holds the data.
    pub address: Address,
    /// The export that it is restored from. Later writes are lost with the primary.
    pub from: Export,
    /// True if an earlier run restored it: it holds what was written to it since, too.
    pub before: bool,
    /// The export that a failover would restore now, if it is another one.
    pub newer: Option<Export>,
}

/// Returns what `plan` restores, and what it finds restored already.
pub fn restored(plan: &Plan, kinds: &KindRegistry) -> Vec<Restored> {
    let export = |outputs: &BTreeMap<String, String>| {
        Some(Export { id: outputs.get(EXPORT)?.clone(), as_of: outputs.get(AS_OF)?.parse().ok() })
    };
    let exports = plan.outputs.iter().filter_map(|(address, outputs)| Some((address, export(outputs)?)));
    let (there, found): (Vec<_>, Vec<_>) = exports.partition(|(it, _)| is_restored(it, kinds));
    let newest: BTreeMap<ComponentAddress, Export> =
        found.into_iter().map(|(address, export)| (address.component(), export)).collect();
    let made = plan.steps.iter().filter(|it| it.action == Action::Create).map(|it| &it.address);
    let made = made.filter(|it| is_restored(it, kinds)).filter_map(|address| {
        let from = newest.get(&address.component())?.clone();
        Some(Restored { address: address.clone(), from, before: false, newer: None })
    });
    let there = there.into_iter().map(|(address, from)| {
        let newer = newest.get(&address.component()).cloned();
        let (from, newer) = match newer {
            Some(same) if same.id == from.id => (same, None),
            other => (from, other),
        };
        Restored { address: address.clone(), from, before: true, newer }
    });
    let mut all: Vec<Restored> = made.chain(there).collect();
    all.sort_by(|a, b| a.address.cmp(&b.address));
    all
}

/// True if `address` is that of restored data.
fn is_restored(address: &Address, kinds: &KindRegistry) -> bool {
    kinds.iter().any(|kind| kind.role() == Role::Restored && address.resource() == kind.name())
}

/// Returns the addresses of restored data that a plan keeps.
pub fn kept<'a>(report: &'a PlanReport, kinds: &KindRegistry) -> Vec<&'a str> {
    let kept = report.kept.iter().map(|it| it.address.as_str());
    kept.filter(|it| Address::parse(it).is_some_and(|it| is_restored(&it, kinds))).collect()
}
