//! Data that a failover restores from an export: from which one, and of which moment it is.

use jiff::Timestamp;

use crate::address::Address;
use crate::kind::{Action, KindRegistry};
use crate::plan::{Plan, PlanReport};

/// Output of what finds the export, and of what was restored from it: the export's id.
pub const EXPORT: &str = "export";
/// Output of what finds the export: the moment that it shows.
pub const AS_OF: &str = "as_of";

/// Data that a plan restores, or that was restored from the export that it would restore.
#[derive(Clone, Debug, PartialEq)]
pub struct Restored {
    /// What holds it.
    pub address: Address,
    /// The export's id.
    pub export: String,
    /// The moment that the export shows, where it says one: later writes are lost with the primary.
    pub as_of: Option<Timestamp>,
}

/// What `plan` restores, or finds restored from the export that it would restore.
pub fn restored(plan: &Plan, kinds: &KindRegistry) -> Vec<Restored> {
    let mut all = Vec::new();
    for (source, outputs) in &plan.outputs {
        let (Some(as_of), Some(export)) = (outputs.get(AS_OF), outputs.get(EXPORT)) else { continue };
        for kind in kinds.iter().filter(|kind| kind.restored()) {
            let address = Address::new(&source.component(), kind.name());
            let is_made = plan.steps.iter().any(|it| it.address == address && it.action == Action::Create);
            let stands = plan.outputs.get(&address).and_then(|it| it.get(EXPORT)) == Some(export);
            if is_made || stands {
                all.push(Restored { address, export: export.clone(), as_of: as_of.parse().ok() });
            }
        }
    }
    all
}

/// The addresses of restored data that a plan keeps.
pub fn kept<'a>(report: &'a PlanReport, kinds: &KindRegistry) -> Vec<&'a str> {
    let is_restored = |address: &str| {
        let resource = Address::parse(address).map(|it| it.resource().to_owned());
        kinds.iter().any(|kind| kind.restored() && resource.as_deref() == Some(kind.name()))
    };
    report.kept.iter().map(|it| it.address.as_str()).filter(|it| is_restored(it)).collect()
}
