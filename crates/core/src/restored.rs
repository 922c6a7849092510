//! Data that a failover restores from an export: the export, and the moment that it shows.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::address::Address;
use crate::kind::{Action, KindRegistry, Role};
use crate::plan::{Plan, PlanReport};

/// Output of the export's finder and of the restored resource: the export's id.
pub const EXPORT: &str = "export";
/// Output of the export's finder: the moment that the export shows.
pub const AS_OF: &str = "as_of";

/// Data that a plan restores, or that was already restored from the same export.
#[derive(Clone, Debug, PartialEq)]
pub struct Restored {
    /// Resource that holds the data.
    pub address: Address,
    /// The export's id.
    pub export: String,
    /// True if an earlier failover restored it: it holds what was written to it since, too.
    pub before: bool,
    /// The moment that the export shows, if known: later writes are lost with the primary.
    pub as_of: Option<Timestamp>,
}

/// Returns what `plan` restores, or what was already restored from the export that it would use.
pub fn restored(plan: &Plan, kinds: &KindRegistry) -> Vec<Restored> {
    let mut all = Vec::new();
    for (source, outputs) in &plan.outputs {
        let (Some(as_of), Some(export)) = (outputs.get(AS_OF), outputs.get(EXPORT)) else { continue };
        let component = source.component();
        let is_restored = |kind: &str| kinds.get(kind).is_some_and(|kind| kind.role() == Role::Restored);
        let made = plan.steps.iter().filter(|it| it.action == Action::Create && is_restored(&it.kind));
        let made = made.map(|it| &it.address).filter(|it| it.component() == component);
        let stands = plan.outputs.iter().filter(|(_, it)| it.get(EXPORT) == Some(export));
        let stands = stands.map(|(address, _)| address);
        let stands = stands.filter(|it| *it != source && it.component() == component);
        let made: BTreeSet<&Address> = made.collect();
        let stands = stands.filter(|it| !made.contains(it)).map(|it| (it, true));
        let all_of = made.iter().map(|it| (*it, false)).chain(stands);
        all.extend(all_of.map(|(address, before)| Restored {
            address: address.clone(),
            export: export.clone(),
            before,
            as_of: as_of.parse().ok(),
        }));
    }
    all
}

/// Returns the addresses of restored data that a plan keeps.
pub fn kept<'a>(report: &'a PlanReport, kinds: &KindRegistry) -> Vec<&'a str> {
    let is_restored = |address: &str| {
        let resource = Address::parse(address).map(|it| it.resource().to_owned());
        kinds.iter().any(|kind| kind.role() == Role::Restored && resource.as_deref() == Some(kind.name()))
    };
    report.kept.iter().map(|it| it.address.as_str()).filter(|it| is_restored(it)).collect()
}
