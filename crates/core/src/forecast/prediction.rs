//! A predicted failover beside the RTOs that it is held against.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{BASIS, Forecast};
use crate::address::ComponentAddress;
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::stack::Stack;

/// Late components that a finding names. The plan's JSON line has all.
const NAMED: usize = 5;

/// A predicted failover, and the RTOs of its stack.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prediction {
    /// The course of the failover.
    pub forecast: Forecast,
    /// RTO of the stack, which judges every component that allows itself no longer one.
    pub rto: Option<SignedDuration>,
    /// RTOs of components that differ from the stack's: each is held against the end of its own
    /// component.
    pub own: BTreeMap<ComponentAddress, SignedDuration>,
    /// True if a pool wants no instances: no RTO is met then.
    pub leaves_idle: bool,
}

/// A component that serves later than its own RTO allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Late<'a> {
    /// The component.
    pub component: &'a ComponentAddress,
    /// When it serves, since the start of the failover.
    pub serves: Duration,
    /// Its RTO.
    pub rto: SignedDuration,
}

impl Prediction {
    /// Holds `forecast` against the RTOs of `stack`.
    pub fn of(forecast: Forecast, stack: &Stack) -> Self {
        let rto = stack.objective.rto;
        let own = stack.components.iter().filter_map(|(address, it)| {
            let own = it.objective.rto.filter(|own| Some(*own) != rto)?;
            Some((address.clone(), own))
        });
        Self { forecast, rto, own: own.collect(), leaves_idle: false }
    }

    /// True if the RTO of the stack judges this component too: it allows itself no longer one.
    fn is_covered(&self, component: &ComponentAddress) -> bool {
        self.own.get(component).is_none_or(|own| self.rto.is_some_and(|rto| *own <= rto))
    }

    /// Returns when all that the RTO of the stack judges serves: the end of the failover, unless a
    /// component allows itself longer.
    pub fn covered(&self) -> Duration {
        let serves = &self.forecast.serves;
        if serves.keys().all(|component| self.is_covered(component)) {
            return self.forecast.total;
        }
        let covered = serves.iter().filter(|(component, _)| self.is_covered(component));
        covered.map(|(_, at)| *at).max().unwrap_or_default()
    }

    /// True if what the RTO of the stack judges serves within it; `None` if the stack has none.
    pub fn is_in_time(&self) -> Option<bool> {
        self.rto.map(|rto| self.covered() <= rto.unsigned_abs())
    }

    /// Returns the components that miss an RTO of their own.
    pub fn late(&self) -> Vec<Late<'_>> {
        let late = |(component, rto): (&'_ ComponentAddress, &SignedDuration)| {
            let (component, serves) = self.forecast.serves.get_key_value(component)?;
            (*serves > rto.unsigned_abs()).then_some(Late { component, serves: *serves, rto: *rto })
        };
        self.own.iter().filter_map(late).collect()
    }

    /// True if the stack and each component meet their RTOs; `None` if there is none.
    pub fn meets_rto(&self) -> Option<bool> {
        let stated = self.rto.is_some() || !self.own.is_empty();
        stated.then(|| self.is_in_time() != Some(false) && self.late().is_empty() && !self.leaves_idle)
    }

    /// Returns the findings: the stack is late, and components are.
    pub fn findings(&self, stack: &Stack) -> Vec<Diagnostic> {
        let of_stack = self.rto.filter(|_| self.is_in_time() == Some(false)).map(|rto| {
            let covered = self.forecast.serves.iter().filter(|(component, _)| self.is_covered(component));
            let last = covered.max_by_key(|(_, at)| **at).map(|(component, _)| component);
            let message = format!(
                "a failover is predicted to take {:#}, and the RTO is {rto:#} ({BASIS})",
                whole(self.covered())
            );
            finding(message, last, "the last to serve", stack)
        });
        let late = self.late();
        let of_components = late.first().map(|first| {
            let mut named: Vec<String> = late.iter().take(NAMED).map(Late::text).collect();
            if late.len() > NAMED {
                named.push(format!("and {} more", late.len() - NAMED));
            }
            let message =
                format!("a failover is predicted to miss RTOs of components: {} ({BASIS})", named.join(", "));
            finding(message, Some(first.component), "its RTO", stack)
        });
        of_stack.into_iter().chain(of_components).collect()
    }
}

/// A predicted failover in numbers, to be shown and stored. Times are in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FailoverForecast {
    /// Number of its steps.
    pub steps: usize,
    /// How long it takes.
    pub total: f64,
    /// How much of that is a wait for a slot.
    pub queued: f64,
    /// How much of that is a wait for launches.
    pub launching: f64,
    /// When all that the RTO of the stack judges serves.
    pub covered: f64,
    /// RTO of the stack.
    pub rto: Option<SignedDuration>,
    /// True if that serves within it; `None` if the stack has none.
    pub is_in_time: Option<bool>,
    /// True if the stack and each component meet their RTOs; `None` if there is none.
    pub meets_rto: Option<bool>,
    /// Number of components that miss an RTO of their own.
    pub late: usize,
    /// True if a pool wants no instances: no RTO is met then.
    #[serde(default)]
    pub leaves_idle: bool,
    /// When each component serves, and its RTO: its own or the stack's.
    pub serves: BTreeMap<ComponentAddress, (f64, Option<SignedDuration>)>,
}

impl FailoverForecast {
    /// Summarizes `prediction`.
    pub fn of(prediction: &Prediction) -> Self {
        let (queued, launching) = prediction.forecast.waits();
        let serves = prediction.forecast.serves.iter().map(|(component, at)| {
            let rto = prediction.own.get(component).copied().or(prediction.rto);
            (component.clone(), (at.as_secs_f64(), rto))
        });
        Self {
            steps: prediction.forecast.steps.len(),
            total: prediction.forecast.total.as_secs_f64(),
            queued: queued.as_secs_f64(),
            launching: launching.as_secs_f64(),
            covered: prediction.covered().as_secs_f64(),
            rto: prediction.rto,
            is_in_time: prediction.is_in_time(),
            meets_rto: prediction.meets_rto(),
            late: prediction.late().len(),
            leaves_idle: prediction.leaves_idle,
            serves: serves.collect(),
        }
    }
}

impl Late<'_> {
    fn text(&self) -> String {
        format!("{} serves after {:#}, RTO {:#}", self.component, whole(self.serves), self.rto)
    }
}

/// Returns the time in whole seconds: a prediction is no better than that.
fn whole(time: Duration) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(time.as_secs_f64().round() as u64).unwrap_or(i64::MAX))
}

fn finding(message: String, at: Option<&ComponentAddress>, text: &str, stack: &Stack) -> Diagnostic {
    let origin = at.and_then(|component| stack.components.get(component)?.origin.first().cloned());
    Diagnostic {
        code: "DR241",
        severity: Severity::Warning,
        message,
        labels: origin.map(|span| Label { span, text: text.to_owned() }).into_iter().collect(),
        help: Some(
            "state a longer `rto`, or have more stand ready: a warmer `posture`, a larger `standby_share`"
                .to_owned(),
        ),
    }
}
