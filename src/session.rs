//! The five moves that every command is made of: load, observe, plan, confirm, execute.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use drstack_core::address::Address;
use drstack_core::budget;
use drstack_core::calls::CallNote;
use drstack_core::cloud::{Cloud, Found, Scope};
use drstack_core::compile::{Compiled, check, compile, queries};
use drstack_core::control::lock::{Lock, LockError, Peek, RENEW, peek};
use drstack_core::control::mode::{KeptMode, mode};
use drstack_core::control::records::{self, Kept};
use drstack_core::control::{ControlStore, StoreError};
use drstack_core::diagnostic::{Diagnostic, MOST_SHOWN, Severity, Sources, render};
use drstack_core::engine::event::Event;
use drstack_core::engine::execute::{ExecuteOptions, RunSummary, execute};
use drstack_core::engine::journal::{Journal, JournalError};
use drstack_core::facts::{Fact, Facts};
use drstack_core::graph::Graph;
use drstack_core::keys::PrivateKey;
use drstack_core::kind::{KindRegistry, Place, ShapeError};
use drstack_core::objective::Mode;
use drstack_core::observe::{Capture, Look, Observed, capture, observe, observe_in};
use drstack_core::plan::stability::{Rehearsal, rehearse};
use drstack_core::plan::{Intent, Options, Plan, PlanReport, Remark, plan};
use drstack_core::stack::{Failed, Stack, load};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::args::{Global, StackArgs};
use crate::bundle::{Then, elsewhere};
use crate::cloud::{Connected, connect};
use crate::exit::{Exit, Failure};
use crate::ui::Ui;
use crate::{files, views};

/// The purpose of a takeover's run, in lock and journal.
pub(crate) const FAILOVER: &str = "failover";
/// That of a handing back.
pub(crate) const FAILBACK: &str = "failback";

/// What `--delete-data` calls the control bucket.
pub(crate) const CONTROL: &str = "control";

/// A stack and the cloud it is held against.
pub(crate) struct Session {
    pub(crate) ui: Ui,
    pub(crate) stack: Stack,
    pub(crate) kinds: KindRegistry,
    pub(crate) cloud: Arc<dyn Cloud>,
    pub(crate) store: Arc<dyn ControlStore>,
    /// Whether time is not real.
    pub(crate) simulated: bool,
    /// Signs the bundle.
    pub(crate) signer: Option<PrivateKey>,
    /// What the last complete apply left for a takeover, which asks nobody else; none while not taking over.
    pub(crate) alone: Option<Alone>,
    pub(crate) scope: Scope,
}

/// What a takeover works from.
#[derive(Default)]
pub(crate) struct Alone {
    /// What the primary said.
    pub(crate) facts: Facts,
    /// What stands outside the standby region.
    pub(crate) elsewhere: BTreeMap<Address, Found>,
}

/// A plan, and all that was seen on the way to it.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) report: PlanReport,
    pub(crate) compiled: Compiled,
    /// What was seen of each wanted resource.
    pub(crate) seen: BTreeMap<Address, Look>,
    /// What a takeover would do and need once all of this stands; none where the plan is for something else.
    pub(crate) rehearsal: Option<Rehearsal>,
    /// Questions that nothing answered now.
    pub(crate) unanswered: Vec<Remark>,
    /// Questions whose answer is another one than the last time.
    pub(crate) moved: Vec<String>,
    pub(crate) facts: Kept,
    /// What was seen of the primary region and of global services.
    pub(crate) elsewhere: BTreeMap<Address, Found>,
    /// What becomes of the bundle once all of it is done.
    pub(crate) then: Then,
    /// [`Peek::free_since`] before anything was looked at.
    free_since: Option<u64>,
}

impl Planned {
    /// Whether something that a takeover needs could not be looked at.
    pub(crate) fn has_failed_looks(&self) -> bool {
        self.seen.values().any(|look| matches!(look, Look::Unknown(_)))
    }

    /// Whether no other run can have come between the looking and the taking of `lock`.
    pub(crate) fn still_stands_under(&self, lock: &Lock) -> bool {
        self.free_since.is_some_and(|epoch| lock.holder().epoch == epoch + 1)
    }
}

/// What a plan is made from, but for the looks.
struct Basis {
    facts: Kept,
    unanswered: Vec<Remark>,
    moved: Vec<String>,
    /// [`KeptMode::is_past`]
    is_past: bool,
    compiled: Compiled,
}

/// Questions whose answers differ.
fn moved(before: &Facts, now: &Facts) -> Vec<String> {
    let differs =
        |(query, fact): &(&String, &Fact)| before.0.get(*query).is_some_and(|it| it.value != fact.value);
    now.0.iter().filter(differs).map(|(query, _)| query.clone()).collect()
}

/// Loads the stack; its warnings are shown, its errors end the program.
pub(crate) fn load_stack(ui: Ui, args: &StackArgs) -> Result<Stack, Failure> {
    let inputs = files::inputs(args)?;
    let entry = files::entry(&args.stack);
    match load(&entry, &inputs, &drstack_kinds::components(), &files::Disk) {
        Ok(loaded) => {
            if !loaded.warnings.is_empty() {
                for warning in &loaded.warnings {
                    ui.line("diagnostic", crate::views::diagnostic(warning, &loaded.stack.sources));
                }
                ui.note(render(&loaded.warnings, &loaded.stack.sources, ui.color).trim_end());
            }
            let mut problems = check(&loaded.stack);
            if !problems.is_empty() {
                let left_out = problems.len().saturating_sub(MOST_SHOWN);
                problems.truncate(MOST_SHOWN);
                return Err(invalid(ui, &problems, left_out, &loaded.stack.sources, &entry));
            }
            Ok(loaded.stack)
        }
        Err(Failed { problems, left_out, sources }) => {
            Err(invalid(ui, &problems, left_out, &sources, &entry))
        }
    }
}

/// All that is wrong with the stack at `entry`, and how many more problems there are.
fn invalid(ui: Ui, problems: &[Diagnostic], left_out: usize, sources: &Sources, entry: &Path) -> Failure {
    for problem in problems {
        ui.line("diagnostic", crate::views::diagnostic(problem, sources));
    }
    let shown = problems.iter().filter(|it| it.severity == Severity::Error).count();
    let count = crate::views::count(shown, "error");
    let more =
        if left_out == 0 { String::new() } else { format!(", and {left_out} more that are not shown") };
    let message = format!("{}{count} in `{}`{more}", render(problems, sources, ui.color), entry.display());
    Failure { exit: Exit::Invalid, message, hint: None }
}

impl Session {
    /// Loads the stack and connects to its cloud.
    pub(crate) async fn open(ui: Ui, global: &Global, args: &StackArgs) -> Result<Self, Failure> {
        Self::connected(ui, global, load_stack(ui, args)?).await
    }

    /// Connects to the cloud of `stack`.
    pub(crate) async fn connected(ui: Ui, global: &Global, stack: Stack) -> Result<Self, Failure> {
        let kinds = drstack_kinds::kinds();
        let scope = Scope {
            stack: stack.facts.name.as_str().into(),
            primary: stack.facts.primary.as_str().into(),
            standby: stack.facts.standby.as_str().into(),
            secrets: Arc::new(stack.secrets.clone()),
        };
        let components = stack.components.len();
        tracing::debug!(name: "loaded", stack = stack.facts.name, components, hash = stack.hash, "loaded the stack");
        let connected = connect(global, &stack, &scope, &kinds).await?;
        let store = connected.cloud.control(&scope, &stack.facts.control);
        let Connected { cloud, simulated } = connected;
        Ok(Self { ui, stack, kinds, cloud, store, simulated, signer: None, alone: None, scope })
    }

    /// The addresses that `names` stand for: themselves, and the components of a tier for `tier=N`.
    pub(crate) fn addresses(&self, names: &[String]) -> Result<Vec<String>, Failure> {
        let mut all = Vec::new();
        for name in names {
            let Some(tier) = name.strip_prefix("tier=") else {
                all.push(name.clone());
                continue;
            };
            let of_tier = self.stack.components.values().filter(|it| it.objective.tier.to_string() == tier);
            let before = all.len();
            all.extend(of_tier.map(|it| it.address.to_string()));
            if all.len() == before {
                let hint = "tiers are 1 to 3; `tier = 1` in a component puts it there";
                return Err(Failure::new(Exit::Usage, format!("no component is of tier `{tier}`"), hint));
            }
        }
        Ok(all)
    }

    /// The shortest RTO that the stack or one of its components asks for.
    pub(crate) fn rto(&self) -> Option<SignedDuration> {
        self.stack.components.values().filter_map(|it| it.objective.rto).chain(self.stack.objective.rto).min()
    }

    /// Age in seconds of the oldest fact that was used.
    pub(crate) fn oldest_fact(&self, facts: &Facts) -> Option<i64> {
        let now = self.cloud.now();
        facts.0.values().map(|fact| now.duration_since(fact.captured_at).as_secs()).max()
    }

    /// Facts and graph; errors in the stack end the program, unless it is about to be destroyed.
    async fn compiled(&mut self, options: &Options) -> Result<Basis, Failure> {
        let mut kept = records::facts(&*self.store).await.map_err(|error| store_failure(&error))?;
        let last = std::mem::take(&mut kept.facts);
        let before = last.clone();
        let seen = match &self.alone {
            // Nobody may be there to answer: what was said last has to do.
            Some(alone) => Capture { facts: alone.facts.clone(), ..Capture::default() },
            None => capture(&*self.cloud, &self.scope, &queries(&self.stack), last).await,
        };
        kept.facts = seen.facts;
        let moved = moved(&before, &kept.facts);
        let mut secrets = self.stack.secrets.clone();
        secrets.extend(seen.secrets);
        self.scope.secrets = Arc::new(secrets);
        for (query, fact) in &kept.facts.0 {
            // Never the value: it may be anything.
            tracing::debug!(query, captured_at = %fact.captured_at, "have a fact");
        }
        for remark in &seen.failed {
            tracing::debug!(query = remark.address, error = remark.text, "a fact was not answered");
        }
        let kept_mode = self.mode().await?;
        let is_past = kept_mode.is_past(&options.intent, options.mode);
        let now = kept_mode.standing();
        let only = if options.intent == Intent::Failover { &options.targets[..] } else { &now.only[..] };
        let standing = kept_mode.next(options.mode, only);
        let mut compiled = compile(&self.stack, &kept.facts, standing);
        let resources = compiled.graph.resources.len();
        tracing::debug!(resources, problems = compiled.problems.len(), mode = ?options.mode, "compiled");
        if options.intent == Intent::Destroy {
            return Ok(Basis { facts: kept, unanswered: seen.failed, moved, is_past, compiled });
        }
        if !compiled.has_errors() {
            compiled.problems.extend(self.budget(&kept.facts, options.mode, &compiled.graph)?);
        }
        if !compiled.problems.is_empty() {
            if compiled.problems.len() > MOST_SHOWN {
                compiled.problems.sort_by_key(|it| it.severity);
                compiled.problems.truncate(MOST_SHOWN);
            }
            let text = render(&compiled.problems, &self.stack.sources, self.ui.color);
            for problem in &compiled.problems {
                self.ui.line("diagnostic", crate::views::diagnostic(problem, &self.stack.sources));
            }
            if compiled.has_errors() {
                return Err(Failure { exit: Exit::Invalid, message: text, hint: None });
            }
            self.ui.note(text.trim_end());
        }
        Ok(Basis { facts: kept, unanswered: seen.failed, moved, is_past, compiled })
    }

    /// Whether a takeover's launches fit into the RTO.
    fn budget(&self, facts: &Facts, mode: Mode, graph: &Graph) -> Result<Option<Diagnostic>, Failure> {
        let other = if mode == Mode::Active { Mode::Standby } else { Mode::Active };
        let other = compile(&self.stack, facts, other).graph;
        let (standby, active) = if mode == Mode::Active { (&other, graph) } else { (graph, &other) };
        budget::check(&self.stack, standby, active, &self.kinds).map_err(|error| shape_failure(&error))
    }

    /// Observes and plans.
    pub(crate) async fn plan(&mut self, options: &Options) -> Result<Planned, Failure> {
        let Scope { primary, standby, .. } = &self.scope;
        let _busy = self.ui.busy(format!("Looking at {primary} and {standby}"));
        // A lock that cannot be read is nobody's promise; taking it will say what is wrong with it.
        let Peek { free_since, begun } = peek(&*self.store).await.unwrap_or_default();
        let Basis { facts, unanswered, moved, is_past, compiled } = self.compiled(options).await?;
        // Asked after the lock was looked at: a change of mode later than that shows in the lock.
        if is_past {
            let hint = "run it again to see what is to be done now";
            return Err(Failure::new(Exit::Locked, "the mode changed since this run began", hint));
        }
        let mut seen = self.look(&compiled.graph).await;
        for (address, look) in &seen.seen {
            tracing::debug!(%address, look = said(look), "looked");
        }
        tracing::debug!(others = seen.others.len(), begun = begun.len(), ?free_since, "observed");
        seen.begun = begun;
        self.check_addresses(options, &compiled.graph, &seen)?;
        let (plan, mut report) = plan(&compiled.graph, &seen, &self.kinds, &self.stack.facts, options)
            .map_err(|error| shape_failure(&error))?;
        for step in &plan.steps {
            tracing::debug!(address = %step.address, action = ?step.action, "planned");
        }
        // What a component leaves out matters where it is about to change; saying it every time is noise.
        let changing: BTreeSet<String> = match options.intent {
            Intent::Destroy => BTreeSet::new(),
            _ => plan.steps.iter().map(|step| step.address.component().to_string()).collect(),
        };
        report.notes.extend(compiled.notes.iter().filter(|note| changing.contains(&note.address)).cloned());
        let rehearsal = self.rehearse(options, &facts.facts, &compiled.graph)?;
        if let Some(rehearsal) = &rehearsal {
            // An apply that ends well promises that the stack can fail over.
            report.blocked.extend(rehearsal.violations.iter().cloned());
        }
        report.notes.extend(unanswered.iter().cloned().map(|remark| self.aged(remark, &facts.facts)));
        let (elsewhere, then) = (elsewhere(&compiled, &seen), Then::after(options));
        Ok(Planned {
            plan,
            report,
            compiled,
            seen: seen.seen,
            rehearsal,
            facts,
            unanswered,
            moved,
            elsewhere,
            then,
            free_since,
        })
    }

    /// Looks at all that is wanted; at a takeover only in the standby region, and at the record of the rest.
    async fn look(&self, graph: &Graph) -> Observed {
        let Some(alone) = &self.alone else {
            return observe(&*self.cloud, &self.kinds, &self.scope, graph).await;
        };
        let places = [Place::Standby];
        let mut seen = observe_in(&*self.cloud, &self.kinds, &self.scope, graph, &places).await;
        for (address, _) in graph.resources.iter().filter(|(_, it)| it.place != Place::Standby) {
            let found = alone.elsewhere.get(address).cloned();
            seen.seen.insert(address.clone(), found.map_or(Look::Absent, Look::Present));
        }
        seen
    }

    /// Which region serves, as the control bucket says.
    pub(crate) async fn mode(&self) -> Result<KeptMode, Failure> {
        mode(&*self.store).await.map_err(|error| store_failure(&error))
    }

    /// What a takeover would do and need once all of `standby` stands.
    fn rehearse(
        &self,
        options: &Options,
        facts: &Facts,
        standby: &Graph,
    ) -> Result<Option<Rehearsal>, Failure> {
        if options.intent != Intent::Converge || options.mode != Mode::Standby || !options.targets.is_empty()
        {
            return Ok(None);
        }
        let active = compile(&self.stack, facts, Mode::Active).graph;
        rehearse(standby, &active, &self.kinds, &self.stack.facts)
            .map(Some)
            .map_err(|error| shape_failure(&error))
    }

    /// Addresses on the command line that name nothing: a slip of the keyboard must not end as "nothing to do".
    fn check_addresses(&self, options: &Options, want: &Graph, seen: &Observed) -> Result<(), Failure> {
        let known = || want.resources.keys().chain(seen.others.iter().map(|it| &it.address));
        let hint = |name: &str| match views::closest(name, known()) {
            Some(it) => format!("did you mean `{it}`?"),
            None => "`drstack graph` shows the addresses of the stack".to_owned(),
        };
        let is_unknown = |name: &&String| *name != CONTROL && !known().any(|it| it.is_within(name));
        let target = options.targets.iter().find(is_unknown);
        // What is to be taken away may be gone already.
        if let (Some(target), true) = (target, options.intent != Intent::Destroy) {
            let message = format!("`--target {target}` names nothing of this stack");
            return Err(Failure::new(Exit::Usage, message, hint(target)));
        }
        for name in target.into_iter().chain(options.delete_data.iter().filter(is_unknown)) {
            self.ui.warn(&format!("warning: `{name}` names nothing that exists; {}", hint(name)));
        }
        Ok(())
    }

    /// As if nothing stood yet: the graph, and the steps that would make all of it.
    pub(crate) async fn first_apply(&mut self, options: &Options) -> Result<Planned, Failure> {
        let Basis { facts, unanswered, moved, compiled, .. } = self.compiled(options).await?;
        let nothing =
            compiled.graph.resources.keys().map(|address| (address.clone(), Look::Absent)).collect();
        let seen = Observed { seen: nothing, ..Observed::default() };
        let (plan, report) = plan(&compiled.graph, &seen, &self.kinds, &self.stack.facts, options)
            .map_err(|error| shape_failure(&error))?;
        Ok(Planned {
            plan,
            report,
            compiled,
            seen: BTreeMap::new(),
            rehearsal: None,
            facts,
            unanswered,
            moved,
            elsewhere: BTreeMap::new(),
            then: Then::Leave,
            free_since: None,
        })
    }

    /// A fact that nobody answered, with the age of the answer that is used in its place.
    fn aged(&self, remark: Remark, facts: &Facts) -> Remark {
        let text = match facts.0.get(&remark.address) {
            Some(fact) => {
                let age = self.cloud.now().duration_since(fact.captured_at);
                format!(
                    "using the answer of {} ago: {}",
                    crate::views::duration(age.unsigned_abs()),
                    remark.text
                )
            }
            None => format!("never answered: {}", remark.text),
        };
        Remark { text, ..remark }
    }

    /// Executes `planned` under `lock`, which is kept alive meanwhile and given back at the end.
    pub(crate) async fn execute(
        &self,
        planned: &Planned,
        mut lock: Lock,
        purpose: &str,
        parallelism: usize,
        sink: &mut (dyn FnMut(Event) + Send),
    ) -> Result<RunSummary, Failure> {
        tracing::debug!(
            run = lock.holder().run,
            epoch = lock.holder().epoch,
            "keeping facts, then executing"
        );
        // Looking and planning may have taken most of the lease, or all of it.
        lock.renew(self.cloud.now()).await.map_err(|error| self.lock_failure(&error))?;
        // The machine may have slept since: from here on the facts are somebody else's.
        if !lock.lease().holds(self.cloud.now()) {
            return Err(self.lock_failure(&LockError::Lost));
        }
        // A takeover asked nobody: what it works from is no news.
        if self.alone.is_none() {
            records::keep_facts(&*self.store, &planned.facts).await.map_err(|error| match &error {
                StoreError::Refused { .. } => self.lock_failure(&LockError::Lost),
                _ => store_failure(&error),
            })?;
        }
        let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
        let options = ExecuteOptions {
            parallelism,
            purpose: purpose.to_owned(),
            insist: matches!(purpose, FAILOVER | FAILBACK),
            drain: drain.clone(),
            stop: stop.clone(),
        };
        let mut journal = Journal::new(Arc::clone(&self.store), &lock.holder().run)
            .under(lock.lease())
            .after(lock.begun().clone());
        let cloud = Arc::clone(&self.cloud);
        let mut lost = None;
        let result = {
            let run = execute(&planned.plan, cloud, &self.kinds, &self.scope, &mut journal, &options, sink);
            tokio::pin!(run);
            loop {
                tokio::select! {
                    result = &mut run => break result,
                    _ = tokio::signal::ctrl_c() => {
                        if drain.is_cancelled() { stop.cancel() } else { drain.cancel() }
                    }
                    () = tokio::time::sleep(RENEW.unsigned_abs()), if lost.is_none() => {
                        if let Err(error) = lock.renew(self.cloud.now()).await {
                            self.ui.warn(&format!("warning: {error}; nothing more is started"));
                            lost = Some(error);
                            drain.cancel();
                        }
                    }
                }
            }
        };
        let complete =
            result.as_ref().is_ok_and(RunSummary::is_complete) && planned.report.blocked.is_empty();
        let concluded = match complete && lost.is_none() {
            true => self.conclude(planned, &mut lock).await,
            false => Ok(()),
        };
        if lost.is_none() {
            let (run, begun) = (lock.holder().run.clone(), journal.begun());
            // Before the lock is given back: a call that is under way has no end yet.
            let calls = self.cloud.calls();
            let (released, ()) = tokio::join!(lock.release(&begun), self.keep_calls(&run, &calls));
            released.map_err(|error| self.lock_failure(&error))?;
        }
        if drain.is_cancelled() && lost.is_none() {
            self.ui.warn("interrupted: what was running is finished; run the command again to go on");
        }
        match (result, lost) {
            (_, Some(error)) => Err(self.lock_failure(&error)),
            (Ok(summary), None) => concluded.map(|()| summary),
            (Err(error @ (JournalError::Fenced { .. } | JournalError::Lapsed { .. })), None) => {
                Err(Failure::new(Exit::Locked, error, "run `drstack plan` to see where things stand"))
            }
            (Err(JournalError::Store(error)), None) => Err(store_failure(&error)),
        }
    }

    /// Keeps the log of all calls until now beside the journal of `run`. A run that went well does not fail for want of it.
    async fn keep_calls(&self, run: &str, calls: &[CallNote]) {
        if let Err(error) = records::keep_calls(&*self.store, run, calls).await {
            self.ui.warn(&format!("warning: the log of this run's calls was not kept: {error}"));
        }
    }

    /// Wall-clock time of the cloud.
    pub(crate) fn now(&self) -> Timestamp {
        self.cloud.now()
    }
}

/// What a look found, in a word or the error: never the live value.
fn said(look: &Look) -> String {
    match look {
        Look::Absent => "absent".to_owned(),
        Look::Present(_) => "present".to_owned(),
        Look::Unknown(error) => error.to_string(),
    }
}

fn shape_failure(error: &ShapeError) -> Failure {
    Failure::new(Exit::Failed, error, "another version of drstack made this; use that one, or report it")
}

/// What to say when the control bucket cannot be used.
pub(crate) fn store_failure(error: &StoreError) -> Failure {
    let hint = match error {
        StoreError::Refused { .. } => "run again".to_owned(),
        StoreError::NoBucket { .. } => "`drstack apply` makes it".to_owned(),
        StoreError::Broken { key, .. } => {
            format!(
                "bring back an older version of `{key}`, or delete it while the primary answers: it is asked anew"
            )
        }
        StoreError::Cloud(error) => error.hint(),
    };
    Failure::new(Exit::Failed, format!("control bucket: {error}"), hint)
}
