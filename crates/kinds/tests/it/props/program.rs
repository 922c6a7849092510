//! The program without its command line: looks, plans, takes the lock, looks again, executes, as `src/session.rs` does.

use std::collections::BTreeSet;
use std::sync::Arc;

use drstack_core::cloud::{Cloud, Scope};
use drstack_core::compile::{compile, queries};
use drstack_core::control::lock::{Holder, Lock, LockError, RENEW, break_lock, peek};
use drstack_core::control::records::{self, Kept};
use drstack_core::control::{ControlStore, StoreError};
use drstack_core::engine::execute::{ExecuteOptions, PARALLELISM, RunSummary, execute};
use drstack_core::engine::journal::{Journal, JournalError};
use drstack_core::graph::Graph;
use drstack_core::objective::Mode;
use drstack_core::observe::{capture, observe};
use drstack_core::plan::{Intent, Options, Plan, PlanReport, plan};
use drstack_core::stack::Stack;
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
}

/// A plan, and what it was made from.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) report: PlanReport,
    pub(crate) graph: Graph,
    facts: Kept,
    free_since: Option<u64>,
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
    fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }

    fn of(error: LockError) -> Self {
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

    fn store(&self) -> Arc<dyn ControlStore> {
        self.desk.control(&scope(self.stack), &self.stack.facts.control)
    }

    async fn command(&self, intent: Intent) -> Result<End, End> {
        let shown = self.plan(intent.clone()).await?;
        if shown.plan.is_empty() {
            return self.ended(&shown, &RunSummary::default());
        }
        let store = self.store();
        store.ensure().await.map_err(End::failed)?;
        let lock = Lock::take(store, self.holder(), self.desk.now()).await.map_err(End::of)?;
        let stands = shown.free_since.is_some_and(|epoch| lock.holder().epoch == epoch + 1);
        let planned = match stands {
            true => shown,
            false => match self.plan(intent).await {
                Ok(planned) if planned.plan == shown.plan => planned,
                other => {
                    let begun = lock.begun().clone();
                    lock.release(&begun).await.map_err(End::of)?;
                    return Err(other.err().unwrap_or(End::Locked("the world changed".to_owned())));
                }
            },
        };
        let summary = self.execute(&planned, lock).await?;
        self.ended(&planned, &summary)
    }

    pub(crate) async fn plan(&self, intent: Intent) -> Result<Planned, End> {
        let (cloud, kinds, scope) = (&self.desk, drstack_kinds::kinds(), scope(self.stack));
        let store = self.store();
        let peek = peek(&*store).await.unwrap_or_default();
        let mut facts = records::facts(&*store).await.map_err(End::failed)?;
        let last = std::mem::take(&mut facts.facts);
        facts.facts = capture(cloud, &scope, &queries(self.stack), last).await.facts;
        let compiled = compile(self.stack, &facts.facts, Mode::Standby);
        if compiled.has_errors() && intent == Intent::Converge {
            return Err(End::Failed("the stack is invalid".to_owned()));
        }
        let mut seen = observe(cloud, &kinds, &scope, &compiled.graph).await;
        seen.begun = peek.begun;
        planted::skip_orphans(self.flaw, &mut seen);
        planted::take_others(self.flaw, &mut seen, self.desk.others());
        let delete_data = self.delete_data.clone();
        let options = Options { intent, mode: Mode::Standby, targets: Vec::new(), delete_data };
        let (mut plan, report) =
            plan(&compiled.graph, &seen, &kinds, &self.stack.facts, &options).map_err(End::failed)?;
        planted::delete_first(self.flaw, &mut plan);
        Ok(Planned { plan, report, graph: compiled.graph, facts, free_since: peek.free_since })
    }

    fn holder(&self) -> Holder {
        let now = self.desk.now();
        Holder {
            owner: self.run.clone(),
            host: "machine".to_owned(),
            purpose: "apply".to_owned(),
            run: self.run.clone(),
            since: now,
            until: now,
            epoch: 1,
        }
    }

    async fn execute(&self, planned: &Planned, mut lock: Lock) -> Result<RunSummary, End> {
        let store = self.store();
        lock.renew(self.desk.now()).await.map_err(End::of)?;
        if self.flaw != Some(Flaw::NoLease) && !lock.lease().holds(self.desk.now()) {
            return Err(End::of(LockError::Lost));
        }
        records::keep_facts(&*store, &planned.facts).await.map_err(|error| match error {
            StoreError::Refused { .. } => End::of(LockError::Lost),
            error => End::failed(error),
        })?;
        let drain = CancellationToken::new();
        let options = ExecuteOptions {
            parallelism: PARALLELISM,
            purpose: "apply".to_owned(),
            insist: false,
            drain: drain.clone(),
            stop: CancellationToken::new(),
        };
        let mut journal = Journal::new(store, &self.run).after(lock.begun().clone());
        if self.flaw != Some(Flaw::NoLease) {
            journal = journal.under(lock.lease());
        }
        let (cloud, kinds, scope) = (Arc::new(self.desk.clone()), drstack_kinds::kinds(), scope(self.stack));
        let mut lost = None;
        let result = {
            let mut sink = |_| {};
            let run = execute(&planned.plan, cloud, &kinds, &scope, &mut journal, &options, &mut sink);
            tokio::pin!(run);
            loop {
                tokio::select! {
                    result = &mut run => break result,
                    () = self.desk.rest(RENEW.unsigned_abs()), if lost.is_none() => {
                        if let Err(error) = lock.renew(self.desk.now()).await {
                            lost = Some(error);
                            drain.cancel();
                        }
                    }
                }
            }
        };
        if let Some(error) = lost {
            return Err(End::of(error));
        }
        lock.release(&journal.begun()).await.map_err(End::of)?;
        result.map_err(|error| match error {
            JournalError::Store(error) => End::failed(error),
            other => End::Locked(other.to_string()),
        })
    }

    fn ended(&self, planned: &Planned, summary: &RunSummary) -> Result<End, End> {
        match summary.is_complete() && planned.report.blocked.is_empty() {
            true => Ok(End::Done(summary.done)),
            false => Err(End::Failed(format!("{:?} {:?}", summary.failed, planned.report.blocked))),
        }
    }
}
