//! The program's change of mode, as `src/takeover.rs` and the commands of that name do it.

use std::collections::BTreeMap;
use std::time::Duration;

use drstack_core::bundle::Bundle;
use drstack_core::cloud::Cloud;
use drstack_core::control::lock::{FAILBACK, FAILOVER, Lock};
use drstack_core::control::mode::KeptMode;
use drstack_core::control::published::bundle;
use drstack_core::engine::execute::RunSummary;
use drstack_core::kind::Place;
use drstack_core::objective::Mode;
use drstack_core::observe::{Look, look_again};
use drstack_core::part::Sequence;
use drstack_core::plan::{Intent, Options};
use drstack_core::stack::Stack;
use drstack_core::verdict::{Evidence, Verdict, groups};

use crate::props::planted::{self, Flaw};
use crate::props::program::{Alone, End, Planned, Program, Task, scope};

/// As in `src/commands/failover.rs`.
const LOOKS: usize = 4;
const PAUSE: Duration = Duration::from_secs(2);

impl Program<'_> {
    /// `drstack failover`, of `only` these addresses or of all.
    pub(super) async fn failover(&self, only: &[String]) -> End {
        self.take_over(only).await.unwrap_or_else(|end| end)
    }

    /// `drstack failback`.
    pub(super) async fn failback(&self) -> End {
        self.hand_back().await.unwrap_or_else(|end| end)
    }

    /// What a takeover would do.
    pub(super) async fn plan_failover(&self, only: &[String]) -> Result<Planned, End> {
        let (stack, alone) = self.bundled().await?;
        self.plan_of(&takeover(&stack, alone, only, self.flaw)).await
    }

    /// The stack and the record of what stands elsewhere, as the last complete apply left them.
    async fn bundled(&self) -> Result<(Stack, Alone), End> {
        self.desk.stand_alone();
        let bytes = bundle(&*self.store()).await.map_err(End::failed)?;
        let bytes = bytes.ok_or(End::Failed("no bundle".to_owned()))?;
        let bundle = Bundle::from_bytes(&bytes).map_err(End::failed)?;
        let stack = bundle.stack(&drstack_kinds::components()).map_err(End::failed)?;
        let known = bundle.elsewhere.into_iter().chain(bundle.data).collect();
        Ok((stack, Alone { facts: bundle.facts, known }))
    }

    async fn take_over(&self, only: &[String]) -> Result<End, End> {
        let (stack, alone) = self.bundled().await?;
        let task = takeover(&stack, alone, only, self.flaw);
        let mut shown = self.plan_of(&task).await?;
        for _ in 1..LOOKS {
            if !shown.seen.values().any(|look| matches!(look, Look::Unknown(_))) {
                break;
            }
            self.desk.rest(PAUSE).await;
            shown = self.plan_of(&task).await?;
        }
        let kept = shown.kept.clone();
        let serves = kept.standing().mode == Mode::Active && kept.is_complete();
        if serves && shown.plan.is_empty() && shown.report.blocked.is_empty() {
            return Ok(End::Done(0));
        }
        self.carry_out(&task, shown, kept).await
    }

    async fn hand_back(&self) -> Result<End, End> {
        let serves = |kept: &KeptMode| kept.standing().mode == Mode::Standby && kept.is_complete();
        let kept = self.mode().await?;
        if kept.record.is_some() && serves(&kept) {
            return Ok(End::Done(0));
        }
        let options = Options {
            intent: Intent::Failback,
            mode: Mode::Standby,
            targets: Vec::new(),
            delete_data: Default::default(),
        };
        let task = Task { stack: self.stack, alone: None, options, purpose: FAILBACK };
        let shown = self.plan_of(&task).await?;
        let kept = shown.kept.clone();
        if serves(&kept) {
            return Ok(End::Done(0));
        }
        let unseen = shown.seen.iter().any(|(address, look)| {
            let place = shown.graph.resources.get(address).map(|it| it.place);
            matches!(look, Look::Unknown(_)) && place != Some(Place::Standby)
        });
        if unseen || !shown.unanswered.is_empty() || !shown.report.blocked.is_empty() {
            return Err(End::Failed(format!("not possible now: {:?}", shown.report.blocked)));
        }
        self.carry_out(&task, shown, kept).await
    }

    async fn carry_out(&self, task: &Task<'_>, shown: Planned, kept: KeptMode) -> Result<End, End> {
        let store = self.store();
        let lock = self.lock_over(task.purpose).await?;
        let planned = match shown.still_stands_under(&lock) {
            true => shown,
            false => self.plan_of(task).await?,
        };
        let standing = self.accepting(kept.next(task.options.mode, &task.options.targets));
        let begun = kept.begin(&*store, standing, self.desk.now(), &self.run).await;
        let begun = begun.map_err(|error| End::of(error.into()))?;
        // The product warns where that fails, and goes on.
        let _ = begun.testify(&self.desk, &scope(self.stack), &self.stack.facts.control).await;
        let summary = self.execute(task, &planned, Some(&begun), lock).await?;
        self.judge(task, &planned, (&kept, &begun), &summary).await;
        self.ended(&planned, &summary)
    }

    /// As `Session::judge` of `src/verdict.rs`, which looks once more at what serves.
    async fn judge(
        &self,
        task: &Task<'_>,
        planned: &Planned,
        (kept, begun): (&KeptMode, &KeptMode),
        summary: &RunSummary,
    ) {
        let (kinds, scope, standing) = (drstack_kinds::kinds(), scope(task.stack), begun.standing());
        let running = groups(&planned.graph, &standing, &kinds);
        let seen = look_again(&self.desk, &kinds, &scope, running).await;
        let served = kept.standing().mode == Mode::Active && kept.is_complete();
        let run = (&planned.plan, summary, !planned.report.blocked.is_empty());
        let evidence = Evidence::of(&planned.graph, &standing, served, run, &kinds, &seen).unwrap();
        let evidence = planted::hopeful(self.flaw, evidence);
        *self.judged.lock().unwrap() = Some((Verdict::of(&evidence), evidence));
    }

    async fn lock_over(&self, purpose: &str) -> Result<Lock, End> {
        let store = self.store();
        if purpose != FAILOVER {
            store.ensure().await.map_err(End::failed)?;
        }
        let taken = Lock::take_over(store, self.holder(purpose), self.desk.now()).await;
        let (lock, _) = taken.map_err(End::of)?;
        Ok(lock)
    }
}

fn takeover<'a>(stack: &'a Stack, alone: Alone, only: &[String], flaw: Option<Flaw>) -> Task<'a> {
    let sequence = Sequence::of(stack, &drstack_kinds::kinds()).unwrap();
    let along = if flaw == Some(Flaw::PartAlone) { BTreeMap::new() } else { sequence.along(stack, only) };
    let along = along.keys().map(ToString::to_string);
    let options = Options {
        intent: Intent::Failover,
        mode: Mode::Active,
        targets: only.iter().cloned().chain(along).collect(),
        delete_data: Default::default(),
    };
    Task { stack, alone: Some(alone), options, purpose: FAILOVER }
}
