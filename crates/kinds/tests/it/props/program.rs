//! The program without its command line: looks, plans, takes the lock, looks again, executes, as `src/planning.rs` and `src/executing.rs` do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use drstack_core::address::Address;
use drstack_core::bundle::{Bundle, untouched};
use drstack_core::cloud::{Cloud, Found, Scope};
use drstack_core::compile::{compile, queries};
use drstack_core::control::doubt::mode;
use drstack_core::control::in_flight::InFlight;
use drstack_core::control::lock::{Holder, Lock, LockError, break_lock, peek};
use drstack_core::control::mode::KeptMode;
use drstack_core::control::published::{publish, published};
use drstack_core::control::records::{self, Kept};
use drstack_core::control::witness;
use drstack_core::control::{ControlStore, StoreError};
use drstack_core::engine::again::Again;
use drstack_core::engine::execute::{ExecuteOptions, PARALLELISM, RunSummary};
use drstack_core::engine::journal::{Journal, JournalError};
use drstack_core::engine::keep::{keeping, leave_in_flight};
use drstack_core::facts::Facts;
use drstack_core::graph::{Graph, Resource};
use drstack_core::kind::Place;
use drstack_core::minimum::Minimums;
use drstack_core::objective::{Mode, Standing};
use drstack_core::observe::{Capture, Look, Observed, capture, look_again, observe, observe_alone};
use drstack_core::plan::skeleton::Skeleton;
use drstack_core::plan::stability::rehearse;
use drstack_core::plan::{Intent, Options, Plan, PlanReport, Remark, plan};
use drstack_core::stack::Stack;
use drstack_core::verdict::{Evidence, Verdict};
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use super::planted::{self, Flaw};

/// Somebody at a machine, with a stack.
pub(crate) struct Program<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) desk: Desk,
    /// Its run's name: another one each time.
    pub(crate) run: String,
    pub(crate) delete_data: &'a BTreeSet<String>,
    pub(crate) flaw: Option<Flaw>,
    /// The minimums that a failover accepts.
    pub(crate) minimum: Minimums,
    /// What the last change of mode came to.
    pub(crate) judged: Judged,
}

/// The verdict on a failover and what it follows from.
pub(crate) type Judged = Arc<Mutex<Option<(Verdict, Evidence)>>>;

/// A plan, and what it was made from.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) report: PlanReport,
    pub(crate) graph: Graph,
    pub(super) seen: BTreeMap<Address, Look>,
    /// Questions that nothing answered.
    pub(super) unanswered: Vec<Remark>,
    /// The mode before.
    pub(super) kept: KeptMode,
    facts: Kept,
    has_new_levels: bool,
    free_since: Option<u64>,
}

impl Planned {
    /// Whether no other run can have come between the looking and the taking of `lock`.
    pub(super) fn still_stands_under(&self, lock: &Lock) -> bool {
        self.free_since.is_some_and(|epoch| lock.holder().epoch == epoch + 1)
    }
}

/// What a takeover works from.
pub(super) struct Alone {
    pub(super) facts: Facts,
    pub(super) known: BTreeMap<Address, Found>,
}

/// What is planned, and for what.
pub(super) struct Task<'a> {
    pub(super) stack: &'a Stack,
    /// None while the primary may be asked.
    pub(super) alone: Option<Alone>,
    pub(super) options: Options,
    /// `apply`, `failover`, `failback`: for lock and journal.
    pub(super) purpose: &'static str,
}

/// How the program ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum End {
    /// Exit 0, after so many steps.
    Done(usize),
    /// Exit 4.
    Locked(String),
    /// Exit 1, or any other.
    Failed(String),
}

impl End {
    pub(super) fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }

    pub(super) fn of(error: LockError) -> Self {
        match error {
            LockError::Store(refused @ StoreError::Refused { .. }) => Self::Locked(refused.to_string()),
            LockError::Store(error) => Self::failed(error),
            other => Self::Locked(other.to_string()),
        }
    }
}

pub(crate) fn scope(stack: &Stack) -> Scope {
    Scope {
        stack: stack.facts.name.as_str().into(),
        primary: stack.facts.primary.as_str().into(),
        standby: stack.facts.standby.as_str().into(),
        secrets: Arc::default(),
    }
}

impl Program<'_> {
    pub(crate) async fn apply(&self) -> End {
        self.command(Intent::Converge).await.unwrap_or_else(|end| end)
    }

    pub(crate) async fn destroy(&self) -> End {
        self.command(Intent::Destroy).await.unwrap_or_else(|end| end)
    }

    pub(crate) async fn unlock(&self) -> Result<(), LockError> {
        break_lock(&*self.store(), "drstack unlock").await
    }

    pub(super) fn store(&self) -> Arc<dyn ControlStore> {
        self.desk.control(&scope(self.stack), &self.stack.facts.control)
    }

    /// Which region serves, as the control bucket says, or the witnesses do.
    pub(super) async fn mode(&self) -> Result<KeptMode, End> {
        let (scope, control) = (scope(self.stack), &self.stack.facts.control);
        let kept = mode(&*self.store(), &self.desk, &scope, control).await.map_err(End::failed)?;
        Ok(planted::trust_absence(self.flaw, kept))
    }

    async fn command(&self, intent: Intent) -> Result<End, End> {
        let task = self.task(intent).await?;
        let kept = self.mode().await?;
        if let Some(doubt) = kept.doubt {
            return Err(End::Failed(format!("in doubt: {doubt:?}")));
        }
        if !kept.is_complete() {
            return Err(End::Locked("a change of mode is not complete".to_owned()));
        }
        let shown = self.plan_of(&task).await?;
        if shown.plan.is_empty() && !shown.has_new_levels && self.is_published(&task, &shown).await? {
            return self.ended(&shown, &RunSummary::default());
        }
        let store = self.store();
        store.ensure().await.map_err(End::failed)?;
        let lock = Lock::take(store, self.holder(task.purpose), self.desk.now()).await.map_err(End::of)?;
        let planned = match shown.still_stands_under(&lock) {
            true => shown,
            false => match self.plan_of(&task).await {
                Ok(planned) if planned.plan == shown.plan => planned,
                other => {
                    let begun = lock.begun().clone();
                    lock.release(&begun).await.map_err(End::of)?;
                    return Err(other.err().unwrap_or(End::Locked("the world changed".to_owned())));
                }
            },
        };
        let summary = self.execute(&task, &planned, None, lock).await?;
        self.ended(&planned, &summary)
    }

    /// What an apply or a destroy does in the mode that the stack is in.
    async fn task(&self, intent: Intent) -> Result<Task<'_>, End> {
        let mode = self.mode().await?.standing().mode;
        let delete_data = self.delete_data.clone();
        let options = Options { intent, mode, targets: Vec::new(), delete_data };
        Ok(Task { stack: self.stack, alone: None, options, purpose: "apply" })
    }

    pub(crate) async fn plan(&self, intent: Intent) -> Result<Planned, End> {
        self.plan_of(&self.task(intent).await?).await
    }

    pub(super) async fn plan_of(&self, task: &Task<'_>) -> Result<Planned, End> {
        let (cloud, kinds, scope, options) =
            (&self.desk, drstack_kinds::kinds(), scope(task.stack), &task.options);
        let store = self.store();
        let peek = peek(&*store).await.map_err(End::of)?;
        let mut facts = records::facts(&*store).await.map_err(End::failed)?;
        let last = std::mem::take(&mut facts.facts);
        let before = last.clone();
        let Capture { facts: answers, failed: unanswered, .. } = match &task.alone {
            Some(alone) => Capture { facts: alone.facts.clone(), ..Capture::default() },
            None => capture(cloud, &scope, &queries(task.stack), last, planted::keep(self.flaw)).await,
        };
        let has_new_levels = task.alone.is_none() && answers.has_new_levels(&before);
        facts.facts = answers;
        let kept = self.mode().await?;
        if kept.is_past(&options.intent, options.mode) {
            return Err(End::Locked("the mode changed".to_owned()));
        }
        let planned_for = self.accepting(kept.standing_for(options));
        let mut compiled = compile(task.stack, &facts.facts, planned_for.clone());
        if compiled.has_errors() && options.intent != Intent::Destroy {
            return Err(End::Failed("the stack is invalid".to_owned()));
        }
        planted::guess(self.flaw, &mut compiled.graph);
        let mut seen = match &task.alone {
            Some(alone) if self.flaw != Some(Flaw::LooksAtPrimary) => {
                observe_alone(cloud, &kinds, &scope, &compiled.graph, &alone.known).await
            }
            _ => observe(cloud, &kinds, &scope, &compiled.graph).await,
        };
        seen.begun = peek.begun;
        let signs = witness::signs(&compiled.graph, &seen, &kinds, &scope).map_err(End::failed)?;
        let kept = planted::trust_absence(self.flaw, kept.beside(&signs));
        if let (Some(doubt), Intent::Converge | Intent::Destroy) = (&kept.doubt, &options.intent) {
            return Err(End::Failed(format!("in doubt: {doubt:?}")));
        }
        if self.accepting(kept.standing_for(options)) != planned_for {
            compiled = compile(task.stack, &facts.facts, self.accepting(kept.standing_for(options)));
            planted::guess(self.flaw, &mut compiled.graph);
        }
        planted::skip_orphans(self.flaw, &mut seen);
        planted::take_others(self.flaw, &mut seen, self.desk.others());
        planted::trust_tags(self.flaw, &mut seen);
        planted::know_no_moves(self.flaw, &compiled.graph, &mut seen);
        planted::take_first_twin(self.flaw, &compiled.graph, &mut seen);
        let (mut plan, report) =
            plan(&compiled.graph, &seen, &kinds, &task.stack.facts, options).map_err(End::failed)?;
        planted::delete_first(self.flaw, &mut plan);
        planted::open_gates(self.flaw, &options.intent, &mut plan);
        planted::goes_at_once(self.flaw, &mut plan);
        let Observed { seen, .. } = seen;
        Ok(Planned {
            plan,
            report,
            graph: compiled.graph,
            seen,
            unanswered,
            kept,
            facts,
            has_new_levels,
            free_since: peek.free_since,
        })
    }

    /// As in `src/minimum.rs`.
    pub(super) fn accepting(&self, mut standing: Standing) -> Standing {
        if standing.mode == Mode::Active {
            standing.minimum.accept_all(&self.minimum);
        }
        planted::forget_minimum(self.flaw, standing)
    }

    /// What a takeover from now on would need, once all of `planned` is done.
    async fn bundle(
        &self,
        task: &Task<'_>,
        planned: &Planned,
        made: &BTreeMap<Address, Found>,
    ) -> Result<Bundle, End> {
        let outside = |it: &&Resource| it.place != Place::Standby;
        let changed: BTreeSet<&Address> = planned.plan.steps.iter().map(|step| &step.address).collect();
        let (changed, same): (Vec<&Resource>, Vec<&Resource>) =
            planned.graph.resources.values().filter(outside).partition(|it| changed.contains(&it.address));
        let same = same.into_iter().filter_map(|it| {
            let look = planned.seen.get(&it.address)?.clone();
            Some((it.address.clone(), look))
        });
        let (kinds, scope) = (drstack_kinds::kinds(), scope(task.stack));
        let again = look_again(&self.desk, &kinds, &scope, changed.into_iter()).await;
        let found = same.chain(again).map(|(address, look)| match look {
            Look::Present(found) => Ok((address, found)),
            other => Err(End::Failed(format!("not published: {address} {other:?}"))),
        });
        let graph = |mode: Mode| compile(task.stack, &planned.facts.facts, Standing::from(mode)).graph;
        let takeover = rehearse(&graph(Mode::Standby), &graph(Mode::Active), &kinds, &task.stack.facts)
            .map(|it| Skeleton::of(&it.plan))
            .map_err(End::failed)?;
        let Planned { graph, seen, plan, .. } = planned;
        let data = untouched(graph, seen, plan, made, &takeover, &kinds).map_err(End::failed)?;
        Ok(Bundle {
            drstack: "props".to_owned(),
            run: self.run.clone(),
            applied_at: self.desk.now(),
            stack: task.stack.resolve(),
            facts: planned.facts.facts.clone(),
            elsewhere: found.collect::<Result<_, _>>()?,
            data,
            rehearsed: None,
        })
    }

    /// Whether what is published would fail over to the same, or nothing is to be published.
    async fn is_published(&self, task: &Task<'_>, planned: &Planned) -> Result<bool, End> {
        if task.options.intent != Intent::Converge || !planned.report.blocked.is_empty() {
            return Ok(true);
        }
        let now = match published(&*self.store()).await {
            Ok(now) => now.bundle.and_then(|it| Bundle::from_bytes(&it).ok()),
            Err(StoreError::NoBucket { .. }) => None,
            Err(error) => return Err(End::failed(error)),
        };
        let wanted = self.bundle(task, planned, &BTreeMap::new()).await?;
        Ok(now.is_some_and(|now| now.says_the_same_as(&wanted)))
    }

    /// Publishes what a takeover needs, under `lock`.
    async fn publish(
        &self,
        task: &Task<'_>,
        planned: &Planned,
        made: &BTreeMap<Address, Found>,
        lock: &mut Lock,
    ) -> Result<(), End> {
        let store = self.store();
        let bundle = self.bundle(task, planned, made).await?.to_bytes().map_err(End::failed)?;
        let was = published(&*store).await.map_err(End::failed)?;
        lock.hold(|| self.desk.now()).await.map_err(End::of)?;
        publish(&*store, &was, bundle, None).await.map_err(|error| End::of(error.into()))
    }

    pub(super) fn holder(&self, purpose: &str) -> Holder {
        let now = self.desk.now();
        Holder {
            owner: self.run.clone(),
            host: "machine".to_owned(),
            purpose: purpose.to_owned(),
            run: self.run.clone(),
            since: now,
            until: now,
            epoch: 1,
            in_flight: Default::default(),
        }
    }

    pub(super) async fn execute(
        &self,
        task: &Task<'_>,
        planned: &Planned,
        change: Option<&KeptMode>,
        mut lock: Lock,
    ) -> Result<RunSummary, End> {
        let store = self.store();
        if self.flaw != Some(Flaw::NoLease) {
            lock.confirm(|| self.desk.now()).await.map_err(End::of)?;
        }
        records::keep_facts(&*store, &planned.facts).await.map_err(|error| match error {
            StoreError::Refused { .. } => End::of(LockError::Lost),
            error => End::failed(error),
        })?;
        let options = ExecuteOptions {
            parallelism: PARALLELISM,
            purpose: task.purpose.to_owned(),
            insist: task.purpose != "apply",
            drain: CancellationToken::new(),
            stop: CancellationToken::new(),
        };
        let mut journal = Journal::new(store, &self.run).after(lock.begun().clone());
        if self.flaw != Some(Flaw::NoLease) {
            journal = journal.under(lock.lease());
        }
        let (cloud, kinds, scope) = (Arc::new(self.desk.clone()), drstack_kinds::kinds(), scope(task.stack));
        if self.flaw != Some(Flaw::AsksOnce) {
            cloud.under(Some(journal.permit()));
        }
        let looks =
            self.flaw != Some(Flaw::LooksOnce) && change.is_some() && planned.report.blocked.is_empty();
        let earlier = if looks { lock.in_flight().clone() } else { InFlight::default() };
        let again = Again {
            cloud: cloud.clone(),
            kinds: &kinds,
            scope: &scope,
            stack: &task.stack.facts,
            graph: &planned.graph,
            options: &task.options,
            plan: &planned.plan,
            known: task.alone.as_ref().map(|alone| &alone.known),
        };
        let (result, lost) = {
            let (now, rest) = (|| self.desk.now(), async |span| self.desk.rest(span).await);
            let mut sink = |_| {};
            let run = again.execute(&earlier, &mut journal, &options, rest, |_, _| {}, &mut sink);
            let stop = if self.flaw == Some(Flaw::AsksOnce) {
                CancellationToken::new()
            } else {
                options.stop.clone()
            };
            keeping(&mut lock, now, rest, &stop, run).await
        };
        cloud.under(None);
        if let Some(error) = lost {
            return Err(End::of(error));
        }
        let complete =
            result.as_ref().is_ok_and(RunSummary::is_complete) && planned.report.blocked.is_empty();
        let concluded = match &result {
            Ok(summary) if complete => self.settle(task, planned, change, summary, &mut lock).await,
            _ => Ok(()),
        };
        leave_in_flight(&mut lock, &journal, complete && change.is_some(), self.desk.now());
        lock.release(&journal.begun()).await.map_err(End::of)?;
        let summary = result.map_err(|error| match error {
            JournalError::Store(error) => End::failed(error),
            other => End::Locked(other.to_string()),
        })?;
        concluded.map(|()| summary)
    }

    /// What a complete run leaves behind: the bundle, the mode.
    async fn settle(
        &self,
        task: &Task<'_>,
        planned: &Planned,
        change: Option<&KeptMode>,
        summary: &RunSummary,
        lock: &mut Lock,
    ) -> Result<(), End> {
        if task.options.intent == Intent::Converge {
            self.publish(task, planned, &summary.left, lock).await?;
        }
        let Some(begun) = change else { return Ok(()) };
        lock.confirm(|| self.desk.now()).await.map_err(End::of)?;
        begun.complete(&*self.store()).await.map(drop).map_err(|error| End::of(error.into()))
    }

    pub(super) fn ended(&self, planned: &Planned, summary: &RunSummary) -> Result<End, End> {
        match summary.is_complete() && planned.report.blocked.is_empty() {
            true => Ok(End::Done(summary.done)),
            false => Err(End::Failed(format!("{:?} {:?}", summary.failed, planned.report.blocked))),
        }
    }
}
