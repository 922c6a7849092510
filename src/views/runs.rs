//! Past runs as a table, and one with its steps and its report.

use std::fmt::Write;
use std::time::Duration;

use drstack_app::ops::runs::{PastRun, RunState};
use drstack_core::control::runs::{StepEnd, ToldStep};
use drstack_core::text::plain;

use super::color::{GREEN, RED, YELLOW, paint};
use super::{count, duration, report};
use crate::lines::{Line, PastStepLine, PastStepState};
use crate::ui::Ui;

/// Shows the last runs, the newest first.
pub(crate) fn list(ui: Ui, shown: &[PastRun], all: usize) {
    shown.iter().for_each(|it| ui.line(&Line::PastRun(it)));
    if all == 0 {
        return ui.result("No run has changed anything yet.\n");
    }
    let mut rows = vec![["RUN", "COMMAND", "TOOK", "STEPS", "END"].map(str::to_owned)];
    rows.extend(shown.iter().map(row));
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or_default();
    let [run, command, took, steps] = [0, 1, 2, 3].map(width);
    for (at, [r, c, t, s, end]) in rows.iter().enumerate() {
        let end = match at.checked_sub(1).and_then(|at| shown.get(at)) {
            Some(it) => paint(tone(it.state), end),
            None => end.clone(),
        };
        ui.result(&format!("{r:<run$}  {c:<command$}  {t:<took$}  {s:<steps$}  {end}\n"));
    }
    if shown.len() < all {
        ui.note(&format!("{} of {}; `--last {all}` shows all.", shown.len(), count(all, "run")));
    }
}

/// Shows one run.
pub(crate) fn one(ui: Ui, it: &PastRun) {
    ui.line(&Line::PastRun(it));
    for step in it.told.steps.values() {
        let (state, text) = state(&step.end);
        ui.line(&Line::PastStep(PastStepLine { address: &step.address, action: step.action, state, text }));
    }
    it.report.iter().for_each(|it| ui.line(&Line::Report(it)));
    ui.result(&page(it));
}

fn page(it: &PastRun) -> String {
    let [run, command, took, steps, end] = row(it);
    let took = if it.ended.is_some() { format!(", {took}") } else { String::new() };
    let mut out = format!("{run}: {command}{took}; {steps} steps; {}.", paint(tone(it.state), &end));
    if let Some(by) = &it.told.sealed_by {
        let _ = write!(out, " Run {} took over.", plain(by));
    }
    if it.told.unreadable > 0 {
        let _ = write!(out, " {} of its journal cannot be read.", count(it.told.unreadable, "line"));
    }
    out.push_str("\n\n");
    for ToldStep { address, action, end } in it.told.steps.values() {
        let verb = action.verb();
        let (state, text) = match end {
            StepEnd::Begun => (paint(YELLOW, "begun, and no end is known"), None),
            StepEnd::Done(id) => ("done".to_owned(), Some(id)),
            StepEnd::Degraded(rung) => (paint(YELLOW, "degraded"), Some(rung)),
            StepEnd::Failed(error) => (paint(RED, "FAILED"), Some(error)),
        };
        // A check has no object: its id is its address.
        let text = text.filter(|it| !it.is_empty() && *it != address.as_str());
        let text = text.map_or_else(String::new, |it| format!(": {}", plain(it)));
        let _ = writeln!(out, "  {verb} {address}  {state}{text}");
    }
    if let Some(it) = &it.report {
        out.push_str(&report::text(it));
    }
    out
}

fn row(it: &PastRun) -> [String; 5] {
    let took = it.started.zip(it.ended).map(|(from, to)| to.duration_since(from).unsigned_abs());
    let steps = match it.steps {
        Some(steps) => format!("{} of {steps}", it.done),
        None => "-".to_owned(),
    };
    let command = plain(it.purpose.as_deref().unwrap_or("-")).into_owned();
    [plain(&it.run).into_owned(), command, took.map_or_else(|| "-".to_owned(), duration), steps, end(it)]
}

/// Says how it ended, with the verdict where there is one.
fn end(it: &PastRun) -> String {
    let mut out = it.state.name().to_owned();
    if it.failed > 0 {
        let _ = write!(out, ", {} failed", it.failed);
    }
    if it.state == RunState::CutOff && it.begun > 0 {
        let _ = write!(out, ", {} begun", it.begun);
    }
    if let Some(verdict) = it.verdict {
        let _ = write!(out, ": {}", verdict.name());
    }
    let served = it.recovery_seconds.and_then(|it| Duration::try_from_secs_f64(it).ok());
    if let Some(served) = served {
        let _ = write!(out, ", served after {}", duration(served));
    }
    out
}

fn tone(state: RunState) -> anstyle::Style {
    match state {
        RunState::Done => GREEN,
        RunState::Running | RunState::CutOff | RunState::NotKnown => YELLOW,
        RunState::Failed => RED,
    }
}

fn state(end: &StepEnd) -> (PastStepState, Option<&str>) {
    match end {
        StepEnd::Begun => (PastStepState::Begun, None),
        StepEnd::Done(id) => (PastStepState::Done, Some(id)),
        StepEnd::Degraded(rung) => (PastStepState::Degraded, Some(rung)),
        StepEnd::Failed(error) => (PastStepState::Failed, Some(error)),
    }
}
