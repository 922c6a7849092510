//! Progress of a run: bars on a terminal, plain lines elsewhere, JSON lines for programs.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use drstack_core::address::Address;
use drstack_core::engine::event::{Event, Outcome};
use drstack_core::engine::execute::RunSummary;
use drstack_core::kind::Action;
use drstack_core::plan::StepId;
use drstack_core::text::plain;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{count, duration};
use crate::lines::Line;
use crate::ui::{TICK, Ui};

/// Shows the progress of a run.
pub(crate) struct Progress {
    ui: Ui,
    bars: Option<MultiProgress>,
    running: BTreeMap<StepId, Running>,
}

/// A step in progress.
struct Running {
    what: String,
    bar: Option<ProgressBar>,
    /// The last reported reason for waiting. Repeating it at each observation is noise.
    waiting_for: String,
}

impl Progress {
    /// Creates the view, with bars if stderr is a terminal and time is real.
    pub(crate) fn new(ui: Ui, simulated: bool) -> Self {
        let bars = (std::io::stderr().is_terminal() && !simulated && !ui.json).then(MultiProgress::new);
        Self { ui, bars, running: BTreeMap::new() }
    }

    /// Shows one event.
    pub(crate) fn show(&mut self, event: &Event) {
        self.ui.line(&Line::Event(event));
        match event {
            Event::StepStarted { step, address, action, id } => {
                let what = format!("{} {}", doing(*action), full(address, id.as_deref()));
                let bar = self.bars.as_ref().map(|bars| {
                    let bar = bars.add(ProgressBar::new_spinner());
                    if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} {elapsed}") {
                        bar.set_style(style);
                    }
                    bar.set_message(what.clone());
                    bar.enable_steady_tick(TICK);
                    bar
                });
                self.running.insert(*step, Running { what, bar, waiting_for: String::new() });
            }
            Event::StepWaiting { step, waiting_for, output } => {
                let Some(running) = self.running.get_mut(step) else { return };
                let output = output.as_ref().map_or_else(String::new, |it| format!(": {it}"));
                let text = plain(&format!("{}: {waiting_for}{output}", running.what)).into_owned();
                match &running.bar {
                    Some(bar) => bar.set_message(text),
                    None if running.waiting_for == *waiting_for => {}
                    None => self.ui.note(&format!("  {text}")),
                }
                running.waiting_for.clone_from(waiting_for);
            }
            Event::StepDegraded { address, rung, .. } => self.say(&format!("  DEGRADED {address}: {rung}")),
            Event::StepFinished { step, address, action, id, outcome, elapsed } => {
                let named = full(address, id.as_deref());
                let running = self.running.remove(step);
                let was_cut_off = running.is_some();
                if let Some(bar) = running.and_then(|it| it.bar) {
                    bar.finish_and_clear();
                }
                match outcome {
                    Outcome::Unfinished if !was_cut_off => self.say(&format!("  not started: {named}")),
                    _ => self.say(&finished(&named, *action, outcome, *elapsed)),
                }
            }
            Event::Draining { running } => {
                self.say(&format!(
                    "stopping: {} still running; Ctrl-C again stops at once",
                    count(*running, "step")
                ));
            }
            Event::RunStarted { .. } | Event::RunFinished { .. } => {}
        }
    }

    fn say(&self, text: &str) {
        let text = &*plain(text);
        match &self.bars {
            Some(bars) => bars.suspend(|| self.ui.note(text)),
            None => self.ui.note(text),
        }
    }
}

fn doing(action: Action) -> &'static str {
    match action {
        Action::Create => "creating",
        Action::Update => "changing",
        Action::Delete => "deleting",
    }
}

/// Returns an address, with AWS's id of a deleted resource.
fn full(address: &Address, id: Option<&str>) -> String {
    id.map_or_else(|| address.to_string(), |id| format!("{address} `{id}`"))
}

fn finished(address: &str, action: Action, outcome: &Outcome, elapsed: Duration) -> String {
    match outcome {
        Outcome::Done => {
            let done = match action {
                Action::Create => "created",
                Action::Update => "changed",
                Action::Delete => "deleted",
            };
            format!("  {done} {address} ({})", duration(elapsed))
        }
        Outcome::Failed { error } => format!("  FAILED {} {address}: {error}", doing(action)),
        Outcome::Skipped { .. } => format!("  skipped {address}: something it needs failed"),
        Outcome::Unfinished => {
            format!("  STOPPED while {} {address}: the next run checks its state", doing(action))
        }
    }
}

/// Describes the end of a run in one sentence. What was `blocked` has no step, and is not done either.
pub(crate) fn summary(verb: &str, summary: &RunSummary, blocked: usize) -> String {
    let took = duration(summary.elapsed);
    if summary.is_complete() && blocked == 0 {
        return format!("{verb} complete: {} done in {took}.\n", count(summary.done, "step"));
    }
    format!(
        "{verb} incomplete: {} done, {} failed, {} skipped, {} not started, {blocked} blocked, in {took}.\n",
        summary.done,
        summary.failed.len(),
        summary.skipped,
        summary.unfinished.len()
    )
}
