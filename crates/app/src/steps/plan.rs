//! Observes and plans: from a stack and its cloud to a plan, with everything that was read on the
//! way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use drstack_core::address::Address;
use drstack_core::budget;
use drstack_core::cloud::Scope;
use drstack_core::compile::{Compiled, compile, queries};
use drstack_core::control::lock::{Peek, peek};
use drstack_core::control::mode::KeptMode;
use drstack_core::control::records::Kept;
use drstack_core::control::witness;
use drstack_core::diagnostic::{Diagnostic, MOST_SHOWN, codes::UNANSWERED};
use drstack_core::facts::{Facts, Moved, moved};
use drstack_core::graph::{Graph, Resource};
use drstack_core::kind::{Action, Place};
use drstack_core::objective::{Mode, Standing};
use drstack_core::observe::{Capture, Look, Observed, capture, observe, observe_alone};
use drstack_core::part::Sequence;
use drstack_core::plan::waits::go_without;
use drstack_core::plan::{
    ForAPerson, Intent, Options, Plan, PlanReport, Remark, Step, StoredAnswer, by_itself, used,
};
use drstack_core::verdict::{Pool, pools};

use crate::failure::{Failure, Status, shape_failure};
use crate::identity::{replaces_all, same_stack};
use crate::planned::PlanOutcome;
use crate::report::restored;
use crate::session::Session;
use crate::steps::addresses::not_deleted;
use crate::steps::rehearse::obstacles;
use crate::steps::then::{BundleAction, elsewhere};
use crate::text;

/// Attempts at a plan in which nothing is blocked by what another run creates at the same time.
const LOOKS: usize = 3;

/// Everything that a plan is made from, except the observations.
struct Basis {
    facts: Kept,
    has_new_levels: bool,
    unanswered: Vec<Remark>,
    moved: Vec<Moved>,
    /// The mode before.
    mode: KeptMode,
    compiled: Compiled,
    sequence: Option<Sequence>,
}

/// The answers of the regions, and the stored facts.
struct Asked {
    kept: Kept,
    seen: Capture,
    moved: Vec<Moved>,
    has_new_levels: bool,
}

impl Session {
    /// Observes and plans.
    ///
    /// # Errors
    /// Returns an error if the stack is invalid, which region serves is in doubt, or the control
    /// bucket does not answer.
    pub async fn plan(&mut self, options: &Options) -> Result<PlanOutcome, Failure> {
        let mut planned = self.plan_once(options).await?;
        for _ in 1..LOOKS {
            if !self.is_overtaken(&planned).await {
                break;
            }
            planned = self.plan_once(options).await?;
        }
        Ok(planned)
    }

    /// True if another run held the lock while this one observed. A blocked address may then be one
    /// that the other run was creating.
    ///
    /// If the lock cannot be read again, the plan is kept: executing it takes the lock first.
    async fn is_overtaken(&self, planned: &PlanOutcome) -> bool {
        !planned.report.blocked.is_empty() && self.peek().await.is_ok_and(|peek| peek != planned.peek)
    }

    async fn peek(&self) -> Result<Peek, Failure> {
        peek(&*self.store).await.map_err(|error| self.lock_failure(&error))
    }

    async fn plan_once(&mut self, options: &Options) -> Result<PlanOutcome, Failure> {
        let Scope { primary, standby, .. } = &self.scope;
        let _busy = self.busy(format!("Looking at {primary} and {standby}"));
        // The lock and its journal tell another owner's resource from one that a run was creating
        // when it died.
        let peek = self.peek().await?;
        let Basis { facts, has_new_levels, unanswered, moved, mode, mut compiled, sequence } =
            self.compiled(options).await?;
        // The mode was read after the lock, so a later change of mode shows in the lock.
        if !self.decisions.stated && mode.is_past(options.intent, options.mode) {
            let hint = "run it again to see what is to be done now";
            return Err(Failure::new(Status::Locked, "the mode changed since this run began", hint));
        }
        let (mut seen, unsettled) =
            tokio::join!(self.look(&compiled.graph), self.unsettled(options, &compiled.graph));
        // Where nothing is kept, no run has begun here: the files may name another stack than they did.
        let is_new = self.alone.is_none() && facts.of.is_none() && peek.free_since == Some(0);
        if is_new {
            self.expect_new(options, &mode, &compiled.graph, &seen)?;
        }
        let mode = self.weighed(mode, options, &facts.facts, &mut compiled, &seen)?;
        let now = mode.standing();
        trace(&seen);
        let Peek { free_since, begun } = &peek;
        tracing::debug!(others = seen.others.len(), begun = begun.len(), ?free_since, "observed");
        seen.begun.clone_from(begun);
        self.check_addresses(options, &compiled.graph, &seen)?;
        let (plan, mut report) = self
            .app
            .catalog
            .planner
            .plan(&compiled.graph, &seen, &self.kinds, &self.stack.facts, options)
            .map_err(|error| shape_failure(&error))?;
        let (plan, for_a_person) = self.within_limits(plan);
        // What the plan uses counts, under whatever name, and not what was found first.
        let used = used(&compiled.graph, &seen, &self.kinds, &plan);
        seen.seen.extend(used.map_err(|error| shape_failure(&error))?);
        trace_steps(&plan);
        // What is taken from the bundle matches nothing that was looked at.
        report.unchanged = report.unchanged.saturating_sub(self.taken_from_bundle(&compiled.graph).count());
        self.expect_nothing_left(options, &compiled.graph, &mode, (&report, &seen)).await?;
        report.notes.extend(self.notes(options, &compiled, (&plan, &report), &seen, &now)?);
        self.say_of_data(options, (&facts.facts, &compiled.graph), &plan, &mut report).await;
        self.say_who_is_led(unsettled, &compiled.graph, &mut report);
        let rehearsal =
            self.rehearse(options, &facts.facts, &compiled.graph, (&now, &plan, &mut seen)).await?;
        if let Some(rehearsal) = &rehearsal {
            // An apply that ends well promises that the stack can fail over.
            report.blocked.extend(obstacles(rehearsal));
        }
        self.note_unanswered(&unanswered, &compiled.graph, &facts.facts, &mut report);
        let predicted = self.predict((options.intent, now.mode), &plan, rehearsal.as_ref());
        // What is left to a person may be part of what a failover would work from; what goes is not.
        let is_whole = for_a_person.iter().all(|it| it.action == Action::Delete && !it.replaces);
        let then = if is_whole { BundleAction::after(options) } else { BundleAction::Leave };
        let elsewhere = elsewhere(&compiled, &seen);
        Ok(PlanOutcome {
            plan,
            options: options.clone(),
            report,
            compiled,
            seen: seen.seen,
            rehearsal,
            predicted,
            facts,
            has_new_levels,
            unanswered,
            moved,
            for_a_person,
            elsewhere,
            not_looked_at: seen.taken.iter().map(Address::component).collect(),
            then,
            mode,
            sequence,
            peek,
        })
    }

    /// Returns what this run may do by itself of `plan`, and what it leaves to a person.
    fn within_limits(&self, plan: Plan) -> (Plan, Vec<ForAPerson>) {
        match &self.decisions.by_itself {
            Some(may) => by_itself(plan, may, &self.kinds),
            None => (plan, Vec::new()),
        }
    }

    /// Returns the notes beside a plan.
    fn notes(
        &self,
        options: &Options,
        compiled: &Compiled,
        (plan, report): (&Plan, &PlanReport),
        seen: &Observed,
        now: &Standing,
    ) -> Result<Vec<Remark>, Failure> {
        let mut notes = Vec::new();
        // Parts that a component leaves out matter only when it is about to change. Reporting them
        // each time is noise.
        let changing: BTreeSet<String> = match options.intent {
            Intent::Destroy => BTreeSet::new(),
            _ => plan.steps.iter().map(|step| step.address.component().to_string()).collect(),
        };
        notes.extend(compiled.notes.iter().filter(|note| changing.contains(&note.address)).cloned());
        // What the primary has gained since the last apply changes nothing, and is lost all the same.
        if options.intent == Intent::Converge {
            notes.extend(compiled.not_carried.iter().cloned());
        }
        if !options.intent.fails_over() {
            notes.extend(replaces_all(plan, &compiled.graph, &self.stack, &seen.seen));
        }
        notes.extend(self.unrehearsed(options, plan, report, now.mode));
        notes.extend(taken(&seen.taken));
        notes.extend(no_image(&seen.no_image));
        notes.extend(not_deleted(options, plan, report));
        if options.mode == Mode::Standby && options.intent != Intent::Destroy {
            notes.extend(restored::left(report, &self.kinds, &self.stack.facts, options.intent));
        }
        if options.intent.fails_over() {
            notes.extend(self.not_raised(seen)?);
        }
        if options.mode == Mode::Active {
            notes.extend(restored::planned(plan, &self.kinds, options, now, self.cloud.now()));
        }
        if (options.intent, options.mode) == (Intent::Converge, Mode::Active) {
            notes.extend(self.degraded(&compiled.graph, &seen.seen, now)?);
        }
        Ok(notes)
    }

    /// Returns facts and graph. Errors in the stack end the operation, unless it is a destroy.
    async fn compiled(&mut self, options: &Options) -> Result<Basis, Failure> {
        let mode = self.mode().await?;
        let Asked { mut kept, seen, moved, has_new_levels } = self.ask(mode.standing().mode).await?;
        kept.facts = seen.facts;
        self.stack.secrets.extend(seen.secrets);
        self.scope.secrets = Arc::new(self.stack.secrets.clone());
        for (query, fact) in &kept.facts.answers {
            // Never log the value: it may be anything.
            tracing::debug!(query, captured_at = %fact.captured_at, "have a fact");
        }
        for remark in &seen.failed {
            tracing::debug!(query = remark.address, error = remark.text, "a fact was not answered");
        }
        let mut compiled = self.compile_for(&mode, options, &kept.facts);
        let resources = compiled.graph.resources.len();
        tracing::debug!(resources, problems = compiled.problems.len(), mode = ?options.mode, "compiled");
        if options.intent == Intent::Destroy {
            let unanswered = seen.failed;
            let sequence = None;
            return Ok(Basis { facts: kept, has_new_levels, unanswered, moved, mode, compiled, sequence });
        }
        let sequence = Some(self.sequence());
        compiled.problems.extend(sequence.iter().flat_map(|it| it.left_out(&self.stack)));
        // It is too late for a check while the region is lost, and the verdict says so.
        if !options.intent.changes_mode() {
            compiled.problems.extend(sequence.iter().filter_map(|it| it.never_asked(&self.stack)));
        }
        if !compiled.has_errors() {
            compiled.problems.extend(self.budget(&kept.facts, options.mode, &compiled.graph)?);
        }
        if !compiled.problems.is_empty() {
            if compiled.problems.len() > MOST_SHOWN {
                compiled.problems.sort_by_key(|it| (it.severity, it.code == UNANSWERED));
                compiled.problems.truncate(MOST_SHOWN);
            }
            let text = self.app.operator.diagnose(&compiled.problems, &self.stack.sources);
            if compiled.has_errors() {
                return Err(Failure::of_problems(text, &compiled.problems));
            }
            self.note(text.trim_end());
        }
        let unanswered = seen.failed;
        Ok(Basis { facts: kept, has_new_levels, unanswered, moved, mode, compiled, sequence })
    }

    /// Captures facts; an unplanned failover works from the stored ones.
    ///
    /// While the standby region serves, the primary is idle: what it had before still counts.
    async fn ask(&self, mode: Mode) -> Result<Asked, Failure> {
        let mut kept = Kept::default();
        let (seen, moved, has_new_levels) = match &self.alone {
            // The primary may be lost, so the stored answers have to suffice.
            Some(alone) if !self.decisions.without_control => {
                (Capture { facts: alone.facts.clone(), ..Capture::default() }, Vec::new(), false)
            }
            // The stored answers are lost, but the standby region can be asked again for its own.
            Some(alone) => {
                let mut queries = queries(&self.stack);
                queries.retain(|it| it.place == Place::Standby);
                (
                    capture(&*self.cloud, &self.scope, &queries, alone.facts.clone(), self.app.catalog.keep)
                        .await,
                    Vec::new(),
                    false,
                )
            }
            None => {
                kept = self.kept_facts().await?;
                kept.of.iter().try_for_each(|applied| same_stack(&self.stack.facts, applied))?;
                let mut before = std::mem::take(&mut kept.facts);
                let stored = before.clone();
                if mode == Mode::Active {
                    before.keep_levels(self.now());
                }
                let seen =
                    capture(&*self.cloud, &self.scope, &queries(&self.stack), before, self.app.catalog.keep)
                        .await;
                let moved = moved(&stored, &seen.facts);
                let has_new_levels = kept.is_damaged || seen.facts.has_new_levels(&stored);
                (seen, moved, has_new_levels)
            }
        };
        Ok(Asked { kept, seen, moved, has_new_levels })
    }

    /// Compiles the stack for the mode that a run with these options plans for.
    fn compile_for(&self, mode: &KeptMode, options: &Options, facts: &Facts) -> Compiled {
        let mut compiled = compile(&self.stack, facts, self.accepting(mode.standing_for(options)));
        go_without(&mut compiled.graph, &self.kinds, &self.decisions.without);
        compiled
    }

    /// Compares the mode with the witnesses that were observed.
    ///
    /// Unless the operator stated which region serves, a doubt about it ends the operation.
    /// Otherwise `compiled` is compiled again if the mode differs.
    fn weighed(
        &self,
        mode: KeptMode,
        options: &Options,
        facts: &Facts,
        compiled: &mut Compiled,
        seen: &Observed,
    ) -> Result<KeptMode, Failure> {
        let signs = witness::signs(&compiled.graph, seen, &self.kinds, &self.scope)
            .map_err(|error| shape_failure(&error))?;
        let planned_for = self.accepting(mode.standing_for(options));
        let mode = mode.beside(&signs);
        if let Some(failure) = self.in_doubt(&mode).filter(|_| !self.decisions.stated) {
            return Err(failure);
        }
        // Another epoch desires the same resources, with other texts.
        if self.accepting(mode.standing_for(options)) != planned_for {
            *compiled = self.compile_for(&mode, options, facts);
        }
        Ok(mode)
    }

    /// Checks that a failover's launches fit into the RTO.
    fn budget(&self, facts: &Facts, mode: Mode, graph: &Graph) -> Result<Option<Diagnostic>, Failure> {
        let other = if mode == Mode::Active { Mode::Standby } else { Mode::Active };
        let other = compile(&self.stack, facts, other).graph;
        let (standby, active) = if mode == Mode::Active { (&other, graph) } else { (graph, &other) };
        budget::check(&self.stack, standby, active, &self.kinds).map_err(|error| shape_failure(&error))
    }

    /// Observes all desired resources; an unplanned failover observes those that it may change and
    /// reads the record for the rest.
    async fn look(&self, graph: &Graph) -> Observed {
        match &self.alone {
            None => observe(&*self.cloud, &self.kinds, &self.scope, graph).await,
            Some(alone) => observe_alone(&*self.cloud, &self.kinds, &self.scope, graph, &alone.known).await,
        }
    }

    /// Returns a remark on how a failover differs from the rehearsed one.
    fn unrehearsed(&self, options: &Options, plan: &Plan, report: &PlanReport, now: Mode) -> Option<Remark> {
        let rehearsed = self.rehearsed.as_ref().filter(|_| options.intent.fails_over())?;
        // A step that needs both regions is not part of a rehearsal, which runs without the
        // primary.
        let is_rehearsed = |it: &&Step| {
            it.place == Place::Standby || !self.kinds.get(&it.kind).is_some_and(|it| it.needs_both_regions())
        };
        let steps = plan.steps.iter().filter(is_rehearsed).cloned().collect();
        let plan = &Plan { steps, ..Plan::default() };
        // Steps are missing for addresses that were not observed, are done already or were not
        // named.
        let whole = report.blocked.is_empty() && options.targets.is_empty() && now == Mode::Standby;
        let text = rehearsed.skeleton.differences(plan, whole)?;
        let text = format!("the apply of {:.0} {text}", rehearsed.at);
        Some(Remark { address: "bundle".to_owned(), text })
    }

    /// Returns the pools that serve with less than desired after a failover.
    pub(crate) fn degraded(
        &self,
        graph: &Graph,
        seen: &BTreeMap<Address, Look>,
        now: &Standing,
    ) -> Result<Vec<Remark>, Failure> {
        let pools = pools(graph, now, &self.kinds, seen).map_err(|error| shape_failure(&error))?;
        let remark = |pool: &Pool| {
            let accepted = now.minimum.of(&pool.component());
            let accepted = accepted.map(|it| format!("; this failover accepts {it}")).unwrap_or_default();
            let text = format!("DEGRADED: {}{accepted}", pool.shortfall()?);
            Some(Remark { address: pool.address.to_string(), text })
        };
        Ok(pools.iter().filter_map(remark).collect())
    }

    /// Returns the resources that a failover takes from the bundle and does not observe.
    fn taken_from_bundle<'g>(&'g self, graph: &'g Graph) -> impl Iterator<Item = &'g Resource> {
        let known = self.alone.as_ref().map(|it| &it.known);
        graph.resources.values().filter(move |it| known.is_some_and(|all| all.contains_key(&it.address)))
    }

    /// Returns the graph, and the plan that creates all of it from nothing.
    pub async fn first_apply(&mut self, options: &Options) -> Result<PlanOutcome, Failure> {
        let Basis { facts, has_new_levels, unanswered, moved, mode, compiled, .. } =
            self.compiled(options).await?;
        let nothing =
            compiled.graph.resources.keys().map(|address| (address.clone(), Look::Absent)).collect();
        let seen = Observed { seen: nothing, ..Observed::default() };
        let (plan, report) = self
            .app
            .catalog
            .planner
            .plan(&compiled.graph, &seen, &self.kinds, &self.stack.facts, options)
            .map_err(|error| shape_failure(&error))?;
        let predicted = self.predict((options.intent, mode.standing().mode), &plan, None);
        Ok(PlanOutcome {
            plan,
            options: options.clone(),
            report,
            compiled,
            seen: BTreeMap::new(),
            rehearsal: None,
            predicted,
            facts,
            has_new_levels,
            unanswered,
            moved,
            for_a_person: Vec::new(),
            elsewhere: BTreeMap::new(),
            not_looked_at: BTreeSet::new(),
            then: BundleAction::Leave,
            mode,
            sequence: None,
            peek: Peek::default(),
        })
    }

    /// Reports the facts that were not answered, each with the age of the stored answer that is used.
    fn note_unanswered(&self, unanswered: &[Remark], graph: &Graph, facts: &Facts, report: &mut PlanReport) {
        let blocked: BTreeSet<&str> = report.blocked.iter().map(|it| it.address.as_str()).collect();
        let lacking = graph.resources.values().filter_map(|it| Some((it, it.lacking.as_ref()?)));
        let lacking = lacking.filter(|(it, _)| blocked.contains(it.address.component().as_str()));
        let said: BTreeSet<&str> = lacking.map(|(_, it)| it.query.as_str()).collect();
        for Remark { address, text } in
            unanswered.iter().filter(|it| !said.contains(it.address.as_str())).cloned()
        {
            let Some(fact) = facts.answers.get(&address) else {
                let text = format!("no answer, and none is kept: {text}");
                report.notes.push(Remark { address, text });
                continue;
            };
            let age = self.cloud.now().duration_since(fact.captured_at);
            let text = format!("using the answer of {} ago: {text}", text::duration(age.unsigned_abs()));
            report.stored.push(StoredAnswer { age_seconds: age.as_secs(), remark: Remark { address, text } });
        }
    }
}

/// Returns a remark on the data in the standby region that nobody could look at.
fn taken(addresses: &BTreeSet<Address>) -> Option<Remark> {
    let text = match addresses.len() {
        0 => return None,
        1 => "could not look whether a copy exists: it counts as the last apply left it".to_owned(),
        count => {
            format!("could not look whether {count} copies exist: they count as the last apply left them")
        }
    };
    Some(Remark { address: "data".to_owned(), text })
}

/// Returns a remark on each image that is gone.
fn no_image(addresses: &BTreeSet<Address>) -> Vec<Remark> {
    let text = "its copy is gone: what runs goes on, and no instance can be launched from it; run `drstack apply STACK` once the primary answers";
    addresses.iter().map(|it| Remark { address: it.to_string(), text: text.to_owned() }).collect()
}

fn trace_steps(plan: &Plan) {
    for step in &plan.steps {
        tracing::debug!(address = %step.address, action = ?step.action, "planned");
    }
}

/// Writes what was looked at to the log.
fn trace(seen: &Observed) {
    for (address, look) in &seen.seen {
        tracing::debug!(%address, look = said(look), "looked");
    }
}

/// Names the result of an observation in a word, or the error. Never the live value.
fn said(look: &Look) -> String {
    match look {
        Look::Absent => "absent".to_owned(),
        Look::Present(_) => "present".to_owned(),
        Look::Unknown(error) => error.to_string(),
    }
}
