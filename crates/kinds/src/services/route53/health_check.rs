//! The Route 53 health check kind: of an endpoint, of a standby alarm, or of other checks that all
//! have to be healthy.
//!
//! A check of an alarm reads the alarm's metric. Without data it keeps its last status, and a new
//! one is healthy (Route 53 API, `HealthCheckConfig`, `InsufficientDataHealthStatus`): missing data
//! never moves traffic.

use std::time::Duration;

use drstack_core::kind::{
    Action, Capabilities, Erased, FieldChange, Halfway, Kind, Lookup, Operation, Place, Staged,
};
use drstack_core::link::Link;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::services::{operation, texts};

/// Seconds between two probes of one checker: the standard interval; the fast one of 10 s costs
/// extra.
const INTERVAL: i32 = 30;
/// Consecutive probes that have to fail, or to succeed, before a checker changes its status: Route
/// 53's own default.
const FAILURES: i32 = 3;
/// Status of an alarm check without data.
const WITHOUT_DATA: &str = "LastKnownStatus";

/// The desired state of a health check.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthCheckSpec {
    /// An address that has to answer over HTTPS.
    Endpoint {
        /// Its DNS name.
        host: String,
        /// Its port.
        port: u16,
        /// Path and query.
        path: String,
    },
    /// An alarm that must not be in the alarm state.
    Alarm {
        /// Its name.
        alarm: Link,
        /// Its region.
        region: String,
    },
    /// Other checks, all of which have to be healthy.
    All {
        /// Their ids.
        checks: Vec<Link>,
        /// Zone and name of the records that use the check. A tag holds it, because nothing else
        /// leads from a stack to its records.
        record: String,
    },
}

/// A health check as Route 53 reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthCheckLive {
    /// The object that it checks.
    pub of: Watched,
    /// True if its status is inverted.
    pub inverted: bool,
    /// True if it checks nothing and counts as healthy.
    pub disabled: bool,
}

/// The object of a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watched {
    /// An address.
    Endpoint {
        /// Its DNS name.
        host: String,
        /// Its port.
        port: u16,
        /// Path and query.
        path: String,
        /// Consecutive probes that change the status.
        failures: i32,
        /// Seconds between two probes.
        interval: i32,
    },
    /// An alarm.
    Alarm {
        /// Its name.
        alarm: String,
        /// Its region.
        region: String,
        /// Status without data.
        without_data: String,
    },
    /// Other checks.
    All {
        /// Their ids, sorted.
        checks: Vec<String>,
        /// Number of checks that have to be healthy.
        needed: i32,
        /// Zone and name of the records.
        record: String,
    },
    /// A check of another type.
    Other(String),
}

/// The health check kind.
pub struct HealthCheck;

impl Kind for HealthCheck {
    const NAME: &'static str = "health-check";
    const SUMMARY: &'static str = "Route 53 health check of an endpoint, of an alarm, or of both";
    const LOOKUP: Lookup = Lookup::Tag;
    const PLACES: &'static [Place] = &[Place::Global];
    const OPERATIONS: &'static [Operation] = &[
        operation("route53", "ChangeTagsForResource"),
        operation("route53", "CreateHealthCheck"),
        operation("route53", "DeleteHealthCheck"),
        operation("route53", "ListHealthChecks"),
        operation("route53", "ListTagsForResources"),
        operation("route53", "UpdateHealthCheck"),
    ];
    const CAPABILITIES: Capabilities =
        Capabilities { staged: Some(&Erased::<Self>::NEW), ..Capabilities::NONE };
    type Spec = HealthCheckSpec;
    type Live = HealthCheckLive;

    fn diff(spec: &HealthCheckSpec, live: &HealthCheckLive) -> Vec<FieldChange> {
        let wanted = Self::expect(spec, "");
        let mut changes: Vec<FieldChange> = [
            FieldChange::of("inverted", &live.inverted, &wanted.inverted),
            FieldChange::of("disabled", &live.disabled, &wanted.disabled),
        ]
        .into_iter()
        .flatten()
        .collect();
        match (fields(&live.of), fields(&wanted.of)) {
            ((before, live), (kind, wanted)) if before == kind => {
                let changed = wanted.iter().filter_map(|(name, to)| {
                    let from = live.get(name).unwrap_or(&Value::Null);
                    let replace = FIXED.contains(&name.as_str());
                    FieldChange::of(name, from, to).map(|change| FieldChange { replace, ..change })
                });
                changes.extend(changed);
            }
            ((before, _), (kind, _)) => changes.extend(FieldChange::replacing("of", &before, &kind)),
        }
        changes
    }

    fn expect(spec: &HealthCheckSpec, _id: &str) -> HealthCheckLive {
        let of = match spec {
            HealthCheckSpec::Endpoint { host, port, path } => Watched::Endpoint {
                host: host.clone(),
                port: *port,
                path: path.clone(),
                failures: FAILURES,
                interval: INTERVAL,
            },
            HealthCheckSpec::Alarm { alarm, region } => Watched::Alarm {
                alarm: alarm.text().to_owned(),
                region: region.clone(),
                without_data: WITHOUT_DATA.to_owned(),
            },
            HealthCheckSpec::All { checks, record } => Watched::All {
                checks: texts(checks),
                needed: i32::try_from(checks.len()).unwrap_or(i32::MAX),
                record: record.clone(),
            },
        };
        HealthCheckLive { of, inverted: false, disabled: false }
    }

    fn links(live: &HealthCheckLive) -> Vec<String> {
        match &live.of {
            Watched::Alarm { alarm, .. } => vec![alarm.clone()],
            Watched::All { checks, .. } => checks.clone(),
            Watched::Endpoint { .. } | Watched::Other(_) => Vec::new(),
        }
    }

    fn prior(_action: Action) -> Duration {
        // Three calls; Route 53 accepts five per second per account.
        Duration::from_secs(3)
    }
}

impl Staged for HealthCheck {
    const KEEPS_REFERENCE: bool = true;

    /// Its tags take one more call.
    fn halfway(spec: &HealthCheckSpec, id: &str) -> Vec<Halfway<HealthCheckLive>> {
        vec![Halfway::untagged(Self::expect(spec, id))]
    }
}

/// Fields that AWS cannot change in place. The tag that leads to the records has to stay until they
/// are deleted.
const FIXED: [&str; 2] = ["interval", "record"];

/// Returns the type of the checked object, and its fields.
fn fields(of: &Watched) -> (String, serde_json::Map<String, Value>) {
    match serde_json::to_value(of) {
        Ok(Value::Object(variant)) => match variant.into_iter().next() {
            Some((name, Value::Object(fields))) => (name, fields),
            Some((_, other)) => (other.as_str().unwrap_or_default().to_owned(), serde_json::Map::new()),
            None => Default::default(),
        },
        _ => Default::default(),
    }
}

#[cfg(feature = "aws")]
mod aws;
