//! A change of mode, from the decision to the report. Failover and failback share it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use drstack_core::address::ComponentAddress;
use drstack_core::control::Condition;
use drstack_core::control::failover_stack::{self, FailoverStack};
use drstack_core::control::lock::Lock;
use drstack_core::control::mode::KeptMode;
use drstack_core::engine::event::{Event, StepError};
use drstack_core::engine::execute::RunSummary;
use drstack_core::objective::Mode;
use drstack_core::plan::{Intent, Options, Plan, StepId};
use drstack_core::verdict::Pool;
use futures_util::FutureExt as _;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::failure::{Ended, Failure, Status, mode_failure, store_failure};
use crate::minimum::with_minimum;
use crate::operator::{News, Run};
use crate::ops::moments::{Ramps, conclude, note_moment};
use crate::planned::PlanOutcome;
use crate::report::counts::Counts;
use crate::report::data::Data;
use crate::report::judged::Judged;
use crate::report::restored::restored;
use crate::report::timeline::{Clock, Objective, Ramped, Report};
use crate::session::Session;
use crate::steps::lock::release;
use crate::steps::stop::unless_stopped;

/// Options of a change of mode.
pub(crate) struct Change<'a> {
    pub(crate) options: &'a Options,
    pub(crate) parallelism: usize,
    /// The command that goes on with the change, as an operator types it.
    pub(crate) command: String,
    pub(crate) detected: Timestamp,
    pub(crate) decided: Timestamp,
    /// When the backlog was empty; `None` if the run did not wait for that.
    pub(crate) drained: Option<Timestamp>,
    /// Both sides of the data, compared before the change.
    pub(crate) data: Vec<Data>,
    /// Data that exists in the standby region only, so that there was nothing to compare it with.
    pub(crate) not_compared: Vec<String>,
    /// Data that a planned failover did not wait for.
    pub(crate) not_awaited: Vec<String>,
}

/// Takes the lock, records the mode, executes the plan and reports.
pub(crate) async fn carry_out(
    session: &mut Session,
    shown: PlanOutcome,
    kept: KeptMode,
    change: &Change<'_>,
) -> Ended {
    let answering = session.answer_stops();
    let lock = session.lock_over(change.options.intent).await?;
    let run = lock.holder().run.clone();
    let (planned, begun) = match begin(session, shown, &kept, change, &lock).await {
        Ok(begun) => begun,
        Err(failure) => {
            release(lock).await?;
            return Err(failure);
        }
    };
    let (first_run, started) = starts(session, &begun, change);
    // A run after the outage is over repairs, and recovers nothing. One whose record is lost cannot know
    // what it recovered from.
    let serves = kept.is_served() || kept.doubt.is_some() && kept.standing().mode == Mode::Active;
    let repairs = serves && kept.standing().only == begun.standing().only;
    let mut clock = Clock {
        detected: begun.record.as_ref().and_then(|it| it.detected).filter(|_| !repairs),
        served: begun.record.as_ref().and_then(|it| it.served),
        decided: Some(change.decided),
        drained: change.drained,
        first_run,
        started,
        ..Clock::default()
    };
    let mut counts = Counts::of(session, &planned).await;
    let mut ramps = Ramps::of(session, &planned.plan);
    let mut parts = BTreeMap::new();
    let operator = session.app.operator.clone();
    let summary = {
        let finished = CancellationToken::new();
        let mut sink = |event: Event| {
            if matches!(event, Event::RunFinished { .. }) {
                clock.done = Some(session.now());
            }
            note_moment(session, &planned.plan, &event, &mut clock, &mut parts);
            ramps.note(&event, session.now());
            operator.hear(&event);
        };
        // The count ends with the run and not with its last step, so that it includes what calls of
        // an earlier run undo after that step.
        let run = async {
            let run = session.execute(
                &planned,
                Some(&begun),
                lock,
                change.options.intent,
                change.parallelism,
                &mut sink,
            );
            let summary = run.await;
            finished.cancel();
            summary
        };
        let counted = counts.sample(session, &finished).map(Ok);
        // Counting ends with the run, also if the run fails.
        let (summary, ()) = tokio::try_join!(run, counted)?;
        counts.conclude(session, &planned, &summary).await;
        summary
    };
    drop(answering);
    conclude(session, &planned.plan, &summary, &mut clock);
    let standing = begun.standing();
    let judged = session.judge(&planned, &standing, kept.is_served(), &summary, counts.is_short()).await?;
    if judged.serves() {
        session.end_outage(&begun, clock.reached().unwrap_or_else(|| session.now())).await;
    }
    let clock = Times { clock, ramped: ramps.alone, repairs, parts };
    let report = report(session, change, (&planned, &begun, &summary), &judged, &counts, (run, clock));
    end(session, &planned, &summary, &report, &judged, change).await
}

/// Returns when the first run of the change began, if that is an earlier one, and when this one did.
/// The record keeps the first.
fn starts(
    session: &Session,
    begun: &KeptMode,
    change: &Change<'_>,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let since = begun.record.as_ref().map(|record| record.since);
    match since.filter(|since| *since < change.decided) {
        Some(first) => (Some(first), Some(session.now())),
        None => (None, since),
    }
}

/// The moments of a run, the time in which it only ramped traffic, and when each component served.
struct Times {
    clock: Clock,
    ramped: Ramped,
    repairs: bool,
    parts: BTreeMap<ComponentAddress, Timestamp>,
}

/// Returns the report of `run`.
fn report(
    session: &Session,
    change: &Change<'_>,
    (planned, begun, summary): (&PlanOutcome, &KeptMode, &RunSummary),
    judged: &Judged,
    counts: &Counts,
    (run, Times { clock, ramped, repairs, parts }): (String, Times),
) -> Report {
    let is_failover = change.options.intent.fails_over();
    let complete = judged.evidence.complete;
    let served = complete && (!is_failover || (judged.verdict.is_recovery() && !repairs));
    let region = match change.options.mode {
        Mode::Active => session.stack.facts.standby.clone(),
        Mode::Standby => session.stack.facts.primary.clone(),
    };
    // A failback is not measured against an objective, and its ramp comes before everything else.
    let ramped = if is_failover { ramped } else { Ramped::default() };
    Report {
        stack: session.stack.facts.name.clone(),
        purpose: change.options.intent.purpose().into(),
        run,
        region,
        epoch: begun.standing().epoch,
        complete,
        verdict: is_failover.then_some(judged.verdict),
        served_before: repairs && planned.mode.doubt.is_none(),
        recovery_seconds: served.then(|| clock.recovery(&ramped)).flatten(),
        covered_seconds: served.then(|| covered(session, &clock, &ramped, &parts)).flatten(),
        ramped_seconds: (!ramped.whole().is_zero()).then(|| ramped.whole().as_secs_f64()),
        rto_seconds: session.stack.objective.rto.filter(|_| is_failover).map(|it| it.as_secs()),
        accepted: !begun.standing().minimum.is_empty(),
        objectives: if is_failover && served {
            objectives(session, &clock, &ramped, &parts)
        } else {
            Vec::new()
        },
        rpo: "not measured: no heartbeats are written yet".into(),
        restored: match is_failover {
            true => restored(&planned.plan, &session.kinds, clock.detected.unwrap_or(change.detected))
                .into_iter()
                .map(|it| format!("{}: {}", it.address, it.text))
                .collect(),
            false => Vec::new(),
        },
        in_primary: match is_failover {
            true => judged.evidence.in_primary.iter().cloned().collect(),
            false => Vec::new(),
        },
        unasked: match is_failover {
            true => judged.evidence.unasked.iter().cloned().collect(),
            false => Vec::new(),
        },
        unled: judged.evidence.unled.iter().cloned().collect(),
        in_service: counts.in_service(),
        pools: judged.evidence.pools.clone(),
        on_demand: if is_failover || !complete { Vec::new() } else { counts.left_on_demand() },
        degraded: degraded(&planned.plan, summary, judged),
        failed: summary
            .failed
            .iter()
            .map(|(step, error)| said(&planned.plan, *step, &error.to_string()))
            .collect(),
        blocked: planned.report.blocked.iter().map(|it| format!("{}: {}", it.address, it.text)).collect(),
        facts_age_seconds: session.oldest_fact(&planned.facts.facts),
        data: change.data.clone(),
        not_compared: change.not_compared.clone(),
        not_awaited: change.not_awaited.clone(),
        not_looked_at: planned.not_looked_at.iter().cloned().collect(),
        refused_calls: session
            .cloud
            .refused()
            .iter()
            .map(|it| format!("{}:{} in {}", it.service, it.operation, it.region))
            .collect(),
        clock,
    }
}

/// Lists what serves with less than desired: the rungs that steps took, and short pools without
/// such a step.
fn degraded(plan: &Plan, summary: &RunSummary, judged: &Judged) -> Vec<String> {
    let climbed = summary.degraded.iter().map(|(step, rung)| said(plan, *step, rung));
    let is_said = |pool: &&Pool| {
        let of = |step: &usize| plan.steps[*step].address == pool.address;
        summary
            .degraded
            .iter()
            .map(|(step, _)| step)
            .chain(summary.failed.iter().map(|(step, _)| step))
            .any(of)
    };
    let short = judged.evidence.pools.iter().filter(|pool| !is_said(pool));
    climbed.chain(short.filter_map(|pool| Some(format!("{}: {}", pool.address, pool.shortfall()?)))).collect()
}

/// Plans under the lock if another run may have changed something, and records the mode. From here
/// on the new mode counts.
async fn begin(
    session: &mut Session,
    shown: PlanOutcome,
    kept: &KeptMode,
    change: &Change<'_>,
    lock: &Lock,
) -> Result<(PlanOutcome, KeptMode), Failure> {
    let planned = match shown.still_stands_under(lock) {
        true => shown,
        // The run that had the lock may have changed something: plan again.
        false => {
            let host = Arc::clone(&session.app.host);
            unless_stopped(&*host, 1, session.plan(change.options)).await?
        }
    };
    if change.options.intent == Intent::Failback {
        if !planned.report.blocked.is_empty() {
            session.show(&planned, change.options.intent, None);
        }
        expect_whole(&planned)?;
    }
    let mut standing = session.accepting(kept.next(change.options.mode, &change.options.targets));
    let detected = match change.options.intent {
        Intent::Failover => Some(change.detected),
        // A planned failover detects no outage: the primary serves until then.
        Intent::PlannedFailover | Intent::Converge | Intent::Failback | Intent::Destroy => None,
    };
    if session.decisions.files {
        let (at, run) = (session.now(), lock.holder().run.clone());
        let stack = FailoverStack { at, run, stack: session.stack.resolve() };
        let kept = failover_stack::keep(&*session.store, &stack).await;
        standing.files = Some(kept.map_err(|error| store_failure(&error))?);
    }
    let begun = kept.begin(&*session.store, standing, session.now(), detected, &lock.holder().run).await;
    let begun = begun.map_err(|error| mode_failure(&error))?;
    session.testify(&begun).await;
    Ok((planned, begun))
}

/// Fails if a part of the failback is blocked: traffic would return to half of a primary, or capacity
/// would go while traffic stays.
pub(crate) fn expect_whole(shown: &PlanOutcome) -> Result<(), Failure> {
    if shown.report.blocked.is_empty() {
        return Ok(());
    }
    let hint = "fix the items under \"Blocked\", then run it again";
    Err(Failure::new(Status::NotReady, "a failback is not possible now", hint))
}

/// Returns the seconds until all served that allows itself no longer RTO than the stack's.
fn covered(
    session: &Session,
    clock: &Clock,
    ramped: &Ramped,
    parts: &BTreeMap<ComponentAddress, Timestamp>,
) -> Option<f64> {
    let rto = session.stack.objective.rto;
    let is_longer = |it: &ComponentAddress| {
        let own = session.stack.components.get(it).and_then(|it| it.objective.rto);
        own.zip(rto).is_some_and(|(own, rto)| own > rto)
    };
    let covered = parts.iter().filter(|(component, _)| !is_longer(component)).map(|(_, at)| *at).max();
    match covered {
        Some(at) if parts.keys().any(is_longer) => clock.took(at, ramped),
        _ => clock.recovery(ramped),
    }
}

/// Returns each step that was held, with all failed steps that it waited for, and not the first of them alone.
fn held_by_all(plan: &Plan, summary: &RunSummary) -> Vec<(StepId, StepId)> {
    let failed: BTreeSet<StepId> = summary.failed.iter().map(|(step, _)| *step).collect();
    let by_all = summary.held.iter().flat_map(|&(held, by)| {
        let others = plan.before(held).filter(|it| failed.contains(it)).map(move |it| (held, it));
        std::iter::once((held, by)).chain(others)
    });
    by_all.collect()
}

/// Shows the report and stores it.
async fn end(
    session: &Session,
    planned: &PlanOutcome,
    summary: &RunSummary,
    report: &Report,
    judged: &Judged,
    change: &Change<'_>,
) -> Ended {
    let is_failover = report.is_failover();
    let run = if is_failover { Run::Failover } else { Run::Failback };
    session.tell(News::Finished { run, plan: &planned.plan, summary, blocked: planned.report.blocked.len() });
    session.tell(News::Report { report, evidence: &judged.evidence });
    let accepting = with_minimum(&change.command, &judged.evidence.pools)
        .filter(|_| report.verdict.is_some() && !is_refused(summary));
    say_failures(session, planned, summary, (judged, accepting.as_deref()));
    if is_failover {
        let (plan, kinds, held) = (&planned.plan, &session.kinds, &held_by_all(&planned.plan, summary)[..]);
        let empty = judged.evidence.pools.iter().filter(|pool| pool.is_empty());
        let empty = empty.map(|pool| pool.component()).collect();
        session.tell(News::Held { plan, kinds, held, empty, again: &change.command });
    }
    let folder = format!("runs/{}", report.run);
    let page = |name: &str, body: String| {
        let key = format!("{folder}/{name}");
        async move { session.store.put(&key, body.into_bytes(), Condition::Always).await }
    };
    let value =
        serde_json::to_value(report).map_err(|error| Failure::new(Status::Failed, error, "report this"))?;
    let pages = tokio::try_join!(
        page("report.json", format!("{value:#}\n")),
        page("report.md", session.app.operator.page(report))
    );
    pages.map_err(|error| store_failure(&error))?;
    // Until now the stored log held the calls of the steps. Every call of a failover has to be
    // auditable.
    session.keep_calls(&report.run, &session.cloud.calls()).await;
    if !session.decisions.without_control {
        session.note(&format!("Kept as `{folder}/report.md` in `{}`.", session.stack.facts.control));
    }
    let interrupted = !summary.unfinished.is_empty();
    if !summary.in_flight.is_empty() && !interrupted {
        let open: Vec<String> = summary.in_flight.iter().map(ToString::to_string).collect();
        let hint = format!("run `{}` again: it looks at them anew", change.command);
        let message = format!("calls of an earlier run may have changed {}", open.join(", "));
        return Err(Failure::new(Status::Failed, message, hint));
    }
    match (report.complete, !interrupted) {
        (true, _) if report.verdict.is_some() => {
            judged.end(session, report.missed(), report.accepted, &change.command)
        }
        (true, _) => session.expect_ready(planned).await.map(|()| Status::Done),
        (false, false) => Ok(Status::Interrupted),
        (false, true) => {
            let command = &change.command;
            let again = format!("run `{command}` again; finished steps are not repeated");
            let primary = &session.stack.facts.primary;
            let hint = match accepting {
                _ if planned.lacks_what_an_apply_makes() => format!(
                    "once {primary} answers, run `drstack failback STACK`: only then can what is blocked be created"
                ),
                Some(command) => format!(
                    "run `{command}` to go on with what is in service, or fix the errors above and {again}"
                ),
                None => format!("fix the errors above and {again}"),
            };
            Err(Failure::new(Status::Failed, format!("the {} is not complete", report.purpose), hint))
        }
    }
}

/// Says why each step failed, and what to do next: for capacity that is short, to accept what there is.
fn say_failures(
    session: &Session,
    planned: &PlanOutcome,
    summary: &RunSummary,
    (judged, accepting): (&Judged, Option<&str>),
) {
    for (step, error) in &summary.failed {
        let step = &planned.plan.steps[*step];
        let mut pools = judged.evidence.pools.iter();
        let is_short = pools.any(|pool| pool.address == step.address && pool.acceptable().is_some());
        let hint = match accepting {
            Some(command) if is_short => format!("accept what is in service: `{command}`"),
            _ => session.hint_of(step, error),
        };
        let (address, message) = (step.address.as_str(), error.to_string());
        session.tell(News::StepFailed { address, message, output: error.output(), hint });
    }
}

/// True if the credentials are what failed: then no minimum helps.
fn is_refused(summary: &RunSummary) -> bool {
    let mut errors = summary.failed.iter().map(|(_, error)| error);
    errors.any(|it| matches!(it, StepError::Cloud { error } if error.is_of_credentials()))
}

fn said(plan: &Plan, step: usize, what: &str) -> String {
    format!("{}: {what}", plan.steps[step].address)
}

/// Returns the RTO of each component that has another one than its stack, and the time until this
/// run had it serve. What an earlier run did is not judged again.
fn objectives(
    session: &Session,
    clock: &Clock,
    ramped: &Ramped,
    parts: &BTreeMap<ComponentAddress, Timestamp>,
) -> Vec<Objective> {
    let stack = &session.stack;
    let objective = |(component, at): (&ComponentAddress, &Timestamp)| {
        let own = stack.components.get(component)?.objective.rto;
        let rto = own.filter(|own| stack.objective.rto != Some(*own))?;
        let took = clock.took(*at, ramped)?;
        Some(Objective { component: component.clone(), rto_seconds: rto.as_secs(), recovery_seconds: took })
    };
    parts.iter().filter_map(objective).collect()
}
