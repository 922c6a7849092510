//! The operator at a terminal: turns an operation's results into text and JSON lines.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drstack_app::failure::{Failure, Status};
use drstack_app::operator::{Busy, News, Operator, Run, WayOut};
use drstack_app::planned::PlanOutcome;
use drstack_app::report::timeline::Report;
use drstack_core::diagnostic::{Diagnostic, Sources, render};
use drstack_core::engine::event::Event;
use drstack_core::engine::execute::RunSummary;
use drstack_core::plan::{Intent, Plan};
use drstack_core::stack::Stack;
use drstack_core::verdict::Verdict;
use tokio::task::AbortHandle;

use crate::files;
use crate::lines::{AlongLine, ControlDeletedLine, Line, ModeRecordedLine};
use crate::page::Page;
use crate::ui::Ui;
use crate::views;
use crate::views::color::labels;
use crate::views::escape::escaped;
use crate::views::gantt::Timings;
use crate::views::markdown;
use crate::views::plan::ShownPlan;
use crate::views::progress::{Progress, QUIET};

/// The operator at a terminal.
pub(crate) struct Screen {
    ui: Ui,
    running: Arc<Mutex<Running>>,
    /// File for the chart of a run.
    timings: Option<PathBuf>,
    /// The page of a pipeline.
    page: Page,
}

/// A run that is in progress, or has ended.
struct Running {
    progress: Progress,
    timings: Timings,
    chart: Option<String>,
    /// Breaks long silences.
    reminder: Option<AbortHandle>,
}

impl Screen {
    /// Creates the screen. `simulated` is true if time is not real; the chart of a run goes to
    /// `timings`.
    pub(crate) fn new(ui: Ui, simulated: bool, timings: Option<PathBuf>, page: Page) -> Self {
        let (progress, clock) = (Progress::new(ui, simulated), Timings::new());
        let running = Running { progress, timings: clock, chart: None, reminder: None };
        Self { ui, running: Arc::new(Mutex::new(running)), timings, page }
    }

    /// Writes the chart of the last run, if the operator asked for one.
    pub(crate) fn write_chart(&self) -> Result<(), Failure> {
        if let (Some(path), Some(chart)) = (&self.timings, self.running().chart.take()) {
            files::write(path, chart.as_bytes())?;
            self.ui.note(&format!("When each step ran is drawn in `{}`.", path.display()));
        }
        Ok(())
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        lock(&self.running)
    }

    /// Starts to break long silences.
    fn remind(&self) -> AbortHandle {
        let running = Arc::clone(&self.running);
        let reminder = async move {
            loop {
                tokio::time::sleep(QUIET).await;
                lock(&running).progress.remind();
            }
        };
        tokio::spawn(reminder).abort_handle()
    }

    fn plan(
        &self,
        stack: &Stack,
        warnings: &[String],
        planned: &PlanOutcome,
        (intent, failover): (Intent, Option<WayOut>),
    ) {
        let ui = self.ui;
        let PlanOutcome { plan, report, predicted, .. } = planned;
        let head = planned.head(stack, warnings.to_vec());
        ShownPlan { head: &head, plan, report, forecast: &predicted.plan, intent }.show(ui);
        match failover {
            Some(WayOut { command, is_asked }) => {
                let failover = match is_asked {
                    true => format!(
                        "`{command} --unsigned`, which works from what was applied, or `{command} --with-files`, which works from these files"
                    ),
                    false => format!("`{command}`"),
                };
                ui.warn(&format!(
                    "hint: if {} is lost, run {failover}: it needs no answer from there; else run this again once it answers",
                    stack.facts.primary
                ));
            }
            None if planned.report.blocked.is_empty() => {}
            None => ui.warn(&format!("hint: {}", views::plan::way_on(stack, planned, intent))),
        }
    }

    fn finished(&self, run: Run, plan: &Plan, summary: &RunSummary, blocked: usize) {
        let ui = self.ui;
        let verb = match run {
            Run::Apply => "Apply",
            Run::Sync => "Sync",
            Run::Destroy => "Destroy",
            Run::Failover => "Failover",
            // The rest of the failback comes after this and reports itself.
            Run::FirstPhase => "First part",
            Run::Failback => "Failback",
        };
        let sentence = views::progress::summary(verb, summary, blocked);
        self.page.add(format!("{}\n", escaped(sentence.trim())));
        ui.result(&sentence);
        let mut running = self.running();
        let timings = std::mem::replace(&mut running.timings, Timings::new());
        running.chart = Some(timings.svg(plan));
        // The report of a change of mode contains the same.
        if matches!(run, Run::Failover | Run::Failback) {
            return;
        }
        for (step, rung) in &summary.degraded {
            ui.result(&labels(&format!("DEGRADED {}: {rung}\n", plan.steps[*step].address)));
        }
        if let Some(sentence) = timings.sentence(plan) {
            ui.result(&sentence);
        }
    }

    /// Shows what replication has delivered, and how the regions differ.
    fn of_data(&self, news: &News<'_>) {
        let ui = self.ui;
        match *news {
            News::Backlog { data, now } => {
                data.iter().for_each(|it| ui.line(&views::data::backlog_line(it, now)));
                ui.result(&views::data::backlog(data, now));
            }
            News::Draining { data, changed, now } => {
                data.iter().for_each(|it| ui.line(&views::data::backlog_line(it, now)));
                let changed = changed.iter().filter_map(|at| data.get(*at));
                changed.for_each(|it| ui.note(&format!("  {now:.0}  {}", it.backlog(now))));
            }
            News::Drained { standby, now, left } => ui.result(&views::data::drained(standby, left, now)),
            News::Divergence { data, apart, moved, primary, standby, since, complete } => {
                data.iter().for_each(|it| ui.line(&Line::Divergence(it)));
                moved.iter().for_each(|it| ui.line(&Line::Moved(it)));
                ui.result(&views::plan::divergence(standby, since, complete, moved));
                ui.result(&views::data::divergence(data, apart, primary, standby));
            }
            _ => {}
        }
    }
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Operator for Screen {
    fn note(&self, text: &str) {
        self.ui.note(text);
    }

    fn warn(&self, text: &str) {
        self.ui.warn(text);
    }

    fn busy(&self, text: String) -> Busy {
        Box::new(self.ui.busy(&text))
    }

    fn begin(&self, planned: &PlanOutcome) {
        self.running().progress.begin(planned);
    }

    fn hear(&self, event: &Event) {
        let mut running = self.running();
        match event {
            Event::RunStarted { .. } => {
                running.timings = Timings::new();
                running.reminder = Some(self.remind());
            }
            Event::RunFinished { .. } => running.reminder.take().iter().for_each(AbortHandle::abort),
            _ => {}
        }
        running.timings.hear(event);
        running.progress.show(event);
    }

    fn tell(&self, news: News<'_>) {
        let ui = self.ui;
        self.page.add(markdown::section(&news));
        match news {
            News::Plan { stack, warnings, planned, intent, failover } => {
                self.plan(stack, &warnings, planned, (intent, failover));
            }
            News::Moved { moved, primary } => {
                moved.iter().for_each(|it| ui.line(&Line::Moved(it)));
                ui.result(&views::sync::moved(primary, moved));
            }
            News::ForAPerson(left) => {
                left.iter().for_each(|it| ui.line(&Line::ForAPerson(it)));
                ui.result(&views::sync::for_a_person(left));
            }
            News::Readiness { stack, planned, readiness, now } => {
                let head = planned.head(stack, Vec::new());
                views::status::Shown { head: &head, planned, readiness, now }.show(ui);
            }
            News::Calls(plan, kinds) => ui.result(&views::plan::calls(plan, kinds)),
            News::Rehearsed(it) => {
                ui.result(&views::plan::rehearsed(it.at, &it.skeleton));
                ui.line(&views::plan::rehearsed_line(it.at, &it.skeleton));
            }
            News::Along { component, needs } => {
                ui.note(&format!(
                    "Along with {component}, which needs it first: {}.",
                    drstack_app::text::listed(needs)
                ));
                ui.line(&Line::Along(AlongLine { address: component, needs }));
            }
            News::Backlog { .. } | News::Draining { .. } | News::Drained { .. } | News::Divergence { .. } => {
                self.of_data(&news);
            }
            News::PrimaryServes(primary) => {
                ui.result(&format!("{primary} serves: there is nothing to fail back from.\n"));
            }
            News::StandbyServes { standby, verdict, evidence } => {
                if verdict == Verdict::NothingToDo {
                    ui.result(&format!("Nothing to do: {standby} serves already.\n"));
                }
                for pool in &evidence.pools {
                    if let Some(short) = pool.shortfall() {
                        ui.result(&labels(&format!("DEGRADED {}: {short}\n", pool.address)));
                    }
                }
            }
            News::FirstPhase => ui.note(
                "Before that, the standby region keeps all traffic, whatever the primary's health; it then goes back share by share:",
            ),
            News::Finished { run, plan, summary, blocked } => self.finished(run, plan, summary, blocked),
            News::Report { report, .. } => {
                ui.result(&views::report::text(report));
                ui.line(&Line::Report(report));
            }
            News::StepFailed { address, message, output, hint } => {
                ui.step_failure(address, &message, output, &hint);
            }
            News::Held { plan, kinds, held, empty, again } => {
                views::order::held(plan, kinds, (held, &empty), again).iter().for_each(|line| ui.warn(line));
            }
            News::ModeRecorded { mode, region, epoch } => {
                ui.line(&Line::ModeRecorded(ModeRecordedLine { mode, epoch }));
                ui.result(&format!("Recorded: {region} serves (epoch {epoch}).\n"));
            }
            News::ControlDeleted(bucket) => {
                ui.line(&Line::ControlDeleted(ControlDeletedLine { bucket }));
                ui.result(&format!("Control bucket `{bucket}` is deleted.\n"));
            }
        }
    }

    fn diagnose(&self, problems: &[Diagnostic], sources: &Sources) -> String {
        for problem in problems {
            self.ui.line(&views::diagnostic(problem, sources));
        }
        render(problems, sources, self.ui.color)
    }

    fn approve(&self, question: &str) -> Result<(), Failure> {
        match self.ui.confirm(question) {
            Some(true) => Ok(()),
            Some(false) => {
                Err(Failure::new(Status::Failed, "cancelled: nothing was changed", "answer `yes` to go on"))
            }
            None => {
                let hint = "add `--auto-approve`, or run it on a terminal";
                Err(Failure::new(Status::Usage, "cannot ask for confirmation: no terminal", hint))
            }
        }
    }

    fn page(&self, report: &Report) -> String {
        views::report::markdown(report)
    }
}
