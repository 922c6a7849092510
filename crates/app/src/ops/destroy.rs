//! Deletes the stack's resources; data is kept unless named.

use std::collections::BTreeSet;

use drstack_core::objective::Mode;
use drstack_core::plan::{CONTROL, Intent, Options};

use crate::failure::{Ended, Failure, Status, store_failure};
use crate::operator::{News, Run};
use crate::ops::finish::{Approval, finish};
use crate::planned::PlanOutcome;
use crate::session::Session;
use crate::text::count;

/// Options of a destroy.
pub struct Destroy {
    /// The addresses to delete, with what needs them; all if empty.
    pub targets: Vec<String>,
    /// Data to delete too.
    pub delete_data: BTreeSet<String>,
    /// Skip the operator's approval.
    pub auto_approve: bool,
    /// Number of steps that run at once.
    pub parallelism: usize,
    /// The stack and its inputs, as an operator types them.
    pub typed: String,
}

/// Deletes the resources that the stack of `session` owns.
///
/// # Errors
/// Returns an error if nothing was done, or not all of it.
pub async fn destroy(session: &mut Session, how: Destroy) -> Ended {
    session.decisions.parallelism = Some(how.parallelism);
    let (options, shown) = planned(session, how.targets, how.delete_data, &how.typed).await?;
    let primary = &session.stack.facts.primary;
    if shown.report.silent.contains_key(primary) && options.targets.is_empty() && !shown.plan.is_empty() {
        let message = format!("{primary} does not answer: what stands by may be all that is left");
        let typed = &how.typed;
        let hint = format!(
            "fail over (`drstack failover {typed}`), or wait until {primary} answers; `--target ADDRESS` destroys one component all the same"
        );
        return Err(Failure::new(Status::NotReady, message, hint));
    }
    if how.auto_approve {
        session.expect_more_than_replaced(&shown, "destroy STACK")?;
    }
    let blocked = !shown.report.blocked.is_empty();
    let status = match shown.plan.is_empty() {
        true if blocked => Status::Failed,
        true => {
            session.withdraw_unchanged(&options, shown).await?;
            Status::Done
        }
        false => {
            let approval = match how.auto_approve {
                true => Approval::Given,
                false => {
                    let steps = count(shown.plan.steps.len(), "step");
                    Approval::Ask(format!("Destroy {}, in {steps}?", session.named(&shown)))
                }
            };
            finish(session, &options, shown, Run::Destroy, how.parallelism, approval).await?
        }
    };
    if status == Status::Done && !options.targets.is_empty() && session.has_bundle().await {
        session.warn(
            "warning: the bundle still has what was destroyed, and a failover from it would miss that: run `drstack apply STACK`, with the stack as it is to be",
        );
    }
    if status != Status::Done || !options.delete_data.contains(CONTROL) {
        return Ok(status);
    }
    session.forget_mode().await?;
    session.store.destroy().await.map_err(|error| store_failure(&error))?;
    session.tell(News::ControlDeleted(&session.stack.facts.control));
    Ok(status)
}

/// Plans a destroy and shows it.
///
/// # Errors
/// Returns an error if the standby region serves, or something that every plan needs does not
/// answer.
pub async fn planned(
    session: &mut Session,
    targets: Vec<String>,
    delete_data: BTreeSet<String>,
    typed: &str,
) -> Result<(Options, PlanOutcome), Failure> {
    if !targets.is_empty() && delete_data.contains(CONTROL) {
        let hint = "leave `--target` out to remove the control bucket";
        return Err(Failure::new(Status::Usage, "the control bucket goes only with the whole stack", hint));
    }
    session.expect_same_stack().await?;
    let kept = session.sure_mode().await?;
    if kept.standing().mode == Mode::Active || !kept.is_complete() {
        let standby = &session.stack.facts.standby;
        let message = match (kept.standing().mode, kept.is_complete()) {
            (Mode::Active, true) => format!("{standby} serves: a destroy would be an outage"),
            (Mode::Active, false) => {
                format!("a failover to {standby} is not complete: what it moved serves there")
            }
            (Mode::Standby, _) => {
                format!("a failback is not complete: what it has not moved serves in {standby}")
            }
        };
        let hint = format!("fail back first: `drstack failback {typed}`");
        return Err(Failure::new(Status::NotReady, message, hint));
    }
    let options = Options { intent: Intent::Destroy, mode: Mode::Standby, targets, delete_data };
    let shown = session.plan(&options).await?;
    session.show(&shown, options.intent, None);
    Ok((options, shown))
}
