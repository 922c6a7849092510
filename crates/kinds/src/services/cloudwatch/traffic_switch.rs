//! The switch of traffic: a metric of the standby region, 1 once that region serves. Writing it is an act of the data
//! plane there; no call to Route 53 is needed for DNS to follow.
//!
//! Nobody has written it before the first failover: no datapoint means 0, and the health check that watches the alarm
//! begins as healthy. A minute counts as 1 once it holds a 1: a 0 is written only in a minute that does not.

use std::time::Duration;

use drstack_core::kind::{
    Action, Capabilities, Erased, FieldChange, Kind, Lookup, Operation, Readiness, Role, Statement, Traffic,
    Wait, Witness,
};
use serde::{Deserialize, Serialize};

use crate::services::operation;

/// What is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrafficSwitchSpec {
    /// Name of the alarm that reads it, by which it is looked up.
    pub alarm: String,
    /// Traffic goes to the standby region.
    pub active: bool,
}

/// What CloudWatch reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrafficSwitchLive {
    /// The newest datapoint is a 1.
    pub active: bool,
    /// The alarm is in alarm.
    pub alarm: bool,
}

/// The value of the dimension `traffic`: what the alarm's name says beside the stack.
pub fn dimension<'a>(stack: &str, alarm: &'a str) -> &'a str {
    alarm.strip_prefix(&format!("drstack-{stack}-")).unwrap_or(alarm)
}

/// See the module.
pub struct TrafficSwitch;

impl Kind for TrafficSwitch {
    const NAME: &'static str = "traffic-switch";
    const SUMMARY: &'static str = "metric that moves traffic to the standby region; written, never removed";
    const LOOKUP: Lookup = Lookup::Name;
    const ROLE: Role = Role::Setting;
    const WAIT: Wait = Wait {
        // A datapoint is to be read within two minutes, and the alarm looks once a minute; twice that, and some more.
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
        // The alarm looks once a minute, and the datapoint has to be there by then.
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
