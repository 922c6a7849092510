//! The moment that restored data dates from: later writes are lost with the primary.

use drstack_core::component::StackFacts;
use drstack_core::kind::KindRegistry;
use drstack_core::plan::{Intent, Plan, PlanReport, Remark};
use drstack_core::restored::{self, Restored};
use jiff::Timestamp;

use crate::text::duration;

/// Returns one remark for each table that `plan` restores, or that was restored from the export
/// that it would restore, as of `now`.
pub(crate) fn restored(plan: &Plan, kinds: &KindRegistry, now: Timestamp) -> Vec<Remark> {
    let remark = |Restored { address, export, before, as_of }: Restored| {
        let text = match as_of {
            _ if before => {
                format!(
                    "an earlier failover restored it from export `{export}`: it holds that, and what was written to it since"
                )
            }
            Some(of) => {
                let age = duration(now.duration_since(of).unsigned_abs());
                format!(
                    "it holds what was there at {of:.0}, {age} before: what was written after that is lost"
                )
            }
            None => {
                format!("it is restored from export `{export}`, which does not say of which moment it is")
            }
        };
        Remark { address: address.to_string(), text }
    };
    restored::restored(plan, kinds).into_iter().map(remark).collect()
}

/// Returns one remark for each restored table that exists while the primary serves, or is about to.
pub(crate) fn left(
    report: &PlanReport,
    kinds: &KindRegistry,
    stack: &StackFacts,
    intent: Intent,
) -> Vec<Remark> {
    let text = match intent {
        Intent::Failback => {
            format!(
                "a failover restored it, and it is not compared: what was written to it is in {} alone: the failback does not copy it",
                stack.standby
            )
        }
        _ => {
            "a failover restored it: the next one serves it as it is by then, and restores nothing".to_owned()
        }
    };
    let kept = restored::kept(report, kinds).into_iter();
    kept.map(|address| Remark { address: address.to_owned(), text: text.clone() }).collect()
}
