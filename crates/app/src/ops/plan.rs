//! What an operation would do.

use std::collections::BTreeSet;

use drstack_core::objective::Mode;
use drstack_core::plan::{Intent, Options};

use crate::failure::Failure;
use crate::operator::News;
use crate::planned::PlanOutcome;
use crate::session::Session;

/// What is to be planned.
pub struct Plan {
    /// For which mode; the one that the stack is in where none is named.
    pub mode: Option<Mode>,
    /// Only these addresses and what they need; all where none are named.
    pub targets: Vec<String>,
    /// Data that may be deleted.
    pub delete_data: BTreeSet<String>,
    /// What goes on with a failover that is not complete, as one types it; none where that is not known.
    pub failover: Option<String>,
}

/// Plans for the stack of `session` and shows it.
///
/// # Errors
/// The stack is invalid, or something that every plan needs does not answer.
pub async fn plan(session: &mut Session, how: Plan) -> Result<(Options, PlanOutcome), Failure> {
    let kept = session.mode().await?;
    let now = kept.standing().mode;
    let mode = how.mode.unwrap_or(now);
    // What a change of mode would do may be seen; what keeps to the mode needs to know it.
    session.stated = mode != now;
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
    let planned = session.plan(&options).await?;
    session.show(&planned, options.intent);
    if let (Mode::Active, false, Some(failover)) = (now, planned.mode.is_complete(), &how.failover) {
        let on = session.way_on(&planned, failover);
        session.warn(&format!("warning: a failover is not complete, and `drstack apply` waits for it: {on}"));
    }
    Ok((options, planned))
}

impl Session {
    /// Shows a plan.
    pub(crate) fn show(&self, planned: &PlanOutcome, intent: Intent) {
        let warnings = self.cloud.warnings();
        self.tell(News::Plan { stack: &self.stack, warnings, planned, intent });
    }

    /// Shows what the last apply expected of a failover: known before anything is looked at, however slow that is.
    pub(crate) fn show_rehearsed(&self) {
        if let Some(it) = &self.rehearsed {
            self.tell(News::Rehearsed(it));
        }
    }
}
