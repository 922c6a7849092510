//! Looks whether a stack could fail over now. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use drstack_core::address::{Address, ComponentAddress};
use drstack_core::bundle::Bundle;
use drstack_core::forecast::Prediction;
use drstack_core::graph::Resource;
use drstack_core::kind::{Action, Place};
use drstack_core::objective::Mode;
use drstack_core::observe::Look;
use drstack_core::part::NEVER_ASKED;
use drstack_core::plan::{Intent, Options, Remark, Step};
use drstack_core::stack::Declared;

use crate::accepted::quoted;
use crate::failure::{Ended, Failure, Status};
use crate::freshness::doubt;
use crate::operator::News;
use crate::ops::unlock::{Held, look};
use crate::planned::PlanOutcome;
use crate::readiness::{Check, ComponentState, Finding, Published, Readiness, Weight, heaviest};
use crate::report::restored;
use crate::session::Session;
use crate::text::{count, listed};

/// Looks at the stack of `session`, which an operator `typed`, and tells whether it could fail over. Compares both sides of
/// its data on request: that reads all of it.
///
/// # Errors
/// Returns an error if the stack is invalid, or the control bucket does not answer.
pub async fn status(session: &mut Session, typed: &str, data: bool) -> Ended {
    let mode = session.mode().await?.standing().mode;
    if mode == Mode::Standby {
        session.decisions.by_itself = Some(session.may_alone().await?);
    }
    let options = Options { intent: Intent::Converge, mode, targets: Vec::new(), delete_data: [].into() };
    let planned = session.plan(&options).await?;
    let commands = Commands { typed, is_signed: session.stack.signing.is_some() };
    let readiness = session.readiness(&planned, &commands, data).await?;
    session.tell(News::Moved { moved: &planned.moved, primary: &session.stack.facts.primary });
    let (stack, now) = (&session.stack, session.now());
    session.tell(News::Readiness { stack, planned: &planned, readiness: &readiness, now });
    Ok(match (readiness.not_ready, readiness.unknown) {
        (0, 0) => Status::Done,
        (0, _) => Status::Failed,
        _ => Status::NotReady,
    })
}

/// The commands that lead on, as an operator types them.
struct Commands<'a> {
    typed: &'a str,
    is_signed: bool,
}

impl Commands<'_> {
    fn of(&self, command: &str) -> Option<String> {
        let key =
            if self.is_signed && matches!(command, "apply" | "sync") { " --signing-key FILE" } else { "" };
        Some(format!("drstack {command} {}{key}", self.typed))
    }
}

impl Session {
    /// Weighs what was looked at.
    async fn readiness(
        &self,
        planned: &PlanOutcome,
        commands: &Commands<'_>,
        data: bool,
    ) -> Result<Readiness, Failure> {
        let mut findings: Vec<Finding> = self.of_lock(commands).await?.into_iter().collect();
        findings.extend(self.of_mode(planned, commands));
        findings.extend(self.of_looks(planned, commands));
        let mut bundle = None;
        if planned.mode.standing().mode == Mode::Standby {
            let published = self.published().await;
            let (of_bundle, is_usable) = self.of_bundle(planned, commands, published.as_ref()).await?;
            // What it says of its signature counts only where that was checked.
            bundle = published.filter(|_| is_usable).map(as_published);
            // A sync follows what was applied: without that, an apply comes first.
            let is_applied = of_bundle.iter().all(|it| it.weight == Weight::Note);
            findings.extend(of_bundle);
            findings.extend(self.of_steps(planned, commands, is_applied));
            findings.extend(self.of_restored(planned, commands));
            findings.extend(self.of_objective(planned, commands));
            findings.extend(self.of_supply(planned, commands.of("status")).await?);
        } else {
            findings.extend(self.of_serving(planned, commands)?);
        }
        let mut compared = None;
        if data {
            let again = commands.of("status").map(|it| format!("{it} --data"));
            let (of_data, both) = self.of_data(planned, again.as_ref()).await?;
            // After a failover it is the failback that compares them.
            let stands_by = planned.mode.standing().mode == Mode::Standby;
            findings.extend(of_data.into_iter().filter(|_| stands_by));
            compared = Some(both);
        }
        let about = |check, address: &str, text: String| Finding {
            weight: Weight::Note,
            check,
            address: address.to_owned(),
            text,
            next: None,
        };
        findings.extend(
            planned
                .compiled
                .not_carried
                .iter()
                .map(|it| about(Check::NotCarried, &it.address, it.text.clone())),
        );
        let machine = self.app.host.name();
        findings
            .extend(self.cloud.warnings().into_iter().map(|text| about(Check::Environment, &machine, text)));
        if !planned.mode.is_complete() {
            // Whatever else is to be done waits for the change of mode, which says what it needs.
            let waits = |it: &&mut Finding| !matches!(it.check, Check::Mode | Check::Lock);
            findings.iter_mut().filter(waits).for_each(|it| it.next = None);
        }
        let mut readiness = Readiness::of(findings, planned.report.unchanged, bundle);
        readiness.components = self.component_states(planned, &readiness.findings);
        readiness.data = compared;
        Ok(readiness)
    }

    /// Returns how each component stands, those with the heaviest findings first.
    fn component_states(&self, planned: &PlanOutcome, findings: &[Finding]) -> Vec<ComponentState> {
        let heaviest = heaviest(findings);
        let predicted = planned.predicted.failover.as_ref().map(|it| &it.forecast.serves);
        let facts: BTreeSet<&str> = planned.unanswered.iter().map(|it| it.address.as_str()).collect();
        let unseen = planned.seen.iter().filter(|(_, look)| matches!(look, Look::Unknown(_)));
        let silent = planned.report.silent.values().flatten().filter_map(|it| Address::parse(it));
        let unseen: BTreeSet<ComponentAddress> =
            unseen.map(|(address, _)| address.component()).chain(silent.map(|it| it.component())).collect();
        let state = |(address, declared): (&ComponentAddress, &Declared)| {
            let serves = predicted.and_then(|it| it.get(address)).map(|it| it.as_secs_f64());
            let asked = declared.component.facts(&declared.spec, &self.stack.facts);
            let is_unanswered =
                unseen.contains(address) || asked.iter().any(|it| facts.contains(it.key().as_str()));
            let unknown = is_unanswered.then_some((Check::Unanswered, Weight::Unknown));
            let (check, weight) = heaviest.get(address).copied().or(unknown).unzip();
            let (address, posture) = (address.clone(), declared.posture);
            ComponentState { address, posture, check, weight, serves_seconds: serves }
        };
        let mut all: Vec<ComponentState> = self.stack.components.iter().map(state).collect();
        all.sort_by_key(|it| (it.weight.is_none(), it.weight, it.check));
        all
    }

    /// Says who has the lock.
    async fn of_lock(&self, commands: &Commands<'_>) -> Result<Option<Finding>, Failure> {
        let (weight, text, next) = match look(self).await? {
            Held::Free => return Ok(None),
            Held::Broken(error) => (Weight::NotReady, error, commands.of("unlock")),
            Held::By { holder, is_alive } => {
                let state = match is_alive {
                    true => format!("is running since {:.0}", holder.since),
                    false => format!("died at its work, begun {:.0}: the next run takes over", holder.since),
                };
                let who = format!("`drstack {}` of {} on {}", holder.purpose, holder.owner, holder.host);
                (Weight::Note, format!("{who} {state}"), None)
            }
        };
        let address = format!("s3://{}/lock.json", self.stack.facts.control);
        Ok(Some(Finding { weight, check: Check::Lock, address, text, next }))
    }

    /// Says whether the primary serves.
    fn of_mode(&self, planned: &PlanOutcome, commands: &Commands<'_>) -> Option<Finding> {
        let (standing, facts) = (planned.mode.standing(), &self.stack.facts);
        let on = planned.mode.failover_on(self.primary_answers(planned));
        let (text, command) = match (standing.mode, planned.mode.is_complete()) {
            (Mode::Standby, true) => return None,
            (Mode::Standby, false) => {
                (format!("a failback to {} is not complete", facts.primary), "failback")
            }
            (Mode::Active, false) if needs_an_apply(planned) => (
                format!(
                    "a failover to {} is not complete, and needs what only an apply makes, once it is failed back",
                    facts.standby
                ),
                "failback",
            ),
            (Mode::Active, false) => {
                (format!("a failover to {} is not complete", facts.standby), on.as_str())
            }
            (Mode::Active, true) if standing.only.is_empty() => {
                (format!("{} serves, and nothing stands by for it", facts.standby), "failback")
            }
            (Mode::Active, true) => (
                format!(
                    "{} serves {}, and nothing stands by for that",
                    facts.standby,
                    listed(&standing.only)
                ),
                "failback",
            ),
        };
        let waits = command == "failback" && planned.report.silent.contains_key(&facts.primary);
        let (text, next) = match waits {
            true => (format!("{text}; a failback waits until {} answers", facts.primary), None),
            false => (text, commands.of(command)),
        };
        let address = facts.standby.clone();
        Some(Finding { weight: Weight::NotReady, check: Check::Mode, address, text, next })
    }

    /// Says what did not answer, and what is blocked.
    fn of_looks(&self, planned: &PlanOutcome, commands: &Commands<'_>) -> Vec<Finding> {
        let again = commands.of("status");
        let mut findings = Vec::new();
        let serves = &self.stack.facts.primary;
        let mut silent: Vec<(&String, &BTreeSet<String>)> = planned.report.silent.iter().collect();
        // The region that may be lost comes first.
        silent.sort_by_key(|(region, _)| *region != serves);
        for (region, addresses) in &silent {
            let is_lost = *region == serves && planned.mode.standing().mode == Mode::Standby;
            findings.push(Finding {
                weight: Weight::Unknown,
                check: Check::Unanswered,
                address: region.to_string(),
                text: match addresses.len() {
                    1 => "it does not answer: nobody knows whether a resource is in line".to_owned(),
                    many => format!("it does not answer: nobody knows whether {many} resources are in line"),
                },
                next: if is_lost { commands.of("failover") } else { again.clone() },
            });
        }
        let is_silent = |address: &str| silent.iter().any(|(_, all)| all.contains(address));
        for Remark { address, text } in &planned.report.blocked {
            if is_silent(address) {
                continue;
            }
            // A listing has the name of its kind.
            let is_unknown = self.kinds.get(address).is_some() || rests_on_unknown(planned, address);
            let (weight, check, next) = match is_unknown {
                true => (Weight::Unknown, Check::Unanswered, again.clone()),
                false => (Weight::NotReady, Check::Blocked, commands.of("plan")),
            };
            findings.push(Finding { weight, check, address: address.clone(), text: text.clone(), next });
        }
        findings.extend(planned.unanswered.iter().map(|Remark { address, text }| Finding {
            weight: Weight::Unknown,
            check: Check::Unanswered,
            address: address.clone(),
            text: format!("not answered: {text}"),
            next: again.clone(),
        }));
        findings.extend(planned.report.waiting.iter().map(|Remark { address, text }| Finding {
            weight: Weight::NotReady,
            check: Check::Waiting,
            address: address.clone(),
            text: text.clone(),
            // Nothing but time brings it about.
            next: None,
        }));
        findings
    }

    /// Says whether the bundle is there, of these files, and of what stands; and whether it can be used.
    async fn of_bundle(
        &self,
        planned: &PlanOutcome,
        commands: &Commands<'_>,
        bundle: Option<&Bundle>,
    ) -> Result<(Vec<Finding>, bool), Failure> {
        let address = format!("s3://{}/bundle.json", self.stack.facts.control);
        let finding = |weight, check, text, command| Finding {
            weight,
            check,
            address: address.clone(),
            text,
            next: commands.of(command),
        };
        let none = "there is none of a complete apply: a failover needs one, or these files";
        let mut findings = Vec::new();
        let applied = self.changed_since_applied().await;
        let is_usable = applied.is_ok();
        match applied {
            Ok(None) => findings.push(finding(Weight::NotReady, Check::Bundle, none.to_owned(), "apply")),
            Ok(Some((_, differences))) if differences.is_empty() => {}
            Ok(Some((at, differences))) => findings.push(finding(
                Weight::NotReady,
                Check::Files,
                format!(
                    "the files have changed since the apply of {at:.0}, and a failover begins with what was applied: {}",
                    differences.join(", ")
                ),
                "apply",
            )),
            Err(failure) => {
                let is_there = self.has_bundle().await;
                let weight = if is_there { Weight::NotReady } else { Weight::Unknown };
                let command = if is_there { "apply" } else { "status" };
                findings.push(finding(weight, Check::Bundle, failure.message, command));
            }
        }
        let Some(bundle) = bundle else { return Ok((findings, is_usable)) };
        if let Some(doubt) = doubt(bundle, self.now()) {
            let text = doubt.trim_start_matches("warning: ").to_owned();
            findings.push(finding(Weight::Note, Check::Bundle, text, "sync"));
        }
        // Where the primary did not answer, nobody knows what another bundle would say.
        let is_in_line = planned.plan.is_empty()
            && planned.for_a_person.is_empty()
            && planned.report.blocked.is_empty()
            && planned.unanswered.is_empty();
        let is_settled = findings.iter().all(|it| it.weight == Weight::Note);
        if is_in_line && is_settled && !self.leads_the_same(planned).await? {
            let text = "a failover by it would want something else than by one of now".to_owned();
            findings.push(finding(Weight::NotReady, Check::Bundle, text, "sync"));
        }
        Ok((findings, is_usable))
    }

    /// Says which tables the next failover would not restore, since an earlier one has.
    fn of_restored(&self, planned: &PlanOutcome, commands: &Commands<'_>) -> Vec<Finding> {
        let left = restored::left(&planned.report, &self.kinds, &self.stack.facts, Intent::Converge);
        let finding = |Remark { address, text }| Finding {
            weight: Weight::NotReady,
            check: Check::Restored,
            next: commands.of("apply").map(|it| format!("{it} --delete-data {}", quoted(&address))),
            address,
            text,
        };
        left.into_iter().map(finding).collect()
    }

    /// Says where the predicted failover misses an RTO.
    fn of_objective(&self, planned: &PlanOutcome, commands: &Commands<'_>) -> Vec<Finding> {
        let Some(failover) = planned.predicted.failover.as_ref() else { return Vec::new() };
        let next = commands.of("plan").map(|it| format!("{it} --mode active"));
        let finding = |text| Finding {
            weight: Weight::NotReady,
            check: Check::Objective,
            address: "failover".to_owned(),
            text,
            next: next.clone(),
        };
        let Prediction { leaves_idle, .. } = failover;
        let idle = leaves_idle.then(|| finding("a pool wants no instances, so it serves nothing".to_owned()));
        let late = failover.findings(&self.stack).into_iter().map(|it| finding(it.message));
        let unasked = planned.compiled.problems.iter().filter(|it| it.code == NEVER_ASKED);
        let unasked = unasked.map(|it| Finding {
            check: Check::Unasked,
            next: Some(format!("drstack explain {NEVER_ASKED}")),
            ..finding(it.message.clone())
        });
        late.chain(idle).chain(unasked).collect()
    }

    /// Says what serves with less than it should, after a failover.
    fn of_serving(&self, planned: &PlanOutcome, commands: &Commands<'_>) -> Result<Vec<Finding>, Failure> {
        let short = self.degraded(&planned.compiled.graph, &planned.seen, &planned.mode.standing())?;
        let degraded = short.into_iter().map(|Remark { address, text }| Finding {
            weight: Weight::NotReady,
            check: Check::Degraded,
            address,
            text: text.trim_start_matches("DEGRADED: ").to_owned(),
            next: commands.of("failover"),
        });
        // A failover raises what serves and asks it; an apply does that too, and makes what a failover never makes.
        let raises = |step: &Step| {
            let kind = self.kinds.get(&step.kind);
            kind.is_some_and(|kind| kind.capacity().is_some() || kind.check().is_some())
        };
        let command = if planned.plan.steps.iter().all(raises) { "failover" } else { "apply" };
        Ok(degraded.chain(self.steps(planned, commands.of(command).as_ref())).collect())
    }

    /// Says what is not in line with the primary: what a sync brings over, and what a person does.
    fn of_steps(&self, planned: &PlanOutcome, commands: &Commands<'_>, is_applied: bool) -> Vec<Finding> {
        let next = commands.of(if is_applied { "sync" } else { "apply" });
        let left = planned.for_a_person.iter().map(|it| Finding {
            weight: Weight::NotReady,
            check: Check::Person,
            address: it.address.to_string(),
            text: it.why.clone(),
            next: commands.of("apply"),
        });
        self.steps(planned, next.as_ref()).into_iter().chain(left).collect()
    }

    /// Says of each component how much the plan changes. A check is asked again beside any other change, and is none
    /// itself.
    fn steps(&self, planned: &PlanOutcome, next: Option<&String>) -> Vec<Finding> {
        let mut of: BTreeMap<ComponentAddress, Vec<&str>> = BTreeMap::new();
        let is_check = |step: &Step| self.kinds.get(&step.kind).is_some_and(|kind| kind.check().is_some());
        for step in planned.plan.steps.iter().filter(|step| !is_check(step)) {
            of.entry(step.address.component()).or_default().push(step.address.resource());
        }
        let finding = |(component, mut resources): (ComponentAddress, Vec<&str>)| {
            let changes = count(resources.len(), "change");
            resources.dedup();
            let text = format!("{changes} to make: {}", resources.join(", "));
            let (address, next) = (component.to_string(), next.cloned());
            Finding { weight: Weight::NotReady, check: Check::Behind, address, text, next }
        };
        of.into_iter().map(finding).collect()
    }
}

/// True if something is to be made outside of the standby region: no failover makes it, and no apply in the middle of one.
fn needs_an_apply(planned: &PlanOutcome) -> bool {
    let is_made = |step: &Step| step.action == Action::Create && step.place != Place::Standby;
    planned.plan.steps.iter().any(is_made)
}

/// Returns what `status` says of a bundle.
fn as_published(bundle: Bundle) -> Published {
    let Bundle { applied_at: at, run, stack, .. } = bundle;
    Published { at, run, signed_by: stack.signing.map(|it| it.to_string()) }
}

/// True if the resource, or one that it needs, could not be looked at.
fn rests_on_unknown(planned: &PlanOutcome, address: &str) -> bool {
    let (mut open, mut done) = (vec![address], BTreeSet::new());
    while let Some(address) = open.pop() {
        if !done.insert(address) {
            continue;
        }
        if matches!(planned.seen.get(address), Some(Look::Unknown(_))) {
            return true;
        }
        open.extend(planned.compiled.graph.resources.get(address).into_iter().flat_map(Resource::needed));
    }
    false
}
