//! Progress of a run: bars on a terminal, plain lines elsewhere, JSON lines for programs.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use drstack_app::planned::PlanOutcome;
use drstack_core::address::Address;
use drstack_core::engine::event::{Event, Outcome};
use drstack_core::engine::execute::RunSummary;
use drstack_core::forecast::{Course, Remaining};
use drstack_core::kind::Action;
use drstack_core::plan::StepId;
use drstack_core::text::plain;
use indicatif::MultiProgress;
use tokio::time::Instant;

use super::bars::Bars;
use super::color::{GREEN, RED, paint};
use super::{about, count, duration, listed};
use crate::lines::Line;
use crate::ui::Ui;

/// Longest silence without a terminal, far below the ten minutes after which a CI system takes a
/// job without output for dead.
pub(crate) const QUIET: Duration = Duration::from_secs(120);

/// Shortest time between two predictions of the time that is left, which take all steps.
const PREDICTED_EVERY: Duration = Duration::from_secs(1);

/// Shows the progress of a run.
pub(crate) struct Progress {
    ui: Ui,
    on_terminal: bool,
    bars: Option<Bars>,
    /// Number of steps, and of those that have ended.
    steps: usize,
    ended: usize,
    /// True for the steps of the plan that have ended.
    has_ended: Vec<bool>,
    running: BTreeMap<StepId, Running>,
    remaining: Option<Remaining>,
    /// The time that was left at a moment.
    left: Option<(Instant, Duration)>,
    /// When the last line was printed.
    said: Instant,
}

/// A step in progress.
struct Running {
    what: String,
    since: Instant,
    /// The last reported reason for waiting. Repeating it at each observation is noise.
    waiting_for: String,
}

impl Running {
    /// Describes the step and what it waits for.
    fn text(&self) -> String {
        match self.waiting_for.is_empty() {
            true => self.what.clone(),
            false => format!("{}: {}", self.what, self.waiting_for),
        }
    }
}

impl Progress {
    /// Creates the view, with bars if stderr is a terminal and time is real.
    pub(crate) fn new(ui: Ui, simulated: bool) -> Self {
        let on_terminal = std::io::stderr().is_terminal() && !simulated && ui.shows_progress();
        Self {
            ui,
            on_terminal,
            bars: None,
            steps: 0,
            ended: 0,
            has_ended: Vec::new(),
            running: BTreeMap::new(),
            remaining: None,
            left: None,
            said: Instant::now(),
        }
    }

    /// Prepares for the run of this plan.
    pub(crate) fn begin(&mut self, planned: &PlanOutcome) {
        let (forecast, slots) = (&planned.predicted.plan, planned.predicted.slots);
        self.remaining = Some(Remaining::of(&planned.plan, forecast, slots));
    }

    /// Shows one event.
    pub(crate) fn show(&mut self, event: &Event) {
        self.ui.line(&Line::Event(event));
        match event {
            Event::RunStarted { steps, .. } => self.start(*steps),
            Event::StepStarted { step, address, action, id } => {
                let what = format!("{} {}", doing(*action), full(address, id.as_deref()));
                if !self.on_terminal {
                    self.say(&format!("  {what}"));
                }
                let running = Running { what, since: Instant::now(), waiting_for: String::new() };
                self.running.insert(*step, running);
            }
            Event::StepWaiting { step, waiting_for, output } => {
                let output = output.as_ref().map_or_else(String::new, |it| format!(": {it}"));
                self.wait(*step, &plain(&format!("{waiting_for}{output}")));
            }
            Event::StepDegraded { address, rung, .. } => self.say(&format!("  DEGRADED {address}: {rung}")),
            Event::StepFinished { step, address, action, id, outcome, elapsed } => {
                let named = full(address, id.as_deref());
                let was_cut_off = self.end(*step);
                let text = match outcome {
                    Outcome::Unfinished if !was_cut_off => format!("not started: {named}"),
                    _ => finished(&named, *action, outcome, *elapsed),
                };
                self.draw();
                self.say(&format!("  {} {text}", self.number()));
            }
            Event::Draining { running } => {
                self.say(&format!(
                    "stopping: {} still running; Ctrl-C again stops at once",
                    count(*running, "step")
                ));
            }
            Event::RunFinished { .. } => self.bars = None,
        }
        self.draw();
    }

    fn start(&mut self, steps: usize) {
        (self.steps, self.ended, self.has_ended) = (steps, 0, vec![false; steps]);
        (self.left, self.said) = (None, Instant::now());
        self.running.clear();
        self.bars = (self.on_terminal && steps > 0).then(|| Bars::new(MultiProgress::new(), steps));
    }

    fn wait(&mut self, step: StepId, waiting_for: &str) {
        let Some(running) = self.running.get_mut(&step) else { return };
        if running.waiting_for != waiting_for {
            waiting_for.clone_into(&mut running.waiting_for);
            let text = format!("  {}", running.text());
            if !self.on_terminal {
                self.say(&text);
            }
        }
    }

    /// Takes note that a step ended. Returns true if it had started.
    fn end(&mut self, step: StepId) -> bool {
        self.ended += 1;
        // A repair of what calls in flight undid is counted on top of the plan.
        self.steps = self.steps.max(self.ended);
        if let Some(it) = self.has_ended.get_mut(step) {
            *it = true;
        }
        self.running.remove(&step).is_some()
    }

    /// Says what is running after a long silence, without a terminal.
    pub(crate) fn remind(&mut self) {
        if self.on_terminal || self.running.is_empty() || self.said.elapsed() < QUIET {
            return;
        }
        let left = self.left().map_or_else(String::new, |left| format!("{}; ", about(left)));
        let running: Vec<&str> = self.running.values().map(|it| it.what.as_str()).collect();
        let text = format!("  {} {left}still {}", self.number(), listed(&running));
        self.say(&text);
    }

    /// Returns `[12/32]`: the number of ended steps, and of all.
    fn number(&self) -> String {
        let all = self.steps.to_string();
        format!("[{:>width$}/{all}]", self.ended, width = all.len())
    }

    /// Predicts the time that is left, at most once in [`PREDICTED_EVERY`].
    fn left(&mut self) -> Option<Duration> {
        let now = Instant::now();
        if let Some((at, left)) = self.left.filter(|(at, _)| now - *at < PREDICTED_EVERY) {
            return Some(left.saturating_sub(now - at));
        }
        let course = |step: StepId| match (self.has_ended.get(step), self.running.get(&step)) {
            (_, Some(running)) => Course::Running(now - running.since),
            (Some(true), None) => Course::Ended,
            (_, None) => Course::Ahead,
        };
        let left = self.remaining.as_ref()?.left(course);
        self.left = Some((now, left));
        Some(left)
    }

    fn draw(&mut self) {
        if self.bars.is_none() {
            return;
        }
        let left = self.left().filter(|_| !self.running.is_empty());
        let running = |(step, it): (&StepId, &Running)| (*step, (it.text(), it.since.elapsed()));
        let running = self.running.iter().map(running).collect();
        if let Some(bars) = &mut self.bars {
            bars.show(self.ended, self.steps, &running, left);
        }
    }

    fn say(&mut self, text: &str) {
        self.said = Instant::now();
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
            format!("{done} {address} ({})", duration(elapsed))
        }
        Outcome::Failed { error } => format!("FAILED {} {address}: {error}", doing(action)),
        Outcome::Skipped { .. } => format!("skipped {address}: something it needs failed"),
        Outcome::Unfinished => {
            format!("STOPPED while {} {address}: the next run checks its state", doing(action))
        }
    }
}

/// Describes the end of a run in one sentence. What was `blocked` has no step, and is not done either.
pub(crate) fn summary(verb: &str, summary: &RunSummary, blocked: usize) -> String {
    let took = duration(summary.elapsed);
    if summary.is_complete() && blocked == 0 {
        let text = format!("{verb} complete: {} done in {took}.", count(summary.done, "step"));
        return paint(GREEN, &text) + "\n";
    }
    let text = format!(
        "{verb} incomplete: {} done, {} failed, {} skipped, {} not started, {blocked} blocked, in {took}.",
        summary.done,
        summary.failed.len(),
        summary.skipped,
        summary.unfinished.len()
    );
    paint(RED, &text) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Global;

    fn progress(steps: usize) -> Progress {
        let global = Global {
            cloud: crate::args::CloudName::Sim,
            sim: None,
            sim_seed: None,
            json: false,
            quiet: true,
            no_color: true,
            summary: None,
            page: Default::default(),
            folder: None,
        };
        let mut progress = Progress::new(Ui::new(&global), true);
        progress.show(&Event::RunStarted { run: "r".to_owned(), steps });
        progress
    }

    fn address() -> Address {
        Address::parse("bucket.models/bucket").unwrap()
    }

    fn started(step: StepId) -> Event {
        Event::StepStarted { step, address: address(), action: Action::Create, id: None }
    }

    fn ended(step: StepId, outcome: Outcome) -> Event {
        let elapsed = Duration::ZERO;
        Event::StepFinished { step, address: address(), action: Action::Create, id: None, outcome, elapsed }
    }

    #[test]
    fn steps_are_numbered_as_they_end_and_a_repair_counts_on_top() {
        let mut progress = progress(10);
        assert_eq!(progress.number(), "[ 0/10]");
        progress.show(&started(3));
        progress.show(&ended(3, Outcome::Done));
        progress.show(&ended(4, Outcome::Skipped { because: 3 }));
        assert_eq!(progress.number(), "[ 2/10]");
        (5..13).for_each(|step| progress.show(&ended(step, Outcome::Done)));
        progress.show(&ended(3, Outcome::Done));
        assert_eq!(progress.number(), "[11/11]");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_silence_is_broken_and_a_short_one_is_not() {
        let mut progress = progress(2);
        progress.show(&started(0));
        let waits = Event::StepWaiting { step: 0, waiting_for: "image is pending".to_owned(), output: None };
        progress.show(&waits);
        let said = progress.said;
        tokio::time::advance(QUIET - Duration::from_secs(1)).await;
        progress.show(&waits);
        progress.remind();
        assert_eq!(progress.said, said, "the same reason is not repeated");
        tokio::time::advance(Duration::from_secs(1)).await;
        progress.remind();
        assert_eq!(progress.said, said + QUIET);
        progress.show(&ended(0, Outcome::Done));
        tokio::time::advance(QUIET).await;
        let said = progress.said;
        progress.remind();
        assert_eq!(progress.said, said, "nothing is running");
    }
}
