//! Moves back to the primary region, which has to answer.

use drstack_core::address::Address;
use drstack_core::cloud::CloudError;
use drstack_core::component::StackFacts;
use drstack_core::control::mode::KeptMode;
use drstack_core::kind::{Action, FieldChange, Place};
use drstack_core::objective::Mode;
use drstack_core::observe::Look;
use drstack_core::plan::{Intent, Options, Step};

use crate::failure::{Ended, Failure, Status};
use crate::operator::{News, Run};
use crate::ops::change::{Change, carry_out, expect_whole};
use crate::ops::drain::sides;
use crate::ops::finish::{Approval, finish};
use crate::planned::PlanOutcome;
use crate::report::data::Data;
use crate::report::restored::left;
use crate::session::Session;

/// Options of a failback.
#[derive(Clone, Debug)]
pub struct Failback {
    /// Show the plan and its calls, and execute nothing.
    pub dry_run: bool,
    /// Skip the operator's approval.
    pub auto_approve: bool,
    /// Number of steps that run at once.
    pub parallelism: usize,
    /// The stack and its inputs, as an operator types them.
    pub typed: String,
}

/// Moves the stack of `session` back to the primary region.
///
/// # Errors
/// Returns an error if the failback was not begun, or is not complete.
pub async fn failback(session: &mut Session, how: &Failback) -> Ended {
    session.decisions.stated = true;
    session.decisions.parallelism = Some(how.parallelism);
    session.expect_same_stack().await?;
    let kept = session.mode().await?;
    session.expect_own_bucket(&kept)?;
    let options = Options {
        intent: Intent::Failback,
        mode: Mode::Standby,
        targets: Vec::new(),
        delete_data: Default::default(),
    };
    let mut shown = session.plan(&options).await?;
    let kept = shown.mode.clone();
    expect_in_sight(session, &shown, &kept)?;
    // Planning has compared the record with what serves.
    if serves(session, &kept) {
        return Ok(Status::Done);
    }
    session.warn_of_doubt(&kept)?;
    expect_primary(session, &shown).map_err(|failure| or_forward(session, &shown, &kept, how, failure))?;
    expect_led_users(session, &shown, &kept, &how.typed)?;
    let first = match kept.standing().mode {
        Mode::Active => first_phase(session, &shown).await?,
        // An earlier failback came further.
        Mode::Standby => None,
    };
    let (data, apart) = compare(session, &shown, &kept).await?;
    if let Some((first, begin)) = &first {
        session.tell(News::FirstPhase);
        session.show(begin, first.intent, None);
    }
    session.show(&shown, options.intent, None);
    if how.dry_run {
        let begin = first.iter().map(|(_, begin)| begin);
        begin.chain([&shown]).for_each(|it| session.tell(News::Calls(&it.plan, &session.kinds)));
        return Ok(if shown.report.blocked.is_empty() { Status::Done } else { Status::Failed });
    }
    expect_whole(&shown)?;
    first.iter().try_for_each(|(_, begin)| expect_whole(begin))?;
    if how.auto_approve {
        session.expect_more_than_replaced(&shown, "failback STACK")?;
    } else {
        let question = format!("Fail {} back to {} now?", session.named(&shown), session.stack.facts.primary);
        session.app.operator.approve(&question)?;
    }
    let decided = session.now();
    if let Some((first, begin)) = first {
        session.decisions.without = everything(session);
        let ended = finish(session, &first, begin, Run::FirstPhase, how.parallelism, Approval::Given).await;
        session.decisions.without.clear();
        match ended? {
            Status::Done => {}
            other => return Ok(other),
        }
        // The last steps of the first phase may have been running when the user asked.
        session.expect_no_stop()?;
        shown = session.plan(&options).await?;
        expect_primary(session, &shown)?;
    }
    let change = Change {
        options: &options,
        parallelism: how.parallelism,
        command: format!("drstack failback {}", how.typed),
        detected: decided,
        decided,
        drained: None,
        data,
        not_compared: apart,
        not_awaited: Vec::new(),
    };
    carried_out(session, shown, kept, &change).await
}

/// Fails back, and says if a failover would begin with other files than these from then on.
async fn carried_out(
    session: &mut Session,
    shown: PlanOutcome,
    kept: KeptMode,
    change: &Change<'_>,
) -> Ended {
    let ended = carry_out(session, shown, kept, change).await?;
    session.warn_of_bundle(true).await;
    Ok(ended)
}

/// Fails if there is neither a record nor anything of the stack: it is in another place, or was never
/// applied.
fn expect_in_sight(session: &Session, shown: &PlanOutcome, kept: &KeptMode) -> Result<(), Failure> {
    if kept.record.is_some() || shown.report.unchanged > 0 || !shown.report.blocked.is_empty() {
        return Ok(());
    }
    let StackFacts { standby, control, .. } = &session.stack.facts;
    let message = format!("nothing of this stack is in {standby}, and `{control}` has no record of it");
    let hint =
        "if it was applied with another `standby`, `control` or `name`, write that again: it is where it was";
    Err(Failure::new(Status::NotReady, message, hint))
}

/// Fails if what led users to the standby region is renamed or gone from the stack, or what tells
/// applications where to write: then nothing of this plan would lead them back.
fn expect_led_users(
    session: &Session,
    shown: &PlanOutcome,
    kept: &KeptMode,
    typed: &str,
) -> Result<(), Failure> {
    let is_renamed = |step: &&Step| step.changes.iter().any(FieldChange::is_of_address);
    let is_gone = |step: &&Step| step.action == Action::Delete && !step.replaces;
    let leads = |step: &&Step| session.kinds.get(&step.kind).is_some_and(|kind| kind.leads_users());
    let steps = || shown.plan.steps.iter().filter(leads);
    if let Some(step) = steps().find(is_renamed) {
        let message = format!(
            "`{}` has another name than the one that the failover began with",
            step.address.component()
        );
        let hint = match kept.is_complete() {
            true => format!(
                "run `drstack apply {typed}` first: it hands over what leads users to the standby region; or give it its old name again"
            ),
            // An apply waits for the failover.
            false => "give it its old name again, fail back, and rename it after that".to_owned(),
        };
        return Err(Failure::new(Status::NotReady, message, hint));
    }
    // With a fence the rules go that keep the writers of the primary out.
    let tells = |step: &&Step| session.kinds.get(&step.kind).is_some_and(|kind| kind.tells_who_serves());
    let told = shown.plan.steps.iter().filter(tells);
    if let Some(step) = steps().chain(told).find(is_gone) {
        let component = step.address.component();
        let message = format!(
            "`{}` of `{component}` leads to {} in a failover, and the stack no longer names it",
            step.id.as_deref().unwrap_or_default(),
            session.stack.facts.standby
        );
        let hint = format!(
            "write it into the stack again, fail back, and remove it after that: `drstack apply {typed}`"
        );
        return Err(Failure::new(Status::NotReady, message, hint));
    }
    Ok(())
}

/// Compares the two regions and shows the differences: both sides of replicated data, and restored
/// data, which exists in one region only.
async fn compare(
    session: &Session,
    shown: &PlanOutcome,
    kept: &KeptMode,
) -> Result<(Vec<Data>, Vec<String>), Failure> {
    // While a failback goes on, the record says when that began.
    let serves = kept.standing().mode == Mode::Active;
    let since = kept.since().filter(|_| serves);
    let complete = kept.is_complete() || !serves;
    let (data, missing) = sides(session, shown, since).await?;
    let mut apart = left(&shown.report, &session.kinds, &session.stack.facts, Intent::Failback);
    apart.extend(missing);
    let apart: Vec<String> = apart.into_iter().map(|it| format!("{}: {}", it.address, it.text)).collect();
    let StackFacts { primary, standby, .. } = &session.stack.facts;
    let moved = &shown.moved;
    session.tell(News::Divergence { data: &data, apart: &apart, moved, primary, standby, since, complete });
    Ok((data, apart))
}

/// Adds the way forward to the `failure` of a primary that does not answer: an unfinished failover
/// can also go on.
fn or_forward(
    session: &Session,
    shown: &PlanOutcome,
    kept: &KeptMode,
    how: &Failback,
    failure: Failure,
) -> Failure {
    if kept.standing().mode != Mode::Active || kept.is_complete() {
        return failure;
    }
    let on = session.way_on(shown, &format!("drstack {} {}", kept.failover_on(false), how.typed));
    Failure { hint: failure.hint.map(|hint| format!("{hint}; to fail over all the same, {on}")), ..failure }
}

/// True if the primary serves; tells the operator so.
fn serves(session: &Session, kept: &KeptMode) -> bool {
    let serves = kept.standing().mode == Mode::Standby && kept.is_complete();
    if serves {
        session.tell(News::PrimaryServes(&session.stack.facts.primary));
    }
    serves
}

/// Returns the names of all components: the first phase waits for none of them.
///
/// The standby region has the traffic already. It may be short, or its checks may fail: that is a reason to go
/// back.
fn everything(session: &Session) -> Vec<String> {
    session.stack.components.keys().map(ToString::to_string).collect()
}

/// Plans the first phase of a failback: traffic resources that an unplanned failover had to skip.
async fn first_phase(
    session: &mut Session,
    shown: &PlanOutcome,
) -> Result<Option<(Options, PlanOutcome)>, Failure> {
    let is_left = |kind: &str| {
        session.kinds.get(kind).is_some_and(|it| it.needs_both_regions() && it.traffic().is_some())
    };
    // If no traffic switch moved, the primary still has its traffic: a planned failover came no
    // further than its shares.
    let switched = |at: &Address| {
        let of = shown.plan.steps.iter().filter(|it| it.address.component() == at.component());
        of.filter_map(|it| session.kinds.get(&it.kind))
            .any(|it| it.traffic().is_some() && !it.needs_both_regions())
    };
    let left = shown.compiled.graph.resources.values();
    let left = left.filter(|it| is_left(&it.kind) && switched(&it.address));
    let targets: Vec<String> = left.map(|it| it.address.to_string()).collect();
    if targets.is_empty() {
        return Ok(None);
    }
    let options =
        Options { intent: Intent::Converge, mode: Mode::Active, targets, delete_data: Default::default() };
    session.decisions.without = everything(session);
    let begin = session.plan(&options).await;
    session.decisions.without.clear();
    let begin = begin?;
    let is_needed = !begin.plan.is_empty() || !begin.report.blocked.is_empty();
    Ok(is_needed.then_some((options, begin)))
}

/// Fails if a resource of the primary could not be observed, or a fact was not answered.
pub(crate) fn expect_primary(session: &Session, shown: &PlanOutcome) -> Result<(), Failure> {
    let graph = &shown.compiled.graph.resources;
    let unseen = |is: fn(&CloudError) -> bool| {
        shown.seen.iter().find_map(|(address, look)| match look {
            Look::Unknown(error) if graph.get(address).is_some_and(|it| it.place != Place::Standby) => {
                is(error).then(|| (format!("{address}: {error}"), error.hint()))
            }
            _ => None,
        })
    };
    let primary = &session.stack.facts.primary;
    if let Some((what, hint)) = unseen(|error| error.is_of_credentials()) {
        let message = format!("not all of {primary} can be looked at: {what}");
        return Err(Failure::new(Status::NotReady, message, format!("{hint}; nothing was changed")));
    }
    let unseen = unseen(|_| true).map(|(what, _)| what);
    let unanswered = shown.unanswered.first().map(|it| format!("{}: {}", it.address, it.text));
    let Some(what) = unseen.or(unanswered) else { return Ok(()) };
    let hint = format!(
        "wait until {primary} is well again, or allow what was denied, then run it again; nothing was changed"
    );
    Err(Failure::new(Status::NotReady, format!("{primary} does not answer yet: {what}"), hint))
}
