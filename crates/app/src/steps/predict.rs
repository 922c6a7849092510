//! Predicts how long a plan takes, and a failover.

use drstack_core::engine::execute::PARALLELISM;
use drstack_core::forecast::{Estimates, Forecast, Prediction};
use drstack_core::objective::Mode;
use drstack_core::plan::stability::Rehearsal;
use drstack_core::plan::{Intent, Plan};

use crate::planned::{PlanOutcome, Predicted};
use crate::session::Session;

impl Session {
    /// Predicts the course of `plan`, and of the failover that it is or that was rehearsed.
    ///
    /// `now` is the mode before the plan. A failover that goes on has used some of the RTO already,
    /// and a planned one moves traffic while the primary serves: neither is held against an RTO.
    pub(crate) fn predict(
        &self,
        (intent, now): (Intent, Mode),
        plan: &Plan,
        rehearsal: Option<&Rehearsal>,
    ) -> Predicted {
        let slots = self.decisions.parallelism.unwrap_or(PARALLELISM);
        let plan = Forecast::of(plan, slots, &Estimates);
        let failover = match intent == Intent::Failover && now == Mode::Standby {
            true => Some(plan.clone()),
            false => rehearsal.map(|it| rehearsed(&it.plan)),
        };
        let leaves_idle = rehearsal.is_some_and(|it| it.leaves_idle);
        let failover = failover.map(|it| Prediction { leaves_idle, ..Prediction::of(it, &self.stack) });
        Predicted { slots, plan, failover }
    }

    /// Shows where the rehearsed failover is predicted to miss an RTO.
    pub(crate) fn warn_of_rto(&self, planned: &PlanOutcome) {
        let is_shown = planned.rehearsal.is_some() && planned.report.blocked.is_empty();
        let Some(failover) = planned.predicted.failover.as_ref().filter(|_| is_shown) else { return };
        let findings = failover.findings(&self.stack);
        if !findings.is_empty() {
            self.warn(self.app.operator.diagnose(&findings, &self.stack.sources).trim_end());
        }
    }
}

/// Predicts the course of a rehearsed failover: with the default number of slots, since it is not
/// known how the operator will run it.
pub(crate) fn rehearsed(plan: &Plan) -> Forecast {
    Forecast::of(plan, PARALLELISM, &Estimates)
}
