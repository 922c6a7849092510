//! Plans an operation and shows the plan.

use std::collections::BTreeSet;

use drstack_core::objective::Mode;
use drstack_core::plan::{Intent, Options};

use crate::failure::Failure;
use crate::operator::{News, WayOut};
use crate::planned::PlanOutcome;
use crate::session::Session;
use crate::steps::then::BundleAction;

/// Options of a plan.
pub struct Plan {
    /// The mode to plan for; the stack's current mode if `None`.
    pub mode: Option<Mode>,
    /// The addresses to plan for, with what they need; all if empty.
    pub targets: Vec<String>,
    /// Data that may be deleted.
    pub delete_data: BTreeSet<String>,
    /// The command that goes on with an unfinished failover, as an operator types it; `None` if not
    /// known.
    pub failover: Option<String>,
}

/// Plans for the stack of `session` and shows it.
///
/// # Errors
/// Returns an error if the stack is invalid, or something that every plan needs does not answer.
pub async fn plan(session: &mut Session, how: Plan) -> Result<(Options, PlanOutcome), Failure> {
    let kept = session.mode().await?;
    let now = kept.standing().mode;
    let mode = how.mode.unwrap_or(now);
    // A doubt about the mode does not block a plan for the other mode. A plan that keeps the mode
    // has to be sure of it.
    session.decisions.stated = mode != now;
    let mut options = Options {
        intent: match (now, mode) {
            (Mode::Standby, Mode::Active) => Intent::Failover,
            (Mode::Active, Mode::Standby) => Intent::Failback,
            _ => Intent::Converge,
        },
        mode,
        targets: how.targets,
        delete_data: how.delete_data,
    };
    if options.intent == Intent::Failover {
        options.targets = session.part(options.targets)?;
        session.show_rehearsed();
    }
    let mut planned = session.plan(&options).await?;
    if now == Mode::Standby && planned.plan.is_empty() && !session.has_bundle().await {
        // No failover now is as it was rehearsed.
        planned.predicted.failover = None;
    }
    let way_out = session.way_out(&planned, options.intent, how.failover.as_deref()).await;
    session.show(&planned, options.intent, way_out);
    if now == Mode::Standby && planned.then == BundleAction::Publish && planned.report.unchanged > 0 {
        session.warn_of_bundle(planned.plan.is_empty()).await;
    }
    if options.intent == Intent::Converge
        && let Err(failure) = session.expect_what_began(&kept, "STACK").await
    {
        session.warn(&format!("warning: {}", failure.message));
    }
    if let (Mode::Active, false, Some(failover)) = (now, planned.mode.is_complete(), &how.failover) {
        let failover =
            failover.replacen("failover", &planned.mode.failover_on(session.primary_answers(&planned)), 1);
        let on = session.way_on(&planned, &failover);
        session.warn(&format!(
            "warning: a failover is not complete, and `drstack apply STACK` waits for it: {on}"
        ));
    }
    Ok((options, planned))
}

impl Session {
    /// True if the primary answered all that `planned` asked it, or with an error of its own.
    pub(crate) fn primary_answers(&self, planned: &PlanOutcome) -> bool {
        !planned.report.silent.contains_key(&self.stack.facts.primary)
    }

    /// Returns the command that fails over while the primary does not answer, as an operator types
    /// it; `None` if it answers, or nothing can fail over.
    pub(crate) async fn way_out(
        &self,
        planned: &PlanOutcome,
        intent: Intent,
        command: Option<&str>,
    ) -> Option<WayOut> {
        let is_lost = !self.primary_answers(planned);
        let may_fail_over = intent == Intent::Converge && planned.mode.standing().mode == Mode::Standby;
        // Without anything in place there is nothing to fail over to.
        let may_fail_over = may_fail_over && planned.report.unchanged > 0;
        let command = command.filter(|_| is_lost && may_fail_over)?;
        Some(WayOut { command: command.to_owned(), is_asked: self.differs_from_applied().await })
    }

    /// Shows a plan, with the way out of an outage.
    pub(crate) fn show(&self, planned: &PlanOutcome, intent: Intent, failover: Option<WayOut>) {
        let warnings = self.cloud.warnings();
        self.tell(News::Plan { stack: &self.stack, warnings, planned, intent, failover });
        self.warn_of_rto(planned);
    }

    /// Shows the failover that the last apply rehearsed. It is known before anything is observed,
    /// however slow observing is.
    pub(crate) fn show_rehearsed(&self) {
        if let Some(it) = &self.rehearsed {
            self.tell(News::Rehearsed(it));
        }
    }
}
