//! Makes the standby region match the stack.

use std::collections::BTreeSet;

use drstack_core::control::mode::KeptMode;
use drstack_core::keys::PrivateKey;
use drstack_core::objective::Mode;
use drstack_core::plan::stability::violation;
use drstack_core::plan::{Intent, Options, Step};
use drstack_core::plan_file::PlanFile;

use crate::failure::{Ended, Failure, Status};
use crate::operator::Run;
use crate::ops::finish::{Approval, finish};
use crate::planned::PlanOutcome;
use crate::session::Session;
use crate::steps::publish::signer;
use crate::text::count;

/// Options of an apply.
pub struct Apply {
    /// A stored plan file: the apply executes exactly this plan.
    pub file: Option<PlanFile>,
    /// The stack's mode, if its record is lost.
    pub mode: Option<Mode>,
    /// The addresses to apply, with what they need; all if empty.
    pub targets: Vec<String>,
    /// Data that may be deleted.
    pub delete_data: BTreeSet<String>,
    /// The key that signs the bundle.
    pub signing_key: Option<PrivateKey>,
    /// Apply these files although the failover that serves began with others.
    pub with_files: bool,
    /// Skip the operator's approval.
    pub auto_approve: bool,
    /// Number of steps that run at once.
    pub parallelism: usize,
    /// The stack and its inputs, as an operator types them.
    pub typed: String,
}

/// Makes the standby region match the stack of `session`.
///
/// # Errors
/// Returns an error if nothing was done, or not all of it.
pub async fn apply(session: &mut Session, how: Apply) -> Ended {
    session.decisions.parallelism = Some(how.parallelism);
    if let Some(mode) = how.mode {
        session.record_anew(mode, how.auto_approve).await?;
    }
    // After a failover the standby region serves: an apply keeps mode active until the failback.
    let mode = session.sure_mode().await?;
    let options = match &how.file {
        Some(file) => file.options.clone(),
        None => Options {
            intent: Intent::Converge,
            mode: mode.standing().mode,
            targets: how.targets,
            delete_data: how.delete_data,
        },
    };
    if options.intent != Intent::Converge {
        let hint = "use `drstack failover STACK` to fail over, `drstack failback STACK` to fail back";
        return Err(Failure::new(Status::Usage, "a plan that changes the mode cannot be applied", hint));
    }
    if options.mode != mode.standing().mode {
        let message = "the mode changed since this plan was made";
        return Err(Failure::new(
            Status::Locked,
            message,
            "make a new plan: `drstack plan STACK --out FILE`",
        ));
    }
    let shown = planned(session, &options, &mode, &how.typed, how.with_files).await?;
    session.signer = signer(&session.stack, how.signing_key)?;
    if let Some(file) = &how.file {
        check(file, session, &shown)?;
    }
    let failover = format!("drstack {} {}", mode.failover_on(false), how.typed);
    let way_out = session.way_out(&shown, options.intent, Some(&failover)).await;
    session.show(&shown, options.intent, way_out);
    if shown.plan.is_empty() {
        if !shown.report.blocked.is_empty() {
            return Ok(Status::Failed);
        }
        let ready = session.expect_ready(&shown).await;
        session.publish_unchanged(&options, shown).await?;
        session.keep_twice(&mode).await;
        return ready.map(|()| Status::Done);
    }
    if how.auto_approve && how.file.is_none() {
        session.expect_more_than_replaced(&shown, "apply STACK")?;
    }
    let is_approved = how.auto_approve || how.file.is_some();
    let approval = match is_approved {
        true => Approval::Given,
        false => {
            let changes = count(shown.plan.steps.len(), "change");
            Approval::Ask(format!("Apply {changes} to {}?", session.named(&shown)))
        }
    };
    let status = finish(session, &options, shown, Run::Apply, how.parallelism, approval).await?;
    if status == Status::Done && !mode.is_complete() {
        let hint =
            format!("run `drstack {} {}` again: it goes on from there", mode.failover_on(true), how.typed);
        let message = "this was what the failover could not do; it is not complete yet";
        return Err(Failure::new(Status::NotReady, message, hint));
    }
    Ok(status)
}

/// Plans an apply, if it does not get in the way of a change of mode, or undo what one needed.
async fn planned(
    session: &mut Session,
    options: &Options,
    mode: &KeptMode,
    typed: &str,
    with_files: bool,
) -> Result<PlanOutcome, Failure> {
    if !mode.is_complete() && options.mode == Mode::Standby {
        return Err(unfinished(session, options, None, (mode, typed)));
    }
    let planned = session.plan(options).await;
    let is_free = mode.is_complete() || planned.as_ref().is_ok_and(|it| is_left_to_an_apply(session, it));
    if !is_free {
        return Err(unfinished(session, options, planned.ok().as_ref(), (mode, typed)));
    }
    if !with_files {
        session.expect_what_began(mode, typed).await?;
    }
    planned
}

/// True if all that is left of a failover is what no failover does: it calls the primary region, or services of
/// the whole partition. Whatever else is left, the failover does first.
///
/// Example: a replica that somebody deleted while the standby region served.
fn is_left_to_an_apply(session: &Session, planned: &PlanOutcome) -> bool {
    let is_check = |step: &&Step| session.kinds.get(&step.kind).is_some_and(|kind| kind.check().is_some());
    let mut steps = planned.plan.steps.iter().filter(|step| !is_check(step)).peekable();
    steps.peek().is_some() && steps.all(|step| violation(step, &session.kinds).is_some())
}

/// Returns the failure for an unfinished change of mode, with the command that goes on with it, where things
/// stand as `seen`.
fn unfinished(
    session: &Session,
    options: &Options,
    seen: Option<&PlanOutcome>,
    (mode, typed): (&KeptMode, &str),
) -> Failure {
    let message = format!("a change to mode `{}` is not complete", options.mode.name());
    let again = |command: &str| format!("drstack {command} {typed}");
    let hint = match options.mode {
        Mode::Active => {
            let on = match seen {
                Some(seen) => session.way_on(seen, &again(&mode.failover_on(session.primary_answers(seen)))),
                None => format!("run `{}` again: it goes on from there", again(&mode.failover_on(true))),
            };
            let (back, primary) = (again("failback"), &session.stack.facts.primary);
            format!("{on}; or, where {primary} is to go on serving, `{back}`")
        }
        Mode::Standby => format!("run `{}` again: it goes on from there", again("failback")),
    };
    Failure::new(Status::Locked, message, hint)
}

fn check(file: &PlanFile, session: &Session, now: &PlanOutcome) -> Result<(), Failure> {
    file.check(&session.stack.hash, &now.plan).map_err(|error| {
        Failure::new(Status::Locked, error, "make a new plan: `drstack plan STACK --out FILE`")
    })
}
