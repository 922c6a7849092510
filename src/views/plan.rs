//! A plan as text, in Terraform's symbols, and as JSON lines.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use drstack_app::planned::PlanOutcome;
use drstack_core::bundle::commands;
use drstack_core::component::StackFacts;
use drstack_core::facts::Moved;
use drstack_core::forecast::{BASIS, Forecast};
use drstack_core::kind::{Action, KindRegistry};
use drstack_core::objective::Mode;
use drstack_core::plan::skeleton::RehearsedPlan;
use drstack_core::plan::{Gate, Intent, Plan, PlanReport, Remark, Step, StepId};
use drstack_core::plan_file::PlanHead;
use drstack_core::stack::Stack;
use drstack_core::text::plain;
use jiff::Timestamp;

use super::color::labels;
use super::{count, duration, forecast, head, order, step, sync};
use crate::lines::{GateLine, Line, PlanLine, RehearsedLine, RehearsedStepLine, StepLine};
use crate::ui::Ui;

/// Counts creations, updates, deletions and checks. A replacement counts as one creation and one
/// deletion.
fn tally(plan: &Plan, kinds: &KindRegistry) -> (usize, usize, usize, usize) {
    let (checks, changes): (Vec<&Step>, Vec<&Step>) =
        plan.steps.iter().partition(|it| step::is_check(it, kinds));
    let of = |action| changes.iter().filter(|step| step.action == action).count();
    (of(Action::Create), of(Action::Update), of(Action::Delete), checks.len())
}

/// A plan to show: just made, or from a plan file.
pub(crate) struct ShownPlan<'a> {
    /// What it is for.
    pub(crate) head: &'a PlanHead,
    /// The steps.
    pub(crate) plan: &'a Plan,
    /// What the planner reported beside the steps.
    pub(crate) report: &'a PlanReport,
    /// The predicted course.
    pub(crate) forecast: &'a Forecast,
    /// The intent of the plan.
    pub(crate) intent: Intent,
}

impl ShownPlan<'_> {
    /// Shows the plan, for people and programs.
    pub(crate) fn show(&self, ui: Ui) {
        let Self { head, report, intent, .. } = self;
        ui.result(&head::text(head));
        ui.line(&Line::Stack(head::line(head)));
        if *intent == Intent::Converge {
            ui.result(&head::posture(head));
            ui.line(&Line::Posture(head::posture_line(head)));
        }
        ui.result(&self.text(ui.verbose));
        if let Some(sequence) = head.sequence.as_ref().filter(|_| *intent != Intent::Failback) {
            order::show(ui, sequence);
        }
        self.lines(ui.verbose).iter().for_each(|line| ui.line(line));
        if *intent == Intent::Converge {
            head.warnings.iter().for_each(|it| ui.warn(&format!("warning: {it}")));
        }
        let failover = head.failover.as_ref().filter(|_| head.rehearsed && report.blocked.is_empty());
        if let Some(failover) = failover {
            ui.result(&forecast::failover(failover, forecast::when(self.plan, report)));
        }
    }

    /// Writes the plan for people, with all values if `verbose`.
    fn text(&self, verbose: bool) -> String {
        let Self { head, plan, report, forecast, intent } = self;
        let kinds = drstack_kinds::kinds();
        let mut out = step::text(plan, &kinds, verbose);
        for (title, remarks) in sections(report) {
            let stored = if title == NOTES { stored(report, verbose) } else { Vec::new() };
            if remarks.is_empty() && stored.is_empty() {
                continue;
            }
            let gap = if out.is_empty() { "" } else { "\n" };
            let _ = writeln!(out, "{gap}{}", labels(title));
            let grouped = if title == BLOCKED && !verbose { silent(report) } else { Vec::new() };
            for (region, addresses) in &grouped {
                let items = remarks.iter().filter(|it| addresses.contains(&it.address)).count();
                let items = count(items, "item");
                let whose = match region.as_str() {
                    "global" => "the global services, which do not answer".to_owned(),
                    region => format!("{region}, which does not answer"),
                };
                let _ = writeln!(out, "  {items} wait for {whose} (`plan --verbose` lists them)");
            }
            let is_grouped = |it: &&Remark| grouped.iter().any(|(_, all)| all.contains(&it.address));
            for Remark { address, text } in remarks.iter().filter(|it| !is_grouped(it)) {
                let _ = writeln!(out, "  {address}: {}", plain(text));
            }
            stored.iter().for_each(|line| out.push_str(line));
        }
        if plan.is_empty() {
            let gap = if out.is_empty() { "" } else { "\n" };
            return out + gap + &nothing(report, *intent) + "\n";
        }
        let (add, change, destroy, checks) = tally(plan, &kinds);
        let checks = if checks == 0 { String::new() } else { format!("; {}", count(checks, "check")) };
        out.push('\n');
        out.extend(step::legend(plan, &kinds));
        let _ = writeln!(out, "Plan: {add} to add, {change} to change, {destroy} to destroy{checks}.");
        let failover = head.failover.as_ref().filter(|_| intent.fails_over());
        let failover = failover.map(|it| (it, report.blocked.is_empty()));
        out.extend(forecast::plan(plan, (forecast, head.slots), failover));
        out
    }

    /// Returns the plan's JSON lines, with all values if `verbose`.
    fn lines(&self, verbose: bool) -> Vec<Line<'_>> {
        let Self { head, plan, report, forecast, .. } = self;
        let kinds = drstack_kinds::kinds();
        let steps = plan.steps.iter().enumerate().map(|(id, step)| step_line(id, step, &kinds, verbose));
        let gates = plan.gates.iter().map(|Gate { needs, after, holds }| GateLine { needs, after, holds });
        let mut lines: Vec<Line<'_>> = steps.map(Line::Step).chain(gates.map(Line::Gate)).collect();
        lines.extend(report.blocked.iter().map(Line::Blocked));
        lines.extend(report.kept.iter().map(Line::Kept));
        lines.extend(report.waiting.iter().map(Line::Waiting));
        lines.extend(report.notes.iter().map(Line::Note));
        lines.extend(report.stored.iter().map(|it| Line::Note(&it.remark)));
        let (add, change, destroy, checks) = tally(plan, &kinds);
        lines.push(Line::Plan(PlanLine {
            add,
            change,
            destroy,
            checks,
            unchanged: report.unchanged,
            blocked: report.blocked.len(),
            estimate_seconds: forecast.total.as_secs_f64(),
            forecast: head.failover.as_ref().map(|it| forecast::line(it, report.blocked.is_empty())),
        }));
        lines
    }
}

/// Explains why there are no steps.
fn nothing(report: &PlanReport, intent: Intent) -> String {
    match intent {
        // A failover may be possible all the same.
        Intent::Converge | Intent::Destroy if !report.silent.is_empty() => {
            let all: Vec<&str> = report.silent.keys().map(|region| name(region)).collect();
            let verb = if intent == Intent::Destroy { "destroyed" } else { "applied" };
            format!("Nothing can be {verb} while {} not answer.", does(&all))
        }
        _ if !report.blocked.is_empty() => "Nothing can be done until that is fixed.".to_owned(),
        Intent::Destroy if report.kept.is_empty() => {
            "Nothing to destroy: nothing of the stack exists. If it was applied with another `standby`, `control` or `name`, write that \
             again: it is where it was."
                .to_owned()
        }
        Intent::Destroy => "Nothing left to destroy.".to_owned(),
        _ => match report.unchanged {
            1 => "No changes. 1 resource matches the stack.".to_owned(),
            all => format!("No changes. {all} resources match the stack."),
        },
    }
}

/// Returns what to do about what is blocked.
pub(crate) fn way_on(stack: &Stack, planned: &PlanOutcome, intent: Intent) -> String {
    let StackFacts { primary, standby, .. } = &stack.facts;
    let silent = &planned.report.silent;
    let waits = |it: &Remark| silent.values().any(|all| all.contains(&it.address));
    let only_waits = planned.report.blocked.iter().all(waits);
    let serves = planned.mode.standing().mode == Mode::Active;
    match intent {
        Intent::Converge if only_waits && serves => {
            let all: Vec<&str> = silent.keys().map(|region| name(region)).collect();
            let answer = if all.len() == 1 && all[0] != "the global services" { "answers" } else { "answer" };
            format!(
                "{standby} serves meanwhile; run this again once {} {answer}; `drstack failover STACK` repairs what is in {standby} without that",
                drstack_app::text::listed(&all)
            )
        }
        Intent::Failover if planned.lacks_what_an_apply_makes() => format!(
            "what is blocked needs objects outside {standby}, which a failover cannot create: once {primary} answers, run `drstack apply STACK`, or `drstack failback STACK` if this failover goes on"
        ),
        _ => "fix the items under \"Blocked\", then run it again".to_owned(),
    }
}

/// Names a place that does not answer.
fn name(region: &str) -> &str {
    if region == "global" { "the global services" } else { region }
}

/// Writes `us-east-1 does` or `us-east-1 and the global services do`.
fn does(regions: &[&str]) -> String {
    let verb = if regions.len() == 1 && regions[0] != "the global services" { "does" } else { "do" };
    format!("{} {verb}", drstack_app::text::listed(regions))
}

/// Describes the failover that was rehearsed at `at`, step by step.
pub(crate) fn rehearsed(at: Timestamp, skeleton: &RehearsedPlan) -> String {
    let time = |seconds: f64| duration(Duration::from_secs_f64(seconds.max(0.0)));
    let steps = count(skeleton.steps.len(), "step");
    let total = time(skeleton.estimate);
    let mut out = format!("The apply of {at:.0} expected a failover of {steps}, about {total} ({BASIS}):\n");
    for bone in &skeleton.steps {
        let symbol = step::Symbol::of(bone.action, false).text();
        let _ = writeln!(out, "{symbol} {:<34} {:<14} {}", bone.address, bone.region, time(bone.estimate));
    }
    out.push('\n');
    out
}

/// Describes the rehearsed failover for programs.
pub(crate) fn rehearsed_line(at: Timestamp, skeleton: &RehearsedPlan) -> Line<'_> {
    let steps = skeleton.steps.iter().map(|bone| RehearsedStepLine {
        action: bone.action,
        address: &bone.address,
        kind: &bone.kind,
        region: &bone.region,
        before: &bone.before,
        estimate_seconds: bone.estimate,
    });
    Line::Rehearsed(RehearsedLine {
        at,
        steps: steps.collect(),
        gates: &skeleton.gates,
        estimate_seconds: skeleton.estimate,
    })
}

/// Lists the calls that each step may make.
pub(crate) fn calls(plan: &Plan, kinds: &KindRegistry) -> String {
    let mut out = String::from("\nCalls that the steps may make:\n");
    for step in &plan.steps {
        let operations =
            kinds.get(&step.kind).map(|kind| kind.operations_of(step.action)).unwrap_or_default();
        let calls: Vec<String> =
            operations.iter().map(|it| format!("{}:{}", it.service, it.action)).collect();
        let _ = writeln!(out, "  {} in {}: {}", step.address, step.region, calls.join(", "));
    }
    out
}

/// Describes how the regions have diverged since the failover at `since`, if that moment is known.
pub(crate) fn divergence(standby: &str, since: Option<Timestamp>, complete: bool, moved: &[Moved]) -> String {
    let since = since.map_or_else(String::new, |it| format!(" since {it:.0}"));
    let mut out = match complete {
        true => format!("{standby} has served{since}.\n"),
        false => format!(
            "A failover to {standby} is under way{since}, and not complete: {standby} may have served.\n"
        ),
    };
    match moved {
        [] => out.push_str("Nothing that is followed in the primary has changed meanwhile.\n"),
        moved => {
            out.push_str("Changed in the primary meanwhile:\n");
            out.push_str(&sync::fields(moved));
        }
    }
    out
}

/// Title of what is blocked.
const BLOCKED: &str = "Blocked:";
/// Title of the notes, at whose end the stored answers are.
const NOTES: &str = "Notes:";

/// Describes the stored answers that are used: several in one line, unless `verbose`.
fn stored(report: &PlanReport, verbose: bool) -> Vec<String> {
    let all = &report.stored;
    let oldest = all.iter().map(|it| it.age_seconds.unsigned_abs()).max();
    match oldest.filter(|_| all.len() > 1 && !verbose) {
        Some(age) => vec![format!(
            "  {} were not answered: using stored answers, the oldest of {} ago (`plan --verbose` lists them)\n",
            count(all.len(), "fact"),
            duration(Duration::from_secs(age))
        )],
        None => {
            all.iter().map(|it| format!("  {}: {}\n", it.remark.address, plain(&it.remark.text))).collect()
        }
    }
}

/// Returns the regions for which several blocked items wait, with these items.
fn silent(report: &PlanReport) -> Vec<(&String, &BTreeSet<String>)> {
    report.silent.iter().filter(|(_, addresses)| addresses.len() > 1).collect()
}

fn sections(report: &PlanReport) -> [(&'static str, &[Remark]); 4] {
    [
        (BLOCKED, &report.blocked),
        ("Kept:", &report.kept),
        ("Not ready yet:", &report.waiting),
        (NOTES, &report.notes),
    ]
}

fn step_line<'a>(id: StepId, step: &'a Step, kinds: &KindRegistry, verbose: bool) -> StepLine<'a> {
    StepLine {
        step: id,
        action: step.action,
        address: &step.address,
        kind: &step.kind,
        region: &step.region,
        id: step.id.as_deref(),
        reason: &step.reason,
        changes: &step.changes,
        needs: &step.needs,
        after: &step.after,
        replaces: step.replaces,
        estimate_seconds: step.estimate,
        rungs: step::rungs(step, kinds),
        command: commands::of_step(step, kinds).map(|it| it.argv),
        values: (verbose && !step.spec.is_null()).then_some(&step.spec),
    }
}
