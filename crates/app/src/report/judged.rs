//! The verdict of a failover: the application observes once more what serves, and names the next
//! command.

use std::collections::BTreeMap;

use drstack_core::address::{Address, ComponentAddress};
use drstack_core::component::StackFacts;
use drstack_core::engine::execute::RunSummary;
use drstack_core::graph::Resource;
use drstack_core::kind::Place;
use drstack_core::objective::Standing;
use drstack_core::observe::{Look, look_again};
use drstack_core::verdict::{Evidence, Verdict, groups};

use crate::failure::{Ended, Failure, Status, shape_failure};
use crate::planned::PlanOutcome;
use crate::session::Session;
use crate::text;

/// Attempts to observe what serves, and the pause between them: a verdict is worth a few seconds.
const LOOKS: usize = 4;
const PAUSE: std::time::Duration = std::time::Duration::from_secs(2);

/// A verdict, with its evidence.
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) evidence: Evidence,
    /// The addresses that the run was asked for; empty for all.
    only: Vec<String>,
    /// Commands with which an operator starts the capacity without drstack.
    by_hand: BTreeMap<Address, String>,
}

impl Session {
    /// Judges a run of `planned` that ended in `standing`, by the instances in service now. For a
    /// `short` run these are what its steps observed last.
    pub(crate) async fn judge(
        &self,
        planned: &PlanOutcome,
        standing: &Standing,
        served: bool,
        summary: &RunSummary,
        short: bool,
    ) -> Result<Judged, Failure> {
        let graph = &planned.compiled.graph;
        let running: Vec<&Resource> = groups(graph, standing, &self.kinds).collect();
        let seen = match short && summary.is_complete() {
            true => seen_last(planned, &running, summary),
            false => self.look_at(planned, &running).await,
        };
        let run = (&planned.plan, summary, &planned.report);
        let sequence = planned.sequence.clone().unwrap_or_else(|| self.sequence());
        let evidence = Evidence::of(
            graph,
            standing,
            served,
            (&sequence, &planned.options.targets),
            run,
            &self.kinds,
            &seen,
        )
        .map_err(|error| shape_failure(&error))?;
        let standby = &self.stack.facts.standby;
        let by_hand = |it: &&Resource| {
            let kind = self.kinds.get(&it.kind)?;
            let spec = match (kind.keeps_name(), seen.get(&it.address)) {
                (Some(keeps), Some(Look::Present(found))) => {
                    keeps.under_its_name(&it.spec, &found.id, &found.live).ok()?
                }
                _ => it.spec.clone(),
            };
            Some((it.address.clone(), kind.capacity()?.by_hand(&spec, standby).ok()?))
        };
        let by_hand = running.iter().filter_map(by_hand).collect();
        let only = planned.options.targets.clone();
        Ok(Judged { verdict: Verdict::of(&evidence), evidence, only, by_hand })
    }

    /// Looks at `running` again. What was found under another name or without tags is looked at by its
    /// id.
    async fn look_at(&self, planned: &PlanOutcome, running: &[&Resource]) -> BTreeMap<Address, Look> {
        let look = || look_again(&*self.cloud, &self.kinds, &self.scope, running.iter().copied());
        let mut seen = look().await;
        for _ in 1..LOOKS {
            if !seen.values().any(|look| matches!(look, Look::Unknown(_))) {
                break;
            }
            self.app.host.rest(PAUSE).await;
            seen = look().await;
        }
        let mut known: BTreeMap<(&str, Place), Vec<(&Address, String)>> = BTreeMap::new();
        for resource in running.iter().filter(|it| seen.get(&it.address) == Some(&Look::Absent)) {
            if let Some(Look::Present(found)) = planned.seen.get(&resource.address) {
                let all = known.entry((&resource.kind, resource.place)).or_default();
                all.push((&resource.address, found.id.clone()));
            }
        }
        for ((kind, place), all) in known {
            let Some(kind) = self.kinds.get(kind) else { continue };
            let ids: Vec<String> = all.iter().map(|(_, id)| id.clone()).collect();
            let read = self.cloud.read(kind.name(), &self.scope, place, &ids).await;
            for ((address, _), look) in all.into_iter().zip(read) {
                let look = match look {
                    Ok(found) => found.map_or(Look::Absent, Look::Present),
                    Err(error) => Look::Unknown(error),
                };
                seen.insert(address.clone(), look);
            }
        }
        seen
    }
}

/// Returns what the steps of a complete run observed last, else what was observed before the run.
fn seen_last(planned: &PlanOutcome, running: &[&Resource], summary: &RunSummary) -> BTreeMap<Address, Look> {
    let last = |it: &&Resource| {
        let left = summary.left.get(&it.address).cloned().map(Look::Present);
        Some((it.address.clone(), left.or_else(|| planned.seen.get(&it.address).cloned())?))
    };
    running.iter().filter_map(last).collect()
}

impl Judged {
    /// True if all that was asked for serves and answered, whether this run changed anything or not.
    pub(crate) fn serves(&self) -> bool {
        self.verdict.is_recovery() || (self.verdict == Verdict::NothingToDo && self.evidence.is_asked())
    }

    /// Returns the status after a failover whose steps are all done; `missed` is true if it took longer
    /// than an objective allows.
    ///
    /// If the operator `accepted` less than the stack wants, degraded is no failure.
    pub(crate) fn end(&self, session: &Session, missed: bool, accepted: bool, command: &str) -> Ended {
        match self.verdict {
            Verdict::Recovered | Verdict::Partial if !missed => Ok(Status::Done),
            Verdict::Degraded if accepted && !missed => Ok(Status::Done),
            Verdict::Degraded if !accepted => Err(degraded(session, command)),
            Verdict::Recovered | Verdict::Partial | Verdict::Degraded => Ok(Status::NotReady),
            Verdict::NothingToDo if self.evidence.is_asked() => Ok(Status::Done),
            Verdict::Capacity | Verdict::NothingToDo => Err(self.unasked(session)),
            Verdict::NotComplete if self.evidence.complete => Err(self.empty(session, command)),
            // The caller reports the failures.
            Verdict::NotComplete => Ok(Status::Failed),
        }
    }

    /// Returns the failure for pools with nothing in service, or with a failed read, and its hint.
    fn empty(&self, session: &Session, command: &str) -> Failure {
        let pools = self.evidence.pools.iter().filter(|pool| pool.is_empty());
        let (unseen, empty): (Vec<_>, Vec<_>) = pools.partition(|pool| pool.in_service.is_none());
        if let Some(pool) = unseen.first() {
            let message = format!("could not see what serves in {}: this is no recovery", pool.component());
            let hint = format!("run `{command}` again: it looks again, and finished steps are not repeated");
            return Failure::new(Status::Failed, message, hint);
        }
        let names: Vec<String> = empty.iter().map(|pool| pool.component().to_string()).collect();
        let message = format!("nothing is in service in {}: this is no recovery", names.join(", "));
        let hint = match empty.iter().find(|pool| pool.wanted == 0) {
            // The stack cannot be applied while the primary is lost.
            Some(pool) => format!(
                "{0} has a capacity of 0. Start its instances yourself{1}; before you run drstack again, write `capacity = N` into {0} and run `drstack apply STACK` once {2} answers",
                pool.component(),
                self.by_hand.get(&pool.address).map_or_else(String::new, |it| format!(": `{it}`")),
                session.stack.facts.primary,
            ),
            None => format!("run `{command}` again: it brings what is missing"),
        };
        Failure::new(Status::Failed, message, hint)
    }

    /// Returns the failure for a failover that answers, and of which nobody knows whether users are led to it.
    fn unled(&self, session: &Session) -> Failure {
        let StackFacts { primary, standby, .. } = &session.stack.facts;
        let names = text::listed(&self.evidence.unled.iter().collect::<Vec<_>>());
        let message =
            format!("nobody knows whether {names} leads users to {standby}: this is no recovery yet");
        let hint = format!(
            "look where the name leads, `dig NAME`, and lead it to {standby} yourself if need be; once {primary} answers, run `drstack apply STACK`"
        );
        Failure::new(Status::NotReady, message, hint)
    }

    /// Returns the failure for a failover that did not ask all that serves, and names where to write a
    /// check.
    fn unasked(&self, session: &Session) -> Failure {
        let evidence = &self.evidence;
        let standby = &session.stack.facts.standby;
        if evidence.unasked.is_empty() && !evidence.unled.is_empty() {
            return self.unled(session);
        }
        let unasked = text::listed(&evidence.unasked.iter().map(|it| it.to_string()).collect::<Vec<_>>());
        let answers = if evidence.unasked.len() > 1 { "answer" } else { "answers" };
        let message = match evidence.asked_data > 0 {
            _ if !evidence.has_service => {
                format!("no check asked for the data in {standby}: this is no recovery yet")
            }
            true => format!(
                "checks asked for data only, and not whether {unasked} {answers} in {standby}: this is no recovery yet"
            ),
            false => {
                format!("no check asked whether {unasked} {answers} in {standby}: this is no recovery yet")
            }
        };
        let is_asked_for =
            |it: &&ComponentAddress| self.only.is_empty() || self.only.iter().any(|name| it.is_within(name));
        let component =
            evidence.unasked.first().or_else(|| session.stack.components.keys().find(is_asked_for));
        let place = component.map_or_else(|| "COMPONENT".to_owned(), ComponentAddress::in_file);
        let hint = format!(
            "ask it yourself now; so that the next failover asks, write a check, `[[{place}.check]]` (docs/guide/checks.md), and run `drstack apply STACK`"
        );
        Failure::new(Status::NotReady, message, hint)
    }
}

/// Returns the failure for a failover with less than the stack wants, and how to accept it.
fn degraded(session: &Session, command: &str) -> Failure {
    let message = format!("{} serves, with less than the stack wants", session.stack.facts.standby);
    let hint = format!(
        "run `{command}` again once there is more capacity; `{command} --accept-degraded` accepts this"
    );
    Failure::new(Status::NotReady, message, hint)
}
