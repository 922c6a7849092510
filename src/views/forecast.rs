//! Predicted times: in a sentence, and for programs.

use std::time::Duration;

use drstack_app::planned::{PlanOutcome, Predicted};
use drstack_core::forecast::{BASIS, Forecast, Prediction};
use drstack_core::plan::Plan;

use super::{count, duration};
use crate::lines::{ComponentForecastLine, ForecastLine};

/// Waits on the path that are too short to be named: the time of a few calls.
const UNNAMED: Duration = Duration::from_secs(1);

/// Describes how long the plan takes, and what that follows from; `None` for an empty plan.
pub(crate) fn plan(plan: &Plan, predicted: &Predicted, fails_over: bool) -> Option<String> {
    let forecast = &predicted.plan;
    let address = |at: usize| &plan.steps[forecast.path[at].step].address;
    let critical = match forecast.path.len() {
        0 => return None,
        1 => address(0).to_string(),
        2 => format!("{} -> {}", address(0), address(1)),
        length => format!("{} -> ... -> {}", address(0), address(length - 1)),
    };
    let rto = predicted.failover.as_ref().filter(|_| fails_over).map(objective).unwrap_or_default();
    let waits = waits(forecast, predicted.slots);
    Some(format!(
        "Estimated time: {} ({rto}critical path {critical}; {waits}{BASIS}).\n",
        duration(forecast.total)
    ))
}

/// Describes how long a failover would take, once all of the plan is done.
pub(crate) fn failover(steps: usize, prediction: &Prediction, planned: &PlanOutcome) -> String {
    let when = match (planned.plan.is_empty(), planned.report.waiting.is_empty()) {
        (false, _) => "A failover after this apply",
        (true, false) => "A failover once all of this is ready",
        (true, true) => "A failover now",
    };
    if steps == 0 {
        return format!("{when} would have nothing to do.\n");
    }
    let (rto, forecast) = (objective(prediction), &prediction.forecast);
    format!(
        "{when} would take about {}, in {} ({rto}{}{BASIS}). `drstack plan --mode active` shows it.\n",
        duration(forecast.total),
        count(steps, "step"),
        waits(forecast, drstack_core::engine::execute::PARALLELISM)
    )
}

/// Says if the RTOs are met; empty if there are none.
fn objective(prediction: &Prediction) -> String {
    let said = |is_met: bool| if is_met { "met" } else { "MISSED" };
    let of_stack = prediction.rto.zip(prediction.is_in_time());
    let covered = prediction.covered();
    let before = match covered < prediction.forecast.total {
        true => format!(", after {} without what allows itself longer", duration(covered)),
        false => String::new(),
    };
    let of_stack = of_stack.map(|(rto, is_met)| format!("RTO {rto:#}: {}{before}; ", said(is_met)));
    let late = prediction.late().len();
    let of_components = (late > 0).then(|| format!("own RTO of {}: MISSED; ", count(late, "component")));
    of_stack.into_iter().chain(of_components).collect()
}

/// Names the waits on the path, each with its cause.
fn waits(forecast: &Forecast, slots: usize) -> String {
    let (queued, launching) = forecast.waits();
    let queued = (queued >= UNNAMED)
        .then(|| format!("of it {} for one of {slots} slots to be free; ", duration(queued)));
    let launching = (launching >= UNNAMED)
        .then(|| format!("of it {} for EC2's launch budget to refill; ", duration(launching)));
    queued.into_iter().chain(launching).collect()
}

/// Describes the predicted failover for programs.
pub(crate) fn line(prediction: &Prediction) -> ForecastLine<'_> {
    let seconds = |rto: jiff::SignedDuration| rto.as_secs();
    let components = prediction.forecast.serves.iter().map(|(address, serves)| {
        let rto = prediction.own.get(address).copied().or(prediction.rto);
        ComponentForecastLine {
            address,
            seconds: serves.as_secs_f64(),
            rto_seconds: rto.map(seconds),
            meets_rto: rto.map(|rto| *serves <= rto.unsigned_abs()),
        }
    });
    let (queued, launching) = prediction.forecast.waits();
    ForecastLine {
        total_seconds: prediction.forecast.total.as_secs_f64(),
        queued_seconds: queued.as_secs_f64(),
        launching_seconds: launching.as_secs_f64(),
        rto_seconds: prediction.rto.map(seconds),
        meets_rto: prediction.meets_rto(),
        basis: BASIS,
        components: components.collect(),
    }
}
