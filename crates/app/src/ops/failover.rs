//! Moves to the standby region. Unless it is planned, a failover calls no other region.

use drstack_core::address::{Address, ComponentAddress};
use drstack_core::bundle::commands;
use drstack_core::engine::execute::RunSummary;
use drstack_core::objective::Mode;
use drstack_core::plan::waits::Part;
use drstack_core::plan::{Intent, Options, Remark, Step};
use jiff::{SignedDuration, Timestamp};

use crate::accepted::Accepted;
use crate::failure::{Ended, Failure, Status};
use crate::operator::News;
use crate::ops::change::{Change, carry_out};
use crate::ops::drain::{Patience, backlog, drain};
use crate::ops::failback::expect_primary;
use crate::part::addresses;
use crate::planned::PlanOutcome;
use crate::session::Session;
use crate::text;

/// Attempts to observe before a failover goes on with what it observed, and the pause between them.
/// An error that lasts longer will not pass soon, and the RTO is running.
const LOOKS: usize = 4;
const PAUSE: std::time::Duration = std::time::Duration::from_secs(2);

/// Options of a failover.
#[derive(Clone, Debug)]
pub struct Failover {
    /// The addresses, tiers or tags to fail over, with what they need; all if empty.
    pub only: Vec<String>,
    /// The primary answers: drain replication first.
    pub planned: bool,
    /// The longest time to drain.
    pub drain_timeout: SignedDuration,
    /// Data and traffic dependencies that the failover does not wait for.
    pub not_waiting_for: Vec<String>,
    /// The minimums that the operator accepts.
    pub minimum: Vec<Accepted>,
    /// When the outage was noticed [default: now].
    pub detected_at: Option<Timestamp>,
    /// The stack is that of the files, also where they differ from what was applied.
    pub with_files: bool,
    /// Show the plan and its calls, and execute nothing.
    pub dry_run: bool,
    /// Skip the operator's approval.
    pub auto_approve: bool,
    /// Number of steps that run at once.
    pub parallelism: usize,
    /// The command that goes on with the failover, as an operator types it.
    pub command: String,
}

/// Moves the stack of `session` to the standby region. The session has to be opened for a failover.
///
/// # Errors
/// Returns an error if the failover was not begun, is not complete, or is no recovery.
pub async fn failover(session: &mut Session, how: &Failover) -> Ended {
    session.accept(&how.minimum)?;
    session.decisions.stated = true;
    session.decisions.parallelism = Some(how.parallelism);
    session.decisions.files = how.with_files;
    let detected = detected(session, how)?;
    let options = options(session, how).await?;
    let patience =
        Patience { only: &options.targets, except: &how.not_waiting_for, at_most: how.drain_timeout };
    if how.dry_run {
        session.show_rehearsed();
    }
    let shown = look_and_plan(session, &options).await?;
    session.warn_of_what_was_not_brought_over().await;
    let kept = shown.mode.clone();
    session.warn_of_doubt(&kept)?;
    if how.planned {
        expect_primary(session, &shown).map_err(|failure| {
            let out = "where it is lost, run this without `--planned`: it asks nothing of the primary";
            Failure { hint: failure.hint.map(|hint| format!("{hint}; {out}")), ..failure }
        })?;
    }
    session.show(&shown, options.intent, None);
    if how.dry_run {
        if how.planned {
            let data = backlog(session, &shown, &patience).await?;
            session.tell(News::Backlog { data: &data, now: session.now() });
        }
        session.tell(News::Calls(&shown.plan, &session.kinds));
        return Ok(if shown.report.blocked.is_empty() { Status::Done } else { Status::Failed });
    }
    // A part that has not failed over yet is recorded, even if nothing has to change.
    let is_recorded = kept.next(Mode::Active, &options.targets).only == kept.standing().only;
    let serves = kept.standing().mode == Mode::Active && kept.is_complete() && is_recorded;
    if serves && shown.plan.is_empty() && shown.report.blocked.is_empty() {
        return served_already(session, &shown, &how.command).await;
    }
    expect_possible(session, how, &shown)?;
    if !how.auto_approve {
        session.app.operator.approve(&question(session, &shown))?;
    }
    let decided = session.now();
    let (drained, not_awaited) = match how.planned && primary_is_written(session, &shown) {
        true => drain(session, &shown, &patience).await.map(|(at, left)| (Some(at), left))?,
        false => (None, Vec::new()),
    };
    let change = Change {
        options: &options,
        parallelism: how.parallelism,
        command: how.command.clone(),
        detected: detected.min(decided),
        decided,
        drained,
        data: Vec::new(),
        not_compared: Vec::new(),
        not_awaited,
    };
    carry_out(session, shown, kept, &change).await
}

/// True if users are still led to the primary, or its writers told to write: all that is written until then has to arrive.
/// Once neither is so, a failover goes on without a drain, since the standby region may have been written to.
fn primary_is_written(session: &Session, shown: &PlanOutcome) -> bool {
    if shown.mode.standing().mode == Mode::Standby {
        return true;
    }
    let kind_of = |kind: &str| session.kinds.get(kind);
    let is_switch =
        |kind: &str| kind_of(kind).is_some_and(|it| it.traffic().is_some() && !it.needs_both_regions());
    let tells = |kind: &str| kind_of(kind).is_some_and(|it| it.tells_who_serves());
    let has = |is: &dyn Fn(&str) -> bool| shown.compiled.graph.resources.values().any(|it| is(&it.kind));
    let moves = |is: &dyn Fn(&str) -> bool| shown.plan.steps.iter().any(|it| is(&it.kind));
    match (has(&is_switch), has(&tells)) {
        (true, _) => moves(&is_switch) || held(shown, &is_switch),
        (false, true) => moves(&tells) || held(shown, &tells),
        // Nothing of drstack's says where users are.
        (false, false) => !shown.mode.is_complete(),
    }
}

/// True if something of a kind that `is` meant waits for what is blocked.
fn held(shown: &PlanOutcome, is: &dyn Fn(&str) -> bool) -> bool {
    let resources = &shown.compiled.graph.resources;
    let mut blocked =
        shown.report.blocked.iter().filter_map(|it| resources.get(&Address::parse(&it.address)?));
    blocked.any(|it| is(&it.kind))
}

/// Fails if the files do not fit what exists, or if nothing would be recovered while something is blocked.
fn expect_possible(session: &Session, how: &Failover, shown: &PlanOutcome) -> Result<(), Failure> {
    let blocked = &shown.report.blocked;
    // What traffic does not wait for, by the operator's word, may be absent.
    let goes_without = |it: &Remark| {
        let named = Address::parse(&it.address).map(|it| it.component());
        let of = named.unwrap_or_else(|| ComponentAddress::new(&it.address));
        how.not_waiting_for.iter().any(|name| of.is_within(name))
    };
    let begins = shown.mode.standing().mode == Mode::Standby;
    if how.with_files && !blocked.iter().all(goes_without) {
        // What could not be observed says nothing about the files.
        let message = match shown.has_failed_looks() {
            true => "not all could be observed, so it is not known if the files fit what exists",
            false => "the files do not fit what exists",
        };
        let hint = "run it with `--unsigned` in place of `--with-files`: it works from what was applied; the mode is unchanged";
        return Err(Failure::new(Status::NotReady, message, hint));
    }
    // The primary serves, and what is blocked needs an apply: none works once the failover has begun.
    if how.planned && begins && !blocked.iter().all(goes_without) {
        let message = "a planned failover begins only where nothing is blocked: nothing was changed";
        let hint = "fix the items under \"Blocked\" while the primary serves, then run it again; or go without: `--not-waiting-for ADDRESS`";
        return Err(Failure::new(Status::NotReady, message, hint));
    }
    // Where nothing was applied, or all of it was destroyed, a run that recovers nothing begins no outage:
    // only a failback would lead out of that.
    let recovers = |step: &Step| {
        let part = session.kinds.get(&step.kind).and_then(|kind| Part::of(kind, step.place));
        part.is_some_and(|part| part != Part::Check)
    };
    let is_possible = match begins && session.decisions.files_alone {
        true => shown.plan.steps.iter().any(recovers),
        false => !shown.plan.is_empty(),
    };
    if is_possible || blocked.is_empty() {
        return Ok(());
    }
    let hint = match (shown.lacks_what_an_apply_makes(), begins) {
        (true, true) => "run `drstack apply STACK` once the primary answers; the mode is unchanged",
        (true, false) => {
            "run `drstack failback STACK` once the primary answers: only then can what is blocked be created"
        }
        (false, _) => "fix the items under \"Blocked\", then run it again; the mode is unchanged",
    };
    Err(Failure::new(Status::Failed, "no step of the failover is possible now", hint))
}

/// Plans a failover without showing it.
///
/// # Errors
/// Returns an error if the stack is invalid, or something that every plan needs does not answer.
pub async fn planned(session: &mut Session, how: &Failover) -> Result<PlanOutcome, Failure> {
    session.accept(&how.minimum)?;
    session.decisions.stated = true;
    let options = options(session, how).await?;
    session.plan(&options).await
}

/// Returns when the outage was noticed.
fn detected(session: &Session, how: &Failover) -> Result<Timestamp, Failure> {
    let now = session.now();
    match how.detected_at {
        Some(at) if at > now => {
            let message = format!("`--detected-at`: {at} is not over yet");
            let hint = "name the moment at which the outage was noticed, or leave it out";
            Err(Failure::new(Status::Usage, message, hint))
        }
        Some(at) => Ok(at),
        None => Ok(now),
    }
}

async fn options(session: &mut Session, how: &Failover) -> Result<Options, Failure> {
    session.go_without(&how.not_waiting_for, how.planned)?;
    let named = addresses(&session.stack, &how.only)?;
    session.expect_declared(&named)?;
    let part = session.part(named)?;
    Ok(Options {
        intent: if how.planned { Intent::PlannedFailover } else { Intent::Failover },
        mode: Mode::Active,
        targets: with_what_is_under_way(session, part).await?,
        delete_data: Default::default(),
    })
}

/// Returns `part` with what an earlier run began to fail over and did not complete; all if that was the
/// whole stack. A run of less would call the rest complete, too.
async fn with_what_is_under_way(session: &Session, part: Vec<String>) -> Result<Vec<String>, Failure> {
    if part.is_empty() {
        return Ok(part);
    }
    let kept = session.mode().await?;
    if kept.standing().mode == Mode::Standby
        && kept.record.is_some()
        && !kept.is_complete()
        && kept.doubt.is_none()
    {
        let message =
            "a failback is not complete, so what is named here is not all that the standby region serves";
        let hint = "run `drstack failback STACK` again: it goes on from there; or run this without `--only`";
        return Err(Failure::new(Status::NotReady, message, hint));
    }
    // Where the record is lost, nobody knows how much of the stack is under way: what is named counts.
    if kept.standing().mode != Mode::Active || kept.is_complete() || kept.doubt.is_some() {
        return Ok(part);
    }
    let all = kept.next(Mode::Active, &part).only;
    if !all.iter().all(|it| part.contains(it)) || all.is_empty() {
        let what = match all.is_empty() {
            true => "the whole stack".to_owned(),
            false => text::listed(&all),
        };
        session.note(&format!(
            "A failover of {what} is under way, and not complete: this run goes on with all of it."
        ));
    }
    Ok(all)
}

/// Judges a complete failover that left nothing to do, and returns its status.
async fn served_already(session: &Session, shown: &PlanOutcome, command: &str) -> Ended {
    let nothing = RunSummary::default();
    let standing = shown.mode.standing();
    let judged = session.judge(shown, &standing, shown.mode.is_served(), &nothing, true).await?;
    let (standby, evidence) = (&session.stack.facts.standby, &judged.evidence);
    session.tell(News::StandbyServes { standby, verdict: judged.verdict, evidence });
    judged.end(session, false, !standing.minimum.is_empty(), command)
}

/// Returns the question for the operator's approval.
fn question(session: &Session, shown: &PlanOutcome) -> String {
    let stack = session.named(shown);
    match commands::of_plan(&shown.plan, &session.kinds).len() {
        0 => format!("Fail {stack} over now?"),
        1 => format!("Fail {stack} over now, and run the command above on this machine?"),
        count => format!("Fail {stack} over now, and run the {count} commands above on this machine?"),
    }
}

/// Plans until all of the standby region could be observed, or the attempts run out.
async fn look_and_plan(session: &mut Session, options: &Options) -> Result<PlanOutcome, Failure> {
    let mut planned = session.plan(options).await?;
    for _ in 1..LOOKS {
        if !planned.has_failed_looks() {
            break;
        }
        session.app.host.rest(PAUSE).await;
        planned = session.plan(options).await?;
    }
    Ok(planned)
}
