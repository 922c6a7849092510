//! The head of a plan: the stack, its account and regions, and which region serves.

use drstack_app::planned::PlanOutcome;
use drstack_core::objective::Mode;
use drstack_core::stack::Stack;

use crate::lines::StackLine;

/// Describes what a plan is for, in a line.
pub(crate) fn text(stack: &Stack, planned: &PlanOutcome) -> String {
    let facts = &stack.facts;
    let account = planned.account().map_or_else(String::new, |it| format!(", account {it}"));
    format!("{}: {} to {}{account}. {}.\n", facts.name, facts.primary, facts.standby, serving(stack, planned))
}

/// Says which region serves.
fn serving(stack: &Stack, planned: &PlanOutcome) -> String {
    let (kept, standing) = (&planned.mode, planned.mode.standing());
    let since = kept.since().map_or_else(String::new, |at| format!(" since {at:.0}"));
    match standing.mode {
        Mode::Standby if kept.is_complete() => format!("{} serves", stack.facts.primary),
        Mode::Standby => format!("A failback to {} is not complete", stack.facts.primary),
        Mode::Active if !kept.is_complete() => {
            format!("A failover to {} is under way{since}, and not complete", stack.facts.standby)
        }
        Mode::Active if standing.only.is_empty() => format!("{} serves{since}", stack.facts.standby),
        Mode::Active => {
            format!("{} serves {}{since}", stack.facts.standby, drstack_app::text::listed(&standing.only))
        }
    }
}

/// Returns the same as a JSON line.
pub(crate) fn line<'a>(stack: &'a Stack, planned: &'a PlanOutcome) -> StackLine<'a> {
    let (facts, standing) = (&stack.facts, planned.mode.standing());
    StackLine {
        stack: &facts.name,
        primary: &facts.primary,
        standby: &facts.standby,
        account: planned.account(),
        mode: standing.mode,
        complete: planned.mode.is_complete(),
        epoch: standing.epoch,
        since: planned.mode.since(),
        only: standing.only,
    }
}
