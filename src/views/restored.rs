//! Of which moment restored data is: what was written after it is lost with the primary.

use drstack_core::address::Address;
use drstack_core::component::StackFacts;
use drstack_core::kind::{Action, Kind};
use drstack_core::plan::{Intent, Plan, PlanReport, Remark};
use drstack_kinds::resources::TableImport;
use drstack_kinds::resources::table_copy::{AS_OF, EXPORT};
use jiff::Timestamp;

use super::duration;

/// One sentence for each table that `plan` restores, or that stands restored from the export that it would restore, as of `now`.
pub(crate) fn restored(plan: &Plan, now: Timestamp) -> Vec<Remark> {
    let restores =
        |table: &Address| plan.steps.iter().any(|it| it.address == *table && it.action == Action::Create);
    let mut remarks = Vec::new();
    for (address, outputs) in &plan.outputs {
        let (Some(as_of), Some(export)) = (outputs.get(AS_OF), outputs.get(EXPORT)) else { continue };
        let table = Address::new(&address.component(), TableImport::NAME);
        let stands = plan.outputs.get(&table).and_then(|it| it.get(EXPORT)) == Some(export);
        if !restores(&table) && !stands {
            continue;
        }
        let text = match as_of.parse::<Timestamp>() {
            Ok(of) => {
                let age = duration(now.duration_since(of).unsigned_abs());
                format!(
                    "it holds what was there at {of:.0}, {age} before: what was written after that is lost"
                )
            }
            Err(_) => {
                format!("it is restored from export `{export}`, which does not say of which moment it is")
            }
        };
        remarks.push(Remark { address: table.to_string(), text });
    }
    remarks
}

/// One sentence for each restored table that stands while the primary serves, or is about to.
pub(crate) fn left(report: &PlanReport, stack: &StackFacts, intent: &Intent) -> Vec<Remark> {
    let is_restored = |it: &&Remark| it.address.ends_with(&format!("/{}", TableImport::NAME));
    let text = match intent {
        Intent::Failback => {
            format!(
                "a takeover restored it, and it is not compared: what was written to it is in {} alone: nobody hands it back",
                stack.standby
            )
        }
        _ => "a takeover restored it: the next one serves it as it stands then, and restores nothing"
            .to_owned(),
    };
    let kept = report.kept.iter().filter(is_restored);
    kept.map(|it| Remark { address: it.address.clone(), text: text.clone() }).collect()
}
