//! The execution loop: one loop owns schedule, journal and events; tasks only return values.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::event::{Event, Outcome, StepError};
use super::launches::Launches;
use super::pace::Pace;
use super::schedule::Schedule;
use super::step::{Ended, Job, Note};
use crate::address::Address;
use crate::cloud::{Cloud, CloudError, Found, Scope, sha256};
use crate::control::journal::{Entry, FORMAT, Journal, JournalError};
use crate::control::lease::Permit;
use crate::kind::{Action, KindRegistry};
use crate::link::resolve;
use crate::plan::{Plan, Step, StepId};

/// Default number of concurrent steps.
///
/// Enough to hide 40 ms of latency, few enough for EC2's smaller token buckets.
pub const PARALLELISM: usize = 64;

/// How a plan is executed.
#[derive(Clone)]
pub struct ExecuteOptions {
    /// Number of concurrent steps.
    pub parallelism: usize,
    /// Purpose for the journal: `apply`, `destroy`.
    pub purpose: String,
    /// True for a failover: the engine retries whatever may pass by itself, where an apply leaves
    /// it to the next apply.
    pub retry_transient: bool,
    /// Start nothing more, finish what runs.
    pub drain: CancellationToken,
    /// Stop at once and leave running steps as they are. Only a journal write in progress is waited
    /// for.
    pub stop: CancellationToken,
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct RunSummary {
    /// Steps done.
    pub done: usize,
    /// Steps that failed, and why.
    pub failed: Vec<(StepId, StepError)>,
    /// Steps that are done with less than the stack wants, with the rung of the ladder they fell
    /// back to.
    pub degraded: Vec<(StepId, String)>,
    /// Last observed state of created or updated resources that hold data or run instances.
    pub left: BTreeMap<Address, Found>,
    /// Steps not started because another one failed.
    pub skipped: usize,
    /// The skipped steps, each with the step that failed.
    pub held: Vec<(StepId, StepId)>,
    /// Steps not started, or not finished, because the run was stopped.
    pub unfinished: Vec<StepId>,
    /// Resources that this run changed again because calls of an earlier run had undone them.
    pub redone: Vec<Address>,
    /// Resources that calls of an earlier run may have undone or may yet undo, and that could not
    /// be verified.
    pub in_flight: Vec<Address>,
    /// Duration of the run.
    pub elapsed: Duration,
}

impl RunSummary {
    /// True if every step is done and no call is in flight.
    pub fn is_complete(&self) -> bool {
        let is_done = self.failed.is_empty() && self.skipped == 0 && self.unfinished.is_empty();
        is_done && self.in_flight.is_empty()
    }
}

/// Executes `plan`. A failed step stops its dependents and nothing else.
///
/// Guarantees: no call starts before its intent is in the journal; each step ends in exactly one
/// [`Event::StepFinished`].
///
/// # Errors
/// [`JournalError`] if the journal cannot be written: then nothing more is started, and what runs
/// is finished. If another run sealed the journal, or the lease expired, what runs is stopped too.
pub async fn execute(
    plan: &Plan,
    cloud: Arc<dyn Cloud>,
    kinds: &KindRegistry,
    scope: &Scope,
    journal: &mut Journal,
    options: &ExecuteOptions,
    sink: &mut (dyn FnMut(Event) + Send),
) -> Result<RunSummary, JournalError> {
    let begin = Instant::now();
    let (notes, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let mut run = Run {
        plan,
        schedule: Schedule::new(plan),
        outputs: plan.outputs.clone(),
        started: BTreeMap::new(),
        made: BTreeMap::new(),
        pace: Pace::new(begin),
        launches: Launches::new(begin),
        summary: RunSummary::default(),
        entries: Vec::new(),
        draining: false,
        broken: None,
        sink,
    };
    run.begin(journal, &options.purpose, cloud.now());
    let mut tasks = JoinSet::new();
    while !run.schedule.is_done() {
        run.check_cancellation(options);
        let ready = run.take_ready(options);
        run.record_intents(&ready);
        run.write(journal, &mut tasks, &options.stop).await;
        if !ready.is_empty() {
            run.check(journal, cloud.now());
        }
        let ready = if run.is_over() { run.stop(&mut tasks).await } else { ready };
        let is_idle = ready.is_empty();
        // Ctrl-C may have arrived during the journal write.
        let may_start = run.broken.is_none() && !is_told_to_end(options);
        for id in ready {
            if !may_start {
                run.abandon(id);
                continue;
            }
            match run.job(id, kinds, scope, &notes, journal.permit(), &*cloud) {
                Ok(job) => {
                    let job = Job { retry_transient: options.retry_transient, ..job };
                    let cloud = Arc::clone(&cloud);
                    tasks.spawn(async move { job.run(&*cloud).await });
                }
                Err(error) => run.end(Ended { step: id, result: Err(error), without_trace: true }),
            }
        }
        run.give_up_what_may_not_start();
        if tasks.is_empty() {
            if is_idle {
                run.give_up_a_circle();
            }
            continue;
        }
        tokio::select! {
            biased;
            () = options.stop.cancelled() => drop(run.stop(&mut tasks).await),
            () = options.drain.cancelled(), if !run.draining => {}
            // Before ends: no step may report waiting after it has ended.
            Some((step, note)) = heard.recv() => run.tell(step, note),
            Some(ended) = tasks.join_next() => {
                run.learn(&ended, &*cloud, scope);
                run.join(ended);
                // Ends that have arrived by now go into the same segment.
                while let Some(ended) = tasks.try_join_next() {
                    run.learn(&ended, &*cloud, scope);
                    run.join(ended);
                }
            }
        }
    }
    run.entries.push(Entry::RunFinished { at: cloud.now() });
    run.write(journal, &mut tasks, &options.stop).await;
    run.finish(begin.elapsed())
}

fn is_told_to_end(options: &ExecuteOptions) -> bool {
    options.drain.is_cancelled() || options.stop.is_cancelled()
}

struct Run<'a> {
    plan: &'a Plan,
    schedule: Schedule,
    outputs: BTreeMap<Address, BTreeMap<String, String>>,
    /// Steps that were started and have not ended.
    started: BTreeMap<StepId, Instant>,
    /// When each creation finished.
    made: BTreeMap<Address, Instant>,
    pace: Pace,
    launches: Launches,
    summary: RunSummary,
    /// Entries of the next journal segment.
    entries: Vec<Entry>,
    /// True once nothing more is started.
    draining: bool,
    /// Why the journal cannot be written any more.
    broken: Option<JournalError>,
    sink: &'a mut (dyn FnMut(Event) + Send),
}

impl Run<'_> {
    fn begin(&mut self, journal: &Journal, purpose: &str, at: Timestamp) {
        let (steps, begun) = (self.plan.steps.len(), journal.begun());
        self.entries.push(Entry::RunStarted {
            format: FORMAT,
            purpose: purpose.to_owned(),
            steps,
            begun,
            at,
        });
        (self.sink)(Event::RunStarted { run: journal.run().to_owned(), steps });
    }

    fn finish(self, elapsed: Duration) -> Result<RunSummary, JournalError> {
        let summary = RunSummary { elapsed, ..self.summary };
        (self.sink)(Event::RunFinished {
            done: summary.done,
            failed: summary.failed.len(),
            skipped: summary.skipped,
            unfinished: summary.unfinished.len(),
            elapsed,
        });
        self.broken.map_or(Ok(summary), Err)
    }

    fn step(&self, id: StepId) -> &Step {
        &self.plan.steps[id]
    }

    fn check_cancellation(&mut self, options: &ExecuteOptions) {
        if options.drain.is_cancelled() && !self.draining {
            (self.sink)(Event::Draining { running: self.schedule.running() });
        }
        self.draining |= is_told_to_end(options);
    }

    fn take_ready(&mut self, options: &ExecuteOptions) -> Vec<StepId> {
        // Without any room the run would never end.
        let room = options.parallelism.max(1);
        let free = room.saturating_sub(self.schedule.running());
        if self.draining { Vec::new() } else { self.schedule.take_ready(free) }
    }

    /// Writes the gathered entries as one segment: nothing starts before its intent is durable.
    ///
    /// A stop takes effect during the write, since the store may be what does not answer.
    async fn write(&mut self, journal: &mut Journal, tasks: &mut JoinSet<Ended>, stop: &CancellationToken) {
        let entries = std::mem::take(&mut self.entries);
        if self.broken.is_some() {
            return;
        }
        let write = journal.append(&entries);
        tokio::pin!(write);
        let written = tokio::select! {
            biased;
            written = &mut write => written,
            () = stop.cancelled() => {
                tasks.abort_all();
                write.await
            }
        };
        self.broken = written.err();
        self.draining |= self.broken.is_some();
    }

    /// True if the run must stop: its journal is sealed or its lease has expired.
    fn is_over(&self) -> bool {
        matches!(self.broken, Some(JournalError::Fenced { .. } | JournalError::Lapsed { .. }))
    }

    /// Checks the lease: the run may have stalled while it wrote its intents, and another run may
    /// hold the lock by now.
    fn check(&mut self, journal: &Journal, now: Timestamp) {
        if self.broken.is_none() {
            self.broken = journal.check(now).err();
            self.draining |= self.broken.is_some();
        }
    }

    fn give_up_what_may_not_start(&mut self) {
        if self.draining {
            let left = self.schedule.stop();
            self.unfinished(left);
        }
    }

    /// Ends a run in which nothing runs and nothing can start: the planner made steps that wait for
    /// each other, and the run would never end.
    fn give_up_a_circle(&mut self) {
        let left = self.schedule.stop();
        let Some((first, rest)) = left.split_first() else { return };
        let names: Vec<String> = left.iter().map(|id| self.step(*id).address.to_string()).collect();
        let error =
            StepError::Internal { message: format!("steps wait for each other: {}", names.join(", ")) };
        self.say(*first, Outcome::Failed { error: error.clone() });
        self.summary.failed.push((*first, error));
        self.unfinished(rest.to_vec());
    }

    /// Stops what runs and returns an empty list of ready steps.
    async fn stop(&mut self, tasks: &mut JoinSet<Ended>) -> Vec<StepId> {
        self.draining = true;
        tasks.abort_all();
        // Steps that had ended before the stop count with their own outcome.
        while let Some(ended) = tasks.join_next().await {
            self.join(ended);
        }
        let aborted: Vec<StepId> = self.started.keys().copied().collect();
        aborted.into_iter().for_each(|id| self.abandon(id));
        Vec::new()
    }

    fn record_intents(&mut self, ready: &[StepId]) {
        for id in ready {
            let step = self.step(*id);
            let (address, action, token) = (step.address.clone(), step.action, self.token(step));
            self.entries.push(Entry::Intent { step: *id, address: address.clone(), action, token });
            self.started.insert(*id, Instant::now());
            let deleted = self.step(*id).deleted_id();
            (self.sink)(Event::StepStarted { step: *id, address, action, id: deleted });
        }
    }

    /// Returns the spec with the links resolved that are known by now, and the open ones.
    fn resolved(&self, step: &Step) -> (Value, Vec<Address>) {
        let mut spec = step.spec.clone();
        let look_up = |address: &Address, output: &str| self.outputs.get(address)?.get(output).cloned();
        let open = resolve(&mut spec, &look_up);
        (spec, open)
    }

    /// Derives the call's token from the step's token and the resolved links.
    ///
    /// AWS rejects a token that comes back with other parameters.
    fn token(&self, step: &Step) -> String {
        sha256(format!("{}\n{}", step.token, self.resolved(step).0).as_bytes())
    }

    fn job(
        &mut self,
        id: StepId,
        kinds: &KindRegistry,
        scope: &Scope,
        notes: &tokio::sync::mpsc::UnboundedSender<(StepId, Note)>,
        permit: Permit,
        cloud: &dyn Cloud,
    ) -> Result<Job, StepError> {
        let step = self.step(id).clone();
        let internal = |message: String| StepError::Internal { message };
        let kind = kinds.get(&step.kind).ok_or_else(|| internal(format!("no kind `{}`", step.kind)))?;
        let (spec, open) = self.resolved(&step);
        if let Some(open) = open.first() {
            return Err(internal(format!("{open} has not said what {} needs of it", step.address)));
        }
        let successor = self.made.get(&step.address).filter(|_| step.action == Action::Delete);
        let not_before = successor.map(|made| *made + cloud.consistency());
        let line = self.pace.line(&step.kind, &step.region);
        let budget = self.launches.of(&step.region);
        let step = Step { token: self.token(&step), ..step };
        let (scope, notes) = (scope.clone(), notes.clone());
        Ok(Job {
            id,
            step,
            spec,
            kind,
            scope,
            notes,
            permit,
            not_before,
            line,
            budget,
            retry_transient: false,
        })
    }

    fn learn(&mut self, ended: &Result<Ended, tokio::task::JoinError>, cloud: &dyn Cloud, scope: &Scope) {
        let Ok(ended) = ended else { return };
        let step = &self.plan.steps[ended.step];
        let throttled = cloud.throttled(&step.kind, scope, step.place);
        self.pace.line(&step.kind, &step.region).hear(throttled);
    }

    fn join(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        match ended {
            Ok(ended) => self.end(ended),
            Err(error) if error.is_cancelled() => {}
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    fn end(&mut self, ended: Ended) {
        let id = ended.step;
        let outcome = match ended.result {
            Ok(live) => {
                self.summary.done += 1;
                self.entries.push(Entry::Done { step: id, id: live.id });
                for rung in live.climbed {
                    let address = self.step(id).address.clone();
                    (self.sink)(Event::StepDegraded { step: id, address, rung: rung.clone() });
                    self.entries.push(Entry::Degraded { step: id, rung: rung.clone() });
                    self.summary.degraded.push((id, rung));
                }
                if self.step(id).action == Action::Create {
                    self.made.insert(self.step(id).address.clone(), Instant::now());
                }
                // Deleting the old half of a replacement does not change the outputs of the new
                // one.
                if self.step(id).action != Action::Delete {
                    self.summary.left.extend(live.found.map(|found| (self.step(id).address.clone(), found)));
                    self.outputs.insert(self.step(id).address.clone(), live.outputs);
                }
                Outcome::Done
            }
            Err(error) => {
                let without_trace = ended.without_trace;
                let unanswered = matches!(error, StepError::Cloud { error: CloudError::Unreachable { .. } });
                let said = error.to_string();
                self.entries.push(Entry::Failed { step: id, without_trace, unanswered, error: said });
                self.summary.failed.push((id, error.clone()));
                Outcome::Failed { error }
            }
        };
        let impossible = self.schedule.finish(id, outcome == Outcome::Done);
        self.say(id, outcome);
        self.summary.skipped += impossible.len();
        for skipped in impossible {
            self.summary.held.push((skipped, id));
            self.say(skipped, Outcome::Skipped { because: id });
        }
    }

    fn abandon(&mut self, id: StepId) {
        let impossible = self.schedule.finish(id, false);
        self.unfinished([vec![id], impossible].concat());
    }

    fn unfinished(&mut self, ids: Vec<StepId>) {
        for id in &ids {
            self.say(*id, Outcome::Unfinished);
        }
        self.summary.unfinished.extend(ids);
    }

    fn tell(&mut self, step: StepId, Note { waiting_for, output }: Note) {
        (self.sink)(Event::StepWaiting { step, waiting_for, output });
    }

    fn say(&mut self, id: StepId, outcome: Outcome) {
        let step = self.step(id);
        let (address, action) = (step.address.clone(), step.action);
        let deleted = step.deleted_id();
        let elapsed = self.started.remove(&id).map_or(Duration::ZERO, |at| at.elapsed());
        (self.sink)(Event::StepFinished { step: id, address, action, id: deleted, outcome, elapsed });
    }
}
