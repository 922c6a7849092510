//! Execute: one loop owns schedule, journal and events; tasks only return values.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::event::{Event, Outcome, StepError};
use super::journal::{Entry, FORMAT, Journal, JournalError};
use super::schedule::Schedule;
use super::step::{Ended, Job};
use crate::address::Address;
use crate::cloud::{Cloud, Scope};
use crate::kind::KindRegistry;
use crate::link::resolve;
use crate::plan::{Plan, Step, StepId};

/// Steps at work at once unless the user says otherwise: enough to hide 40 ms of latency, few enough for EC2's
/// smaller token buckets.
pub const PARALLELISM: usize = 64;

/// How a plan is executed.
#[derive(Clone)]
pub struct ExecuteOptions {
    /// Steps at work at once.
    pub parallelism: usize,
    /// `apply`, `destroy`: for the journal.
    pub purpose: String,
    /// Begin nothing more, finish what runs.
    pub drain: CancellationToken,
    /// Stop at once.
    pub stop: CancellationToken,
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct RunSummary {
    /// Steps done.
    pub done: usize,
    /// Steps that failed, and why.
    pub failed: Vec<(StepId, StepError)>,
    /// Steps not started because of those.
    pub skipped: usize,
    /// Steps not started, or not finished, because the run was stopped.
    pub unfinished: Vec<StepId>,
    /// How long it took.
    pub elapsed: Duration,
}

impl RunSummary {
    /// True when every step is done.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.skipped == 0 && self.unfinished.is_empty()
    }
}

/// Makes `plan` true. A step that fails stops what depends on it and nothing else.
///
/// # Errors
/// [`JournalError`] when the journal cannot be written: then nothing more is started, and what runs is finished.
pub async fn execute(
    plan: &Plan,
    cloud: Arc<dyn Cloud>,
    kinds: &KindRegistry,
    scope: &Scope,
    journal: &mut Journal,
    options: &ExecuteOptions,
    sink: &mut (dyn FnMut(Event) + Send),
) -> Result<RunSummary, JournalError> {
    let mut run = Run {
        plan,
        schedule: Schedule::new(plan),
        outputs: plan.outputs.clone(),
        started: BTreeMap::new(),
        summary: RunSummary::default(),
        entries: vec![Entry::RunStarted {
            format: FORMAT,
            purpose: options.purpose.clone(),
            steps: plan.steps.len(),
            at: cloud.now(),
        }],
        sink,
    };
    let begin = Instant::now();
    (run.sink)(Event::RunStarted { run: journal.run().to_owned(), steps: plan.steps.len() });
    let (notes, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    let mut draining = false;
    let mut broken = None;
    while !run.schedule.is_done() {
        let free = options.parallelism.saturating_sub(run.schedule.running());
        let ready = if draining { Vec::new() } else { run.schedule.take_ready(free) };
        run.intend(&ready);
        // One segment carries all that gathered; nothing starts before its intent is durable.
        if broken.is_none()
            && let Err(error) = journal.append(&std::mem::take(&mut run.entries)).await
        {
            broken = Some(error);
            draining = true;
        }
        for id in ready {
            if broken.is_some() {
                run.abandon(id);
                continue;
            }
            match run.job(id, kinds, scope, &notes) {
                Ok(job) => {
                    let cloud = Arc::clone(&cloud);
                    tasks.spawn(async move { job.run(&*cloud).await });
                }
                Err(error) => run.end(Ended { step: id, result: Err(error) }),
            }
        }
        if draining {
            let left = run.schedule.stop();
            run.unfinished(left);
        }
        if tasks.is_empty() {
            continue;
        }
        tokio::select! {
            biased;
            () = options.stop.cancelled() => {
                tasks.abort_all();
                let all: Vec<StepId> = run.started.keys().copied().collect();
                all.into_iter().for_each(|id| run.abandon(id));
                draining = true;
                while tasks.join_next().await.is_some() {}
            }
            () = options.drain.cancelled(), if !draining => {
                draining = true;
                (run.sink)(Event::Draining { running: run.schedule.running() });
            }
            Some((step, waiting_for)) = heard.recv() => (run.sink)(Event::StepWaiting { step, waiting_for }),
            Some(ended) = tasks.join_next() => {
                run.join(ended);
                // Whatever else has ended by now goes into the same segment.
                while let Some(ended) = tasks.try_join_next() {
                    run.join(ended);
                }
            }
        }
    }
    run.entries.push(Entry::RunFinished { at: cloud.now() });
    if broken.is_none() {
        broken = journal.append(&std::mem::take(&mut run.entries)).await.err();
    }
    let mut summary = run.summary;
    summary.elapsed = begin.elapsed();
    sink(Event::RunFinished {
        done: summary.done,
        failed: summary.failed.len(),
        skipped: summary.skipped,
        unfinished: summary.unfinished.len(),
        elapsed: summary.elapsed,
    });
    broken.map_or(Ok(summary), Err)
}

struct Run<'a> {
    plan: &'a Plan,
    schedule: Schedule,
    outputs: BTreeMap<Address, BTreeMap<String, String>>,
    started: BTreeMap<StepId, Instant>,
    summary: RunSummary,
    entries: Vec<Entry>,
    sink: &'a mut (dyn FnMut(Event) + Send),
}

impl Run<'_> {
    fn step(&self, id: StepId) -> &Step {
        &self.plan.steps[id]
    }

    fn intend(&mut self, ready: &[StepId]) {
        for id in ready {
            let step = self.step(*id);
            let (address, action, token) = (step.address.clone(), step.action, step.token.clone());
            self.entries.push(Entry::Intent { step: *id, address: address.clone(), action, token });
            self.started.insert(*id, Instant::now());
            (self.sink)(Event::StepStarted { step: *id, address, action });
        }
    }

    fn job(
        &self,
        id: StepId,
        kinds: &KindRegistry,
        scope: &Scope,
        notes: &tokio::sync::mpsc::UnboundedSender<(StepId, String)>,
    ) -> Result<Job, StepError> {
        let step = self.step(id).clone();
        let internal = |message: String| StepError::Internal { message };
        let kind = kinds.get(&step.kind).ok_or_else(|| internal(format!("no kind `{}`", step.kind)))?;
        let mut spec: Value = step.spec.clone();
        let look_up = |address: &Address, output: &str| self.outputs.get(address)?.get(output).cloned();
        if let Some(open) = resolve(&mut spec, &look_up).first() {
            return Err(internal(format!("{open} has not said what {} needs of it", step.address)));
        }
        Ok(Job { id, step, spec, kind, scope: scope.clone(), notes: notes.clone() })
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
                self.outputs.insert(self.step(id).address.clone(), live.outputs);
                Outcome::Done
            }
            Err(error) => {
                self.entries.push(Entry::Failed { step: id, error: error.to_string() });
                self.summary.failed.push((id, error.clone()));
                Outcome::Failed { error }
            }
        };
        let impossible = self.schedule.finish(id, outcome == Outcome::Done);
        self.say(id, outcome);
        self.summary.skipped += impossible.len();
        for skipped in impossible {
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

    fn say(&mut self, id: StepId, outcome: Outcome) {
        let step = self.step(id);
        let (address, action) = (step.address.clone(), step.action);
        let elapsed = self.started.remove(&id).map_or(Duration::ZERO, |at| at.elapsed());
        (self.sink)(Event::StepFinished { step: id, address, action, outcome, elapsed });
    }
}
