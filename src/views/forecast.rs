//! Predicted times: in a sentence, and for programs.

use std::time::Duration;

use drstack_core::forecast::{BASIS, FailoverForecast, Forecast};
use drstack_core::plan::{Plan, PlanReport};
use jiff::SignedDuration;

use super::{count, duration};
use crate::lines::{ComponentForecastLine, ForecastLine};

/// Waits on the path that are too short to be named: the time of a few calls.
const UNNAMED: Duration = Duration::from_secs(1);

/// Describes how long the plan takes with this number of slots, and what that follows from; `None`
/// for an empty plan. `failover` is the prediction if the plan begins one, and if that is whole: what
/// is blocked serves at no predicted time.
pub(super) fn plan(
    plan: &Plan,
    (forecast, slots): (&Forecast, usize),
    failover: Option<(&FailoverForecast, bool)>,
) -> Option<String> {
    let address = |at: usize| &plan.steps[forecast.path[at].step].address;
    let critical = match forecast.path.len() {
        0 => return None,
        1 => address(0).to_string(),
        2 => format!("{} -> {}", address(0), address(1)),
        length => format!("{} -> ... -> {}", address(0), address(length - 1)),
    };
    let rto = match failover {
        Some((failover, true)) => objective(failover),
        Some((FailoverForecast { rto: Some(rto), .. }, false)) => {
            format!("RTO {rto:#}: not met while something is blocked; ")
        }
        Some((_, false)) | None => String::new(),
    };
    let waits = waits(forecast.waits(), slots);
    Some(format!(
        "Estimated time: {} ({rto}critical path {critical}; {waits}{BASIS}).\n",
        duration(forecast.total)
    ))
}

/// Says when a failover would be that is predicted from a plan: once all of the plan is done.
pub(super) fn when(plan: &Plan, report: &PlanReport) -> &'static str {
    match (plan.is_empty(), report.waiting.is_empty()) {
        (false, _) => "A failover after this apply",
        (true, false) => "A failover once all of this is ready",
        (true, true) => "A failover now",
    }
}

/// Describes how long a failover would take, and `when`.
pub(super) fn failover(forecast: &FailoverForecast, when: &str) -> String {
    if forecast.steps == 0 {
        return format!("{when} would have nothing to do.\n");
    }
    let waits = waits(
        (seconds(forecast.queued), seconds(forecast.launching)),
        drstack_core::engine::execute::PARALLELISM,
    );
    format!(
        "{when} would take about {}, in {} ({}{waits}{BASIS}). `drstack plan STACK --mode active` shows it.\n",
        duration(seconds(forecast.total)),
        count(forecast.steps, "step"),
        objective(forecast)
    )
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Says if the RTOs are met; empty if there are none.
fn objective(forecast: &FailoverForecast) -> String {
    if let Some(rto) = forecast.rto.filter(|_| forecast.leaves_idle) {
        return format!("RTO {rto:#}: not met while a pool wants no instances; ");
    }
    let said = |is_met: bool| if is_met { "met" } else { "MISSED" };
    let before = match forecast.covered < forecast.total {
        true => {
            let covered = duration(seconds(forecast.covered));
            format!(", after {covered} for all that has no longer RTO of its own")
        }
        false => String::new(),
    };
    let of_stack = forecast.rto.zip(forecast.is_in_time);
    let of_stack = of_stack.map(|(rto, is_met)| format!("RTO {rto:#}: {}{before}; ", said(is_met)));
    let late = forecast.late;
    let of_components = (late > 0).then(|| format!("own RTO of {}: MISSED; ", count(late, "component")));
    of_stack.into_iter().chain(of_components).collect()
}

/// Names the waits on the path, each with its cause.
fn waits((queued, launching): (Duration, Duration), slots: usize) -> String {
    let queued = (queued >= UNNAMED)
        .then(|| format!("of it {} for one of {slots} slots to be free; ", duration(queued)));
    let launching = (launching >= UNNAMED)
        .then(|| format!("of it {} for EC2's launch budget to refill; ", duration(launching)));
    queued.into_iter().chain(launching).collect()
}

/// Describes the predicted failover for programs. One that is not whole, since something is blocked,
/// meets no RTO.
pub(super) fn line(forecast: &FailoverForecast, is_whole: bool) -> ForecastLine<'_> {
    let whole = |rto: SignedDuration| rto.as_secs();
    let components = forecast.serves.iter().map(|(address, (serves, rto))| ComponentForecastLine {
        address,
        seconds: *serves,
        rto_seconds: rto.map(whole),
        meets_rto: rto.map(|rto| *serves <= rto.unsigned_abs().as_secs_f64()),
    });
    ForecastLine {
        total_seconds: forecast.total,
        queued_seconds: forecast.queued,
        launching_seconds: forecast.launching,
        rto_seconds: forecast.rto.map(whole),
        meets_rto: forecast.meets_rto.map(|is_met| is_met && is_whole),
        basis: BASIS,
        components: components.collect(),
    }
}
