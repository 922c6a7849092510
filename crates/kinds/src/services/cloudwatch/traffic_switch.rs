//! The traffic switch kind: a metric of the standby region, 1 once that region serves.
//!
//! Writing it is a data plane call in that region; DNS follows without a call to Route 53.
//!
//! Before the first failover it has no datapoint, which means 0, and the health check of the alarm
//! begins as healthy. A minute counts as 1 once it holds a 1, so a 0 is written only in a minute
//! without a 1.

use std::time::Duration;

use drstack_core::kind::{
    Action, Capabilities, Erased, FieldChange, Kind, Lookup, Operation, Readiness, Role, Statement, Traffic,
    Wait, Witness,
};
use serde::{Deserialize, Serialize};

use crate::services::operation;

/// The desired state of a traffic switch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrafficSwitchSpec {
    /// Name of the alarm that reads it; also its id.
    pub alarm: String,
    /// True if traffic goes to the standby region.
    pub active: bool,
}

/// A traffic switch as CloudWatch reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrafficSwitchLive {
    /// True if the newest datapoint is a 1.
    pub active: bool,
    /// True if the alarm is in the alarm state.
    pub alarm: bool,
}

/// Returns the value of the dimension `traffic`: the alarm's name without the stack.
pub fn dimension<'a>(stack: &str, alarm: &'a str) -> &'a str {
    alarm.strip_prefix(&format!("drstack-{stack}-")).unwrap_or(alarm)
}

/// The traffic switch kind.
pub struct TrafficSwitch;

impl Kind for TrafficSwitch {
    const NAME: &'static str = "traffic-switch";
    const SUMMARY: &'static str = "metric that moves traffic to the standby region; written, never removed";
    const LOOKUP: Lookup = Lookup::Name;
    const ROLE: Role = Role::Setting;
    const WAIT: Wait = Wait {
        // A datapoint is readable within two minutes, and the alarm evaluates once a minute; twice
        // that, and a margin.
        deadline: Duration::from_secs(10 * 60),
        first: Duration::from_secs(1),
        slowest: Duration::from_secs(5),
    };
    const OPERATIONS: &'static [Operation] = &[
        operation("cloudwatch", "DescribeAlarms"),
        operation("cloudwatch", "GetMetricData"),
        operation("cloudwatch", "PutMetricData"),
    ];
    const CAPABILITIES: Capabilities = Capabilities {
        traffic: Some(&Erased::<Self>::NEW),
        witness: Some(&Erased::<Self>::NEW),
        ..Capabilities::NONE
    };
    type Spec = TrafficSwitchSpec;
    type Live = TrafficSwitchLive;

    fn diff(spec: &TrafficSwitchSpec, live: &TrafficSwitchLive) -> Vec<FieldChange> {
        let changes = [
            FieldChange::of("active", &live.active, &spec.active),
            FieldChange::of("alarm", &live.alarm, &spec.active),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &TrafficSwitchSpec, _id: &str) -> TrafficSwitchLive {
        TrafficSwitchLive { active: spec.active, alarm: spec.active }
    }

    fn ready(spec: &TrafficSwitchSpec, live: &TrafficSwitchLive) -> Readiness {
        let state = if spec.active { "in alarm" } else { "out of alarm" };
        match (live.active == spec.active, live.alarm == spec.active) {
            (true, true) => Readiness::Ready,
            (false, _) => Readiness::Waiting("CloudWatch does not show the new datapoint yet".to_owned()),
            (true, false) => Readiness::Waiting(format!("`{}` is not {state} yet", spec.alarm)),
        }
    }

    fn prior(_action: Action) -> Duration {
        // The alarm evaluates once a minute, and the datapoint has to be there by then.
        Duration::from_secs(90)
    }
}

impl Traffic for TrafficSwitch {}

impl Witness for TrafficSwitch {
    fn statement(_id: &str, live: &TrafficSwitchLive) -> Option<Statement> {
        live.active.then_some(Statement::Traffic)
    }
}

#[cfg(feature = "aws")]
mod aws;
