//! The head of a plan: the stack, its account and regions, and which region serves.

use drstack_core::objective::Mode;
use drstack_core::plan_file::PlanHead;
use jiff::SignedDuration;

use crate::lines::{PostureLine, StackLine};

/// Describes what a plan is for, in a line.
pub(super) fn text(head: &PlanHead) -> String {
    let facts = &head.facts;
    let account = head.account.as_ref().map_or_else(String::new, |it| format!(", account {it}"));
    format!("{}: {} to {}{account}. {}.\n", facts.name, facts.primary, facts.standby, serving(head))
}

/// Says which region serves.
fn serving(head: &PlanHead) -> String {
    let (facts, standing) = (&head.facts, &head.standing);
    let since = head.since.map_or_else(String::new, |at| format!(" since {at:.0}"));
    let of = head.since.map_or_else(String::new, |at| format!(" (failover of {at:.0})"));
    match standing.mode {
        Mode::Standby if head.complete => format!("{} serves", facts.primary),
        Mode::Standby => format!("A failback to {} is not complete", facts.primary),
        Mode::Active if !head.complete => {
            format!("A failover to {} is under way{since}, and not complete", facts.standby)
        }
        Mode::Active if standing.only.is_empty() => format!("{} serves{of}", facts.standby),
        Mode::Active => {
            format!("{} serves {}{of}", facts.standby, drstack_app::text::listed(&standing.only))
        }
    }
}

/// Returns the same as a JSON line.
pub(super) fn line(head: &PlanHead) -> StackLine<'_> {
    let (facts, standing) = (&head.facts, &head.standing);
    StackLine {
        stack: &facts.name,
        primary: &facts.primary,
        standby: &facts.standby,
        account: head.account.as_deref(),
        mode: standing.mode,
        complete: head.complete,
        epoch: standing.epoch,
        since: head.since,
        only: standing.only.clone(),
    }
}

/// Describes what the posture promises, beside what the stack asks of it.
pub(super) fn posture(head: &PlanHead) -> String {
    let band = head.posture.band();
    let asked = |name: &str, value: Option<SignedDuration>| match value {
        Some(value) => format!("{name} {value:#}"),
        None => format!("no {name}"),
    };
    format!(
        "Posture {}: recovery time {}, data loss {}, cost {}. Asked for: {}, {}.\n\n",
        head.posture.name(),
        band.rto,
        band.rpo,
        band.cost,
        asked("RTO", head.objective.rto),
        asked("RPO", head.objective.rpo),
    )
}

/// Describes the posture for programs, with the objectives in seconds.
pub(super) fn posture_line(head: &PlanHead) -> PostureLine {
    let band = head.posture.band();
    let seconds = |value: Option<SignedDuration>| value.map(|it| it.as_secs());
    PostureLine {
        posture: head.posture,
        rto_band: band.rto,
        rpo_band: band.rpo,
        cost_band: band.cost,
        rto_seconds: seconds(head.objective.rto),
        rpo_seconds: seconds(head.objective.rpo),
    }
}
