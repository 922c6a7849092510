//! What a command found and did, as Markdown, for the page of a pipeline.

use std::fmt::Write;

use super::escape::escaped;
use super::{count, report, status, sync};
use drstack_app::operator::News;
use drstack_app::readiness::{ComponentState, Finding, Readiness, Weight};
use drstack_core::facts::Moved;
use drstack_core::kind::Action;
use drstack_core::plan::{ForAPerson, Plan, PlanReport, Remark};

/// Rows of a table; the log has all.
const ROWS: usize = 50;

fn verb(action: Action, replaces: bool) -> String {
    if replaces { "replace" } else { action.verb() }.to_owned()
}

/// Draws a table; empty without rows.
fn table(title: &str, head: &[&str], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let title = if title.is_empty() { String::new() } else { format!("{title}\n\n") };
    let mut out = format!("{title}| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    let left_out = rows.len().saturating_sub(ROWS);
    for row in rows.into_iter().take(ROWS) {
        let cells: Vec<String> = row.iter().map(|it| escaped(it)).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    if left_out > 0 {
        let _ = writeln!(out, "\nand {left_out} more: the log has all.");
    }
    out
}

/// Returns what a page says of `news`; empty for what only the log has.
pub(crate) fn section(news: &News<'_>) -> String {
    match news {
        News::Moved { moved: all, primary } => moved(primary, all),
        News::ForAPerson(left) => for_a_person(left),
        News::Plan { planned, .. } => plan(&planned.plan, &planned.report),
        News::Readiness { stack, readiness: it, .. } => readiness(&stack.facts.name, it),
        // Below the heading of its command.
        News::Report { report: it, .. } => report::markdown(it).replacen("# ", "### ", 1),
        _ => String::new(),
    }
}

/// Lists what moved in the primary since it was last captured.
fn moved(primary: &str, moved: &[Moved]) -> String {
    let rows = moved.iter().flat_map(|it| {
        it.fields.iter().map(|field| {
            let at = sync::name(&it.fact);
            vec![at, field.field.clone(), sync::value(&field.from), sync::value(&field.to)]
        })
    });
    let title = format!("Changed in {} since it was last captured:", escaped(primary));
    table(&title, &["what", "field", "was", "is"], rows.collect())
}

/// Lists the steps that a sync leaves to a person.
fn for_a_person(left: &[ForAPerson]) -> String {
    let rows = left.iter().map(|it| vec![verb(it.action, it.replaces), it.address.clone(), it.why.clone()]);
    table("Left to a person:", &["do", "resource", "why"], rows.collect())
}

/// Lists the steps of a plan, and what is blocked.
fn plan(plan: &Plan, report: &PlanReport) -> String {
    if plan.steps.is_empty() && report.blocked.is_empty() {
        return format!("Nothing to change: {} match the stack.\n", count(report.unchanged, "resource"));
    }
    let rows = plan.steps.iter().map(|it| {
        let symbol = verb(it.action, it.replaces);
        vec![symbol, it.address.to_string(), it.region.clone(), it.reason.clone()]
    });
    let title = format!("{}:", count(plan.steps.len(), "step"));
    let steps = table(&title, &["do", "resource", "region", "why"], rows.collect());
    let blocked = remarks("Blocked:", &report.blocked);
    [steps, blocked].into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join("\n")
}

fn remarks(title: &str, all: &[Remark]) -> String {
    let rows = all.iter().map(|it| vec![it.address.clone(), it.text.clone()]);
    table(title, &["resource", "why"], rows.collect())
}

/// Says whether a failover would work, and what it would lack.
fn readiness(stack: &str, readiness: &Readiness) -> String {
    let Readiness { findings, components, .. } = readiness;
    let (verdict, why) = status::verdict(readiness);
    let mut out = format!("**{}: {verdict}**: {why}\n\n", escaped(stack));
    let row = |it: &Finding| {
        let unknown = if it.weight == Weight::Unknown { "not known: " } else { "" };
        vec![it.address.clone(), format!("{unknown}{}", it.text), it.next.clone().unwrap_or_default()]
    };
    let is_open = |it: &&Finding| it.weight != Weight::Note;
    out.push_str(&table(
        "",
        &["what", "finding", "next"],
        findings.iter().filter(is_open).map(row).collect(),
    ));
    let row = |it: &ComponentState| {
        vec![it.address.to_string(), it.posture.name().to_owned(), status::serves(it), status::state(it)]
    };
    let rows: Vec<_> = components.iter().map(row).collect();
    let _ = write!(out, "\n{}", table("", &["component", "posture", "serves after", "state"], rows));
    out
}
