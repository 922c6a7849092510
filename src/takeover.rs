//! A change of mode, from the decision to the report: what `failover` and `failback` share.

use std::collections::BTreeMap;
use std::time::Duration;

use drstack_core::address::Address;
use drstack_core::cloud::{CloudError, Found};
use drstack_core::control::Condition;
use drstack_core::control::lock::{FAILOVER, Lock};
use drstack_core::control::mode::KeptMode;
use drstack_core::engine::event::{Event, Outcome};
use drstack_core::engine::execute::RunSummary;
use drstack_core::kind::Place;
use drstack_core::objective::Mode;
use drstack_core::observe::Look;
use drstack_core::plan::{Intent, Options, Plan};
use futures_util::FutureExt as _;
use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::commands::{Ended, release};
use crate::executing::mode_failure;
use crate::exit::{Exit, Failure};
use crate::planning::Planned;
use crate::session::{Session, store_failure};
use crate::views;
use crate::views::data::Data;
use crate::views::restored::restored;
use crate::views::takeover::{Clock, InService, Report};

/// How often the instances in service are counted. One bulk call each time, and no dip that lasts a minute goes unseen.
const SAMPLE: Duration = Duration::from_secs(10);

/// What a change of mode is to be.
pub(crate) struct Change<'a> {
    pub(crate) mode: Mode,
    /// [`FAILOVER`] or `failback`.
    pub(crate) purpose: &'static str,
    pub(crate) options: &'a Options,
    pub(crate) parallelism: usize,
    pub(crate) detected: Timestamp,
    pub(crate) decided: Timestamp,
    /// When nothing was left to replicate; none where nobody waited for that.
    pub(crate) drained: Option<Timestamp>,
    /// How the two sides of the data compared beforehand.
    pub(crate) data: Vec<Data>,
    /// Data that stands in the standby region alone, so that there was nothing to compare it with.
    pub(crate) not_compared: Vec<String>,
}

/// Takes the lock, records the mode, executes, reports.
pub(crate) async fn carry_out(
    session: &mut Session,
    shown: Planned,
    kept: KeptMode,
    change: &Change<'_>,
) -> Ended {
    let lock = session.lock_over(change.purpose).await?;
    let run = lock.holder().run.clone();
    let begun = begin(session, shown, &kept, change, &lock).await;
    let (planned, begun) = match begun {
        Ok(begun) => begun,
        Err(failure) => {
            release(lock).await?;
            return Err(failure);
        }
    };
    let mut clock = Clock {
        // Nothing was lost that a planned takeover could have noticed.
        detected: (change.purpose == FAILOVER && change.drained.is_none()).then_some(change.detected),
        decided: Some(change.decided),
        drained: change.drained,
        started: begun.record.as_ref().map(|record| record.since),
        ..Clock::default()
    };
    let facts_age_seconds = session.oldest_fact(&planned.facts.facts);
    let mut counts = Counts::of(session, &planned);
    let mut progress = views::progress::Progress::new(session.ui, session.simulated);
    let summary = {
        let finished = CancellationToken::new();
        let mut sink = |event: Event| {
            if matches!(event, Event::RunFinished { .. }) {
                finished.cancel();
            }
            note_moment(session, &planned.plan, &event, &mut clock);
            progress.show(&event);
        };
        let run =
            session.execute(&planned, Some(&begun), lock, change.purpose, change.parallelism, &mut sink);
        let counted = counts.sample(session, &finished).map(Ok);
        // A run that does not come to its end is not waited for by whoever counts.
        let (summary, ()) = tokio::try_join!(run, counted)?;
        match summary.is_complete() || counts.is_long {
            true => counts.count_seen(session, &planned, &summary),
            // What a step that failed has left was seen by nobody.
            false => counts.count(session).await,
        }
        summary
    };
    clock.done = Some(session.now());
    let complete = summary.is_complete() && planned.report.blocked.is_empty();
    let region = match change.mode {
        Mode::Active => session.stack.facts.standby.clone(),
        Mode::Standby => session.stack.facts.primary.clone(),
    };
    let report = Report {
        stack: session.stack.facts.name.clone(),
        purpose: change.purpose,
        run,
        region,
        epoch: begun.standing().epoch,
        complete,
        recovery_seconds: complete.then(|| seconds_until_served(&clock)).flatten(),
        rto_seconds: if change.purpose == FAILOVER { session.rto().map(|it| it.as_secs()) } else { None },
        rpo: "not measured: no heartbeats are written yet",
        restored: match change.purpose == FAILOVER {
            true => restored(&planned.plan, change.detected)
                .into_iter()
                .map(|it| format!("{}: {}", it.address, it.text))
                .collect(),
            false => Vec::new(),
        },
        in_service: counts.in_service(),
        on_demand: if change.purpose == FAILOVER { Vec::new() } else { counts.left_on_demand() },
        degraded: summary.degraded.iter().map(|(step, rung)| said(&planned.plan, *step, rung)).collect(),
        failed: summary
            .failed
            .iter()
            .map(|(step, error)| said(&planned.plan, *step, &error.to_string()))
            .collect(),
        facts_age_seconds,
        data: change.data.clone(),
        not_compared: change.not_compared.clone(),
        refused_calls: session
            .cloud
            .refused()
            .iter()
            .map(|it| format!("{}:{} in {}", it.service, it.operation, it.region))
            .collect(),
        clock,
    };
    end(session, &planned, &summary, &report, &change.options.intent).await
}

/// The plan as it stands under the lock, and the mode recorded: from here on it is another one.
async fn begin(
    session: &mut Session,
    shown: Planned,
    kept: &KeptMode,
    change: &Change<'_>,
    lock: &Lock,
) -> Result<(Planned, KeptMode), Failure> {
    let planned = match shown.still_stands_under(lock) {
        true => shown,
        // Whoever had the lock may have changed something: what is to be done now is what counts.
        false => session.plan(change.options).await?,
    };
    let standing = kept.next(change.mode, &change.options.targets);
    let begun = kept.begin(&*session.store, standing, session.now(), &lock.holder().run).await;
    Ok((planned, begun.map_err(|error| mode_failure(&error))?))
}

/// Shows and keeps the report.
async fn end(
    session: &Session,
    planned: &Planned,
    summary: &RunSummary,
    report: &Report,
    intent: &Intent,
) -> Ended {
    let ui = session.ui;
    let verb = if report.purpose == FAILOVER { "Failover" } else { "Failback" };
    ui.result(&views::progress::summary(verb, summary));
    ui.result(&report.text());
    let value =
        serde_json::to_value(report).map_err(|error| Failure::new(Exit::Failed, error, "report this"))?;
    ui.line("takeover", value.clone());
    for (step, error) in &summary.failed {
        let address = planned.plan.steps[*step].address.as_str();
        ui.step_failure(address, &error.to_string(), &error.hint());
    }
    let folder = format!("runs/{}", report.run);
    let page = |name: &str, body: String| {
        let key = format!("{folder}/{name}");
        async move { session.store.put(&key, body.into_bytes(), Condition::Always).await }
    };
    let pages =
        tokio::try_join!(page("report.json", format!("{value:#}\n")), page("report.md", report.markdown()));
    pages.map_err(|error| store_failure(&error))?;
    // Until now it was the log of the steps: what a takeover called is to be seen whole.
    session.keep_calls(&report.run, &session.cloud.calls()).await;
    ui.note(&format!("Kept as `{folder}/report.md` in `{}`.", session.stack.facts.control));
    match (report.complete, summary.unfinished.is_empty()) {
        (true, _) if report.missed() => Ok(Exit::NotReady),
        (true, _) => Ok(Exit::Done),
        (false, false) => Ok(Exit::Interrupted),
        (false, true) => {
            // Without that word the traffic would move at once, whatever the standby region answers.
            let more = if *intent == Intent::Planned { " --planned" } else { "" };
            let hint = format!(
                "mend what it names, then run `drstack {}{more}` again: it goes on from there",
                report.purpose
            );
            Err(Failure::new(Exit::Failed, format!("the {} is not complete", report.purpose), hint))
        }
    }
}

fn said(plan: &Plan, step: usize, what: &str) -> String {
    format!("{}: {what}", plan.steps[step].address)
}

/// When the last step of its sort was done, as far as the run has come.
fn note_moment(session: &Session, plan: &Plan, event: &Event, clock: &mut Clock) {
    let Event::StepFinished { step, outcome: Outcome::Done, .. } = event else { return };
    let step = &plan.steps[*step];
    let Some(kind) = session.kinds.get(&step.kind) else { return };
    let now = Some(session.now());
    if kind.verifies() {
        clock.checked = now;
    } else if kind.switches_traffic() {
        clock.traffic = now;
    } else if matches!(kind.demand(&step.spec), Ok(Some(_))) {
        clock.capacity = now;
    }
}

/// Until it serves: the last of what stands for serving, else the end of the run. While a planned takeover waits for replication the
/// primary serves.
fn seconds_until_served(clock: &Clock) -> Option<f64> {
    let served = [clock.capacity, clock.checked, clock.traffic].into_iter().flatten().max().or(clock.done)?;
    Some(served.duration_since(clock.drained.or(clock.detected).or(clock.decided)?).as_secs_f64())
}

/// Kind and id of what runs instances, and what a look at it found.
type Counted = (&'static str, String, Result<Option<Found>, CloudError>);

/// Instances that serve, counted on the way.
#[derive(Default)]
struct Counts {
    /// By kind, the ids of what runs instances.
    groups: BTreeMap<&'static str, Vec<String>>,
    /// By id, whose it is and what is wanted of it.
    wanted: BTreeMap<String, (Address, Value)>,
    /// Instances that are on-demand where spot ones are wanted, at the last look.
    on_demand: BTreeMap<Address, u32>,
    /// The run has taken long enough to be looked at on the way.
    is_long: bool,
    before: Option<u32>,
    fewest: Option<u32>,
    last: Option<u32>,
}

impl Counts {
    fn of(session: &Session, planned: &Planned) -> Self {
        let mut counts = Self::default();
        for (address, look) in &planned.seen {
            if let Some((kind, id, serving)) = serving(session, planned, address, look) {
                if let Some(resource) = planned.compiled.graph.resources.get(address) {
                    counts.wanted.insert(id.clone(), (address.clone(), resource.spec.clone()));
                }
                counts.groups.entry(kind).or_default().push(id);
                counts.before = Some(counts.before.unwrap_or(0) + serving);
            }
        }
        (counts.fewest, counts.last) = (counts.before, counts.before);
        counts
    }

    /// Counts now and then, and once more after the last step of a run that took longer than that has `finished`.
    async fn sample(&mut self, session: &Session, finished: &CancellationToken) {
        while finished.run_until_cancelled(tokio::time::sleep(SAMPLE)).await.is_some() {
            self.count(session).await;
        }
        if self.is_long {
            self.count(session).await;
        }
    }

    /// Counts what the steps of a short run saw last: no more time has passed since than between two counts.
    fn count_seen(&mut self, session: &Session, planned: &Planned, summary: &RunSummary) {
        if self.is_long {
            return;
        }
        let seen = |address: &Address| match planned.seen.get(address) {
            Some(Look::Present(found)) => Some(found.clone()),
            _ => None,
        };
        let looks = self.groups.iter().flat_map(|(kind, ids)| ids.iter().map(|id| (*kind, id.clone())));
        let looks = looks.map(|(kind, id)| {
            let address = self.wanted.get(&id).map(|(address, _)| address);
            let found = address.and_then(|it| summary.left.get(it).cloned().or_else(|| seen(it)));
            (kind, id, Ok(found))
        });
        let looks = looks.collect();
        self.note(session, looks);
    }

    async fn count(&mut self, session: &Session) {
        self.is_long = true;
        let mut looks = Vec::new();
        for (kind, ids) in &self.groups {
            let found = session.cloud.read(kind, &session.scope, Place::Standby, ids).await;
            looks.extend(ids.iter().zip(found).map(|(id, look)| (*kind, id.clone(), look)));
        }
        self.note(session, looks);
    }

    /// A look that fails counts nothing: it says nothing about what serves.
    fn note(&mut self, session: &Session, looks: Vec<Counted>) {
        let (mut sum, mut on_demand) = (0, BTreeMap::new());
        for (kind, id, look) in looks {
            let Some(kind) = session.kinds.get(kind) else { return };
            if let (Ok(Some(found)), Some((address, spec))) = (&look, self.wanted.get(&id)) {
                on_demand.insert(address.clone(), kind.left_on_demand(spec, &found.live).unwrap_or(0));
            }
            match look.map(|found| found.map(|found| kind.serving(&found.live))) {
                Ok(Some(Ok(Some(serving)))) => sum += serving,
                Ok(None) => {}
                _ => return,
            }
        }
        self.on_demand = on_demand;
        if self.before.is_some() {
            self.fewest = self.fewest.map(|fewest| fewest.min(sum));
            self.last = Some(sum);
        }
    }

    /// What Auto Scaling has yet to exchange, once it was handed back.
    fn left_on_demand(&self) -> Vec<String> {
        let left = self.on_demand.iter().filter(|(_, count)| **count > 0);
        left.map(|(address, count)| format!("{address}: {}", views::count(*count as usize, "instance")))
            .collect()
    }

    fn in_service(&self) -> Option<InService> {
        Some(InService { before: self.before?, fewest: self.fewest?, after: self.last? })
    }
}

/// Kind, id and instances of what runs any.
fn serving(
    session: &Session,
    planned: &Planned,
    address: &Address,
    look: &Look,
) -> Option<(&'static str, String, u32)> {
    let Look::Present(found) = look else { return None };
    let kind = session.kinds.get(&planned.compiled.graph.resources.get(address)?.kind)?;
    Some((kind.name(), found.id.clone(), kind.serving(&found.live).ok()??))
}
