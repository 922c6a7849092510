//! The second half of every operation that keeps the mode: approve, lock, plan again if needed,
//! execute.

use std::sync::Arc;

use drstack_core::cloud::CloudError;
use drstack_core::engine::event::StepError;
use drstack_core::kind::{Action, Lookup};
use drstack_core::plan::{Intent, Options, Step, tags};

use crate::failure::{Ended, Failure, Status};
use crate::operator::{News, Run};
use crate::planned::PlanOutcome;
use crate::session::Session;
use crate::steps::lock::release;
use crate::steps::stop::unless_stopped;

/// The operator's approval.
pub(crate) enum Approval {
    /// The operator has approved.
    Given,
    /// This question has to be asked.
    Ask(String),
}

impl Session {
    /// Returns what to do next after the `error` of a step. What stands in the way of a creation may be the
    /// stack's own, where its tags alone lead to it and it has lost them.
    pub(crate) fn hint_of(&self, step: &Step, error: &StepError) -> String {
        let is_found_by_tags =
            self.kinds.get(&step.kind).is_some_and(|it| it.lookup() == Lookup::Tag && it.check().is_none());
        let is_taken = matches!(error, StepError::Cloud { error: CloudError::Conflict { .. } });
        if step.action != Action::Create || !is_taken || !is_found_by_tags {
            return error.hint();
        }
        let tags = tags(&self.stack.facts.name, &step.address);
        format!(
            "where what is there is this stack's and has lost its tags, give it {tags}; else {}",
            error.hint()
        )
    }
}

/// Executes the plan that was `shown`.
pub(crate) async fn finish(
    session: &mut Session,
    options: &Options,
    shown: PlanOutcome,
    run: Run,
    parallelism: usize,
    approval: Approval,
) -> Ended {
    if let Approval::Ask(question) = approval {
        session.app.operator.approve(&question)?;
    }
    // The first phase of a failback does not change the mode, but it belongs to a run that will.
    let intent = if run == Run::FirstPhase { Intent::Failback } else { options.intent };
    let answering = session.answer_stops();
    let lock = session.lock(intent).await?;
    let host = Arc::clone(&session.app.host);
    let planned = match shown.still_stands_under(&lock) {
        true => shown,
        false => match unless_stopped(&*host, 1, session.plan(options)).await {
            // Only the plan that was shown is executed. If another run changed the world meanwhile,
            // nothing is.
            Ok(planned) if planned.plan == shown.plan => planned,
            Ok(_) => {
                release(lock).await?;
                let hint = "run it again to see what is to be done now";
                return Err(Failure::new(
                    Status::Locked,
                    "the world changed while this plan was shown",
                    hint,
                ));
            }
            Err(failure) => {
                release(lock).await?;
                return Err(failure);
            }
        },
    };
    if matches!(run, Run::Apply | Run::Sync) {
        // Before anything of the stack exists, so that a second control bucket is noticed from then on.
        session.keep_twice(&planned.mode).await;
    }
    let operator = session.app.operator.clone();
    let mut sink = |event| operator.hear(&event);
    let summary = session.execute(&planned, None, lock, intent, parallelism, &mut sink).await?;
    drop(answering);
    let blocked = planned.report.blocked.len();
    session.tell(News::Finished { run, plan: &planned.plan, summary: &summary, blocked });
    for (step, error) in &summary.failed {
        let step = &planned.plan.steps[*step];
        let address = step.address.as_str();
        let (message, hint) = (error.to_string(), session.hint_of(step, error));
        session.tell(News::StepFailed { address, message, output: error.output(), hint });
    }
    let complete = summary.is_complete() && planned.report.blocked.is_empty();
    match (complete, summary.unfinished.is_empty()) {
        (true, _) if matches!(run, Run::Apply | Run::Sync) => {
            session.expect_ready(&planned).await.map(|()| Status::Done)
        }
        (true, _) => Ok(Status::Done),
        (false, true) => Ok(Status::Failed),
        (false, false) => Ok(Status::Interrupted),
    }
}
