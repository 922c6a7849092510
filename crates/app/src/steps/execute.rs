//! Executes a plan under the lock and stores what the run leaves.

use std::sync::Arc;

use drstack_core::calls::CallNote;
use drstack_core::control::StoreError;
use drstack_core::control::in_flight::InFlight;
use drstack_core::control::journal::{Journal, JournalError};
use drstack_core::control::lock::{Lock, LockError};
use drstack_core::control::mode::KeptMode;
use drstack_core::control::published::withdraw;
use drstack_core::control::records;
use drstack_core::control::undo;
use drstack_core::engine::again::Again;
use drstack_core::engine::event::Event;
use drstack_core::engine::execute::{ExecuteOptions, RunSummary};
use drstack_core::engine::keep::{keeping, leave_in_flight};
use drstack_core::plan::Intent;
use tokio_util::sync::CancellationToken;

use crate::failure::{Failure, Status, mode_failure, store_failure};
use crate::planned::PlanOutcome;
use crate::session::Session;
use crate::steps::lock::release;
use crate::steps::stop::asked;
use crate::steps::then::BundleAction;

impl Session {
    /// Executes `planned` under `lock`, renews the lock meanwhile and releases it at the end.
    ///
    /// If the run completes a `change` of mode, that is recorded before the release.
    pub(crate) async fn execute(
        &self,
        planned: &PlanOutcome,
        change: Option<&KeptMode>,
        mut lock: Lock,
        intent: Intent,
        parallelism: usize,
        sink: &mut (dyn FnMut(Event) + Send),
    ) -> Result<RunSummary, Failure> {
        tracing::debug!(
            run = lock.holder().run,
            epoch = lock.holder().epoch,
            "keeping facts, then executing"
        );
        // Observing and planning may have taken most of the lease, or all of it.
        lock.confirm(|| self.cloud.now()).await.map_err(|error| self.lock_failure(&error))?;
        // An unplanned failover captured nothing: its facts are the stored ones.
        if self.alone.is_none()
            && let Err(failure) = self.keep_before(planned).await
        {
            // Another run's lock is not ours to release; `release` leaves it.
            release(lock).await?;
            return Err(failure);
        }
        let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
        let options = ExecuteOptions {
            parallelism,
            purpose: self.purpose(intent).to_owned(),
            retry_transient: intent.changes_mode(),
            drain: drain.clone(),
            stop: stop.clone(),
        };
        let mut journal = self.journal(&lock);
        self.cloud.under(Some(journal.permit()));
        // A blocked plan is incomplete anyway, so it does not wait. An apply does not wait either:
        // it works for the same world as the runs before it.
        let waits = change.is_some() && planned.report.blocked.is_empty();
        let earlier = if waits { lock.in_flight().clone() } else { InFlight::default() };
        let again = self.again(planned);
        self.app.operator.begin(planned);
        let (result, lost) = {
            let rest = async |span| self.app.host.rest(span).await;
            let say = |seen: &InFlight, unseen: &InFlight| self.say_in_flight(seen, unseen);
            let run = again.execute(&earlier, &mut journal, &options, rest, say, sink);
            let run = self.until_stopped(run, &drain, &stop);
            let now = || self.cloud.now();
            keeping(&mut lock, now, rest, &stop, run).await
        };
        // No call of the run is in flight any more.
        self.cloud.under(None);
        if let Some(error) = &lost {
            self.warn(&format!("warning: {error}; what was running is stopped"));
        }
        self.say_landed(change.is_some(), lock.in_flight(), result.as_ref().ok());
        let complete =
            result.as_ref().is_ok_and(RunSummary::is_complete) && planned.report.blocked.is_empty();
        let concluded = match &result {
            Ok(summary) if complete && lost.is_none() => {
                self.settle(planned, change, summary, &mut lock).await
            }
            _ => Ok(()),
        };
        if lost.is_none() {
            let settled = complete && change.is_some();
            leave_in_flight(&mut lock, &journal, settled, self.cloud.now());
            let (run, begun) = (lock.holder().run.clone(), journal.begun());
            // Before the lock is released: a call that is still in flight has no end yet.
            let calls = self.cloud.calls();
            let (released, ()) = tokio::join!(lock.release(&begun), self.keep_calls(&run, &calls));
            released.map_err(|error| self.lock_failure(&error))?;
        }
        if drain.is_cancelled() && lost.is_none() && !complete {
            let running = if stop.is_cancelled() { "stopped" } else { "finished" };
            self.warn(&format!("interrupted: what was running is {running}; run the command again to go on"));
        }
        match (result, lost) {
            (_, Some(error)) => Err(self.lock_failure(&error)),
            (Ok(summary), None) => concluded.map(|()| summary),
            (Err(error @ (JournalError::Fenced { .. } | JournalError::Lapsed { .. })), None) => {
                Err(Failure::new(Status::Locked, error, "run `drstack plan STACK` to see where things stand"))
            }
            (Err(JournalError::Store(error)), None) => Err(store_failure(&error)),
        }
    }

    /// Opens the journal of the run that holds `lock`.
    fn journal(&self, lock: &Lock) -> Journal {
        let journal = Journal::new(Arc::clone(&self.store), &lock.holder().run);
        journal.under(lock.lease()).after(lock.begun().clone())
    }

    /// Stores what has to outlive the run, whatever becomes of it.
    async fn keep_before(&self, planned: &PlanOutcome) -> Result<(), Failure> {
        self.keep_facts(planned).await?;
        self.keep_what_to_undo(planned).await?;
        if planned.then == BundleAction::Withdraw {
            // What is taken away by half is nothing that a failover may count on.
            withdraw(&*self.store).await.map_err(|error| store_failure(&error))?;
        }
        Ok(())
    }

    /// Stores the facts of `planned`, under the lock.
    pub(crate) async fn keep_facts(&self, planned: &PlanOutcome) -> Result<(), Failure> {
        records::keep_facts(&*self.store, &planned.facts, &self.stack.facts).await.map_err(|error| {
            match &error {
                StoreError::Refused { .. } => self.lock_failure(&LockError::Lost),
                _ => store_failure(&error),
            }
        })
    }

    /// Returns the plan, with what it takes to observe again the resources that calls of earlier
    /// runs undo.
    fn again<'a>(&'a self, planned: &'a PlanOutcome) -> Again<'a> {
        let (planner, graph) = (&self.app.catalog.planner, &planned.compiled.graph);
        Again {
            cloud: Arc::clone(&self.cloud),
            kinds: &self.kinds,
            scope: &self.scope,
            replan: Box::new(|seen, options| {
                planner.plan(graph, seen, &self.kinds, &self.stack.facts, options)
            }),
            graph,
            options: &planned.options,
            plan: &planned.plan,
            known: self.alone.as_ref().map(|alone| &alone.known),
        }
    }

    /// Reports the resources that calls of earlier runs undid, or may still undo after a run that
    /// does not wait for them.
    fn say_landed(&self, waited: bool, in_flight: &InFlight, summary: Option<&RunSummary>) {
        for address in summary.iter().flat_map(|summary| &summary.redone) {
            self.warn(&format!("a call of an earlier run undid {address}: it was done again"));
        }
        if let (false, Some(until)) = (waited, in_flight.until()) {
            self.note(&format!(
                "Calls of an earlier run may still change {} until {until:.0}: run `drstack plan STACK` after that",
                names(in_flight)
            ));
        }
    }

    fn say_in_flight(&self, seen: &InFlight, unseen: &InFlight) {
        if let Some(until) = seen.until() {
            self.note(&format!(
                "Calls of an earlier run may still change {}: waiting until {until:.0}, then looking again",
                names(seen)
            ));
        }
        if !unseen.is_empty() {
            self.note(&format!(
                "Calls of an earlier run may still change {}, which is not looked at now: run `drstack plan STACK` once {} answers",
                names(unseen),
                self.scope.primary
            ));
        }
    }

    /// Publishes the bundle and completes the mode after a complete run.
    async fn settle(
        &self,
        planned: &PlanOutcome,
        change: Option<&KeptMode>,
        summary: &RunSummary,
        lock: &mut Lock,
    ) -> Result<(), Failure> {
        // Before the run the bundle was taken back already.
        if planned.then != BundleAction::Withdraw {
            self.conclude(planned, &summary.left, lock).await?;
        }
        let Some(begun) = change else { return Ok(()) };
        // If another run took the lock meanwhile and changed the mode, it has written another
        // version.
        lock.confirm(|| self.cloud.now()).await.map_err(|error| self.lock_failure(&error))?;
        if planned.options.intent == Intent::Failback {
            undo::clear(&*self.store).await.map_err(|error| store_failure(&error))?;
        }
        begun.complete(&*self.store).await.map(drop).map_err(|error| mode_failure(&error))
    }

    /// Stores the call log of `run` up to now beside its journal. A failure to store it does not
    /// fail the run.
    pub(crate) async fn keep_calls(&self, run: &str, calls: &[CallNote]) {
        if let Err(error) = records::keep_calls(&*self.store, run, calls).await {
            self.warn(&format!("warning: the log of this run's calls was not kept: {error}"));
        }
    }

    /// Runs `run`; the first request to stop drains it, the second one stops it.
    async fn until_stopped<T>(
        &self,
        run: impl Future<Output = T>,
        drain: &CancellationToken,
        stop: &CancellationToken,
    ) -> T {
        let mut requests = self.app.host.requests_to_stop();
        tokio::pin!(run);
        for (times, token) in [(1, drain), (2, stop)] {
            tokio::select! {
                biased;
                // First: a run that was stopped before it began starts nothing.
                () = asked(&mut requests, times) => token.cancel(),
                result = &mut run => return result,
            }
        }
        run.await
    }
}

fn names(in_flight: &InFlight) -> String {
    in_flight.addresses().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
