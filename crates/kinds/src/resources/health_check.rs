//! A Route 53 health check: of an endpoint, of an alarm of the standby region, or of other checks, all of which have to
//! be healthy.
//!
//! One of an alarm reads the alarm's metric; without data it keeps its last status, and a new one is healthy (Route 53
//! API, `HealthCheckConfig`, `InsufficientDataHealthStatus`): silence never moves traffic.

use std::time::Duration;

use drstack_core::kind::{Action, FieldChange, Halfway, Kind, Lookup, Operation, Place};
use drstack_core::link::Link;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{operation, texts};

/// Seconds between two probes of one checker: the standard interval; the fast one of 10 s costs extra.
const INTERVAL: i32 = 30;
/// Probes in a row that have to fail, or to succeed, before a checker changes its mind: Route 53's own default.
const FAILURES: i32 = 3;
/// What a check of an alarm is without data.
const WITHOUT_DATA: &str = "LastKnownStatus";

/// What is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthCheckSpec {
    /// An address that answers over HTTPS.
    Endpoint {
        /// Its DNS name.
        host: String,
        /// Its port.
        port: u16,
        /// Path and query.
        path: String,
    },
    /// An alarm that is not in alarm.
    Alarm {
        /// Its name.
        alarm: Link,
        /// Its region.
        region: String,
    },
    /// Other checks, all of them healthy.
    All {
        /// Their ids.
        checks: Vec<Link>,
        /// Zone and name of the records that are answered by it; a tag says so, for nothing else leads from a stack to its
        /// records.
        record: String,
    },
}

/// What Route 53 reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthCheckLive {
    /// What it looks at.
    pub of: Watched,
    /// Healthy counts as unhealthy.
    pub inverted: bool,
    /// It looks at nothing and counts as healthy.
    pub disabled: bool,
}

/// What a check looks at.
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
        /// Probes in a row.
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
        /// What it is without data.
        without_data: String,
    },
    /// Other checks.
    All {
        /// Their ids, sorted.
        checks: Vec<String>,
        /// How many have to be healthy.
        needed: i32,
        /// Zone and name of the records.
        record: String,
    },
    /// Of another type.
    Other(String),
}

/// See the module.
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

    /// Its tags take a call of their own.
    fn halfway(spec: &HealthCheckSpec, id: &str) -> Vec<Halfway<HealthCheckLive>> {
        vec![Halfway::untagged(Self::expect(spec, id))]
    }

    fn links(live: &HealthCheckLive) -> Vec<String> {
        match &live.of {
            Watched::Alarm { alarm, .. } => vec![alarm.clone()],
            Watched::All { checks, .. } => checks.clone(),
            Watched::Endpoint { .. } | Watched::Other(_) => Vec::new(),
        }
    }

    fn prior(_action: Action) -> Duration {
        // Three calls, of which Route 53 takes five a second of one account.
        Duration::from_secs(3)
    }
}

/// Fields that AWS cannot change in place; the tag that leads to the records has to stay until these are gone.
const FIXED: [&str; 2] = ["interval", "record"];

/// The type of what is watched, and its fields.
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
mod aws {
    use aws_sdk_route53::types::{
        AlarmIdentifier, CloudWatchRegion, HealthCheckConfig, HealthCheckType, InsufficientDataHealthStatus,
    };
    use drstack_core::cloud::{Call, CloudError};
    use drstack_core::kind::FieldChange;

    use super::{FAILURES, HealthCheck, HealthCheckLive, HealthCheckSpec, INTERVAL, Watched};
    use crate::aws::route53::{self, Check, RECORD, list_checks, owned_checks, put_tags};
    use crate::aws::s3::built;
    use crate::aws::tags::{Tags, named, owner};
    use crate::aws::{Driver, Looked, Seen, Target, absent, by_id, has_code};

    const CREATE: &str = "route53:CreateHealthCheck";
    const UPDATE: &str = "route53:UpdateHealthCheck";

    /// How often one check can be made again within a day: Route 53 remembers the references of deleted ones for days.
    const AGAIN: u32 = 16;
    /// Characters of the token in a reference, which has 64 at most; stack names have 32 at most.
    const TOKEN: usize = 12;
    /// Seconds of a day.
    const DAY: i64 = 24 * 3600;

    impl Driver for HealthCheck {
        async fn read(at: &Target<'_>, ids: &[String]) -> Looked<HealthCheckLive> {
            let found = owned_checks(at).await;
            by_id(ids, found.map(|all| all.into_iter().map(|check| seen(at, check)).collect()))
        }

        async fn list_owned(at: &Target<'_>, _: &[String]) -> Result<Vec<Seen<HealthCheckLive>>, CloudError> {
            Ok(owned_checks(at).await?.into_iter().map(|check| seen(at, check)).collect())
        }

        async fn create(
            at: &Target<'_>,
            call: &Call,
            spec: &HealthCheckSpec,
        ) -> Result<Seen<HealthCheckLive>, CloudError> {
            // What a run was cut off while making may be there without tags.
            let start = format!("{}{}", route53::prefix(at), &call.token[..TOKEN]);
            let begun = list_checks(at).await?.into_iter().find(|it| it.caller_reference.starts_with(&start));
            let check = match begun {
                Some(check) => check,
                None => make(at, &start, config(spec)?).await?,
            };
            let tags = tags(call, spec);
            put_tags(at, &check.id, &tags).await?;
            Ok(seen(at, Check { check, tags }))
        }

        async fn update(
            at: &Target<'_>,
            call: &Call,
            id: &str,
            spec: &HealthCheckSpec,
            _: &[FieldChange],
        ) -> Result<(), CloudError> {
            let HealthCheckConfig {
                port,
                resource_path,
                fully_qualified_domain_name,
                failure_threshold,
                inverted,
                disabled,
                health_threshold,
                child_health_checks,
                enable_sni,
                alarm_identifier,
                insufficient_data_health_status,
                ..
            } = config(spec)?;
            let put = at
                .route53()
                .update_health_check()
                .health_check_id(id)
                .set_port(port)
                .set_resource_path(resource_path)
                .set_fully_qualified_domain_name(fully_qualified_domain_name)
                .set_failure_threshold(failure_threshold)
                .set_inverted(inverted)
                .set_disabled(disabled)
                .set_health_threshold(health_threshold)
                .set_child_health_checks(child_health_checks)
                .set_enable_sni(enable_sni)
                .set_alarm_identifier(alarm_identifier)
                .set_insufficient_data_health_status(insufficient_data_health_status);
            put.send().await.map_err(|error| at.failed(UPDATE, error))?;
            put_tags(at, id, &tags(call, spec)).await
        }

        async fn delete(at: &Target<'_>, _: &Call, id: &str) -> Result<(), CloudError> {
            let gone = at.route53().delete_health_check().health_check_id(id).send().await;
            absent(at, "route53:DeleteHealthCheck", &["NoSuchHealthCheck"], gone).map(drop)
        }
    }

    /// One day's reference makes one check, whoever tries again; that of a check that was deleted makes none at all.
    async fn make(
        at: &Target<'_>,
        start: &str,
        config: HealthCheckConfig,
    ) -> Result<aws_sdk_route53::types::HealthCheck, CloudError> {
        let day = jiff::Timestamp::now().as_second() / DAY;
        for again in 0..AGAIN {
            let make = at.route53().create_health_check().caller_reference(format!("{start}-{day}-{again}"));
            match make.health_check_config(config.clone()).send().await {
                Ok(answer) => {
                    let nothing =
                        || CloudError::Other { operation: CREATE.to_owned(), message: "no check".to_owned() };
                    return answer.health_check.ok_or_else(nothing);
                }
                Err(error) if has_code(&error, &["HealthCheckAlreadyExists"]) => {}
                Err(error) => return Err(at.failed(CREATE, error)),
            }
        }
        let message = format!("it was made {AGAIN} times today; Route 53 takes it again tomorrow");
        Err(CloudError::Other { operation: CREATE.to_owned(), message })
    }

    fn config(spec: &HealthCheckSpec) -> Result<HealthCheckConfig, CloudError> {
        let config = HealthCheckConfig::builder().inverted(false).disabled(false);
        let config = match spec {
            HealthCheckSpec::Endpoint { host, port, path } => config
                .r#type(HealthCheckType::Https)
                .fully_qualified_domain_name(host)
                .port(i32::from(*port))
                .resource_path(path)
                .enable_sni(true)
                .failure_threshold(FAILURES)
                .request_interval(INTERVAL),
            HealthCheckSpec::Alarm { alarm, region } => {
                let region = CloudWatchRegion::from(region.as_str());
                let alarm = AlarmIdentifier::builder().name(alarm.text()).region(region).build();
                config
                    .r#type(HealthCheckType::CloudwatchMetric)
                    .alarm_identifier(built(CREATE, alarm)?)
                    .insufficient_data_health_status(InsufficientDataHealthStatus::LastKnownStatus)
            }
            HealthCheckSpec::All { checks, .. } => config
                .r#type(HealthCheckType::Calculated)
                .health_threshold(i32::try_from(checks.len()).unwrap_or(i32::MAX))
                .set_child_health_checks(Some(super::texts(checks))),
        };
        built(CREATE, config.build())
    }

    fn tags(call: &Call, spec: &HealthCheckSpec) -> Tags {
        let mut tags = named(call, spec);
        if let HealthCheckSpec::All { record, .. } = spec {
            tags.insert(RECORD.to_owned(), record.clone());
        }
        tags
    }

    fn seen(at: &Target<'_>, Check { check, tags }: Check) -> Seen<HealthCheckLive> {
        let config = check.health_check_config;
        let config = config.as_ref();
        let text = |it: Option<&str>| it.unwrap_or_default().to_owned();
        let of = match config.map(|it| &it.r#type) {
            Some(HealthCheckType::Https) => Watched::Endpoint {
                host: text(config.and_then(|it| it.fully_qualified_domain_name())),
                port: config.and_then(|it| it.port).and_then(|it| u16::try_from(it).ok()).unwrap_or_default(),
                path: text(config.and_then(|it| it.resource_path())),
                failures: config.and_then(|it| it.failure_threshold).unwrap_or_default(),
                interval: config.and_then(|it| it.request_interval).unwrap_or_default(),
            },
            Some(HealthCheckType::CloudwatchMetric) => {
                let alarm = config.and_then(|it| it.alarm_identifier());
                let without = config.and_then(|it| it.insufficient_data_health_status());
                Watched::Alarm {
                    alarm: text(alarm.map(|it| it.name())),
                    region: text(alarm.map(|it| it.region().as_str())),
                    without_data: text(without.map(InsufficientDataHealthStatus::as_str)),
                }
            }
            Some(HealthCheckType::Calculated) => {
                let mut checks = config.map(|it| it.child_health_checks().to_vec()).unwrap_or_default();
                checks.sort();
                Watched::All {
                    checks,
                    needed: config.and_then(|it| it.health_threshold).unwrap_or_default(),
                    record: tags.get(RECORD).cloned().unwrap_or_default(),
                }
            }
            other => Watched::Other(text(other.map(HealthCheckType::as_str))),
        };
        let is = |flag: Option<bool>| flag.unwrap_or_default();
        let live = HealthCheckLive {
            of,
            inverted: is(config.and_then(|it| it.inverted)),
            disabled: is(config.and_then(|it| it.disabled)),
        };
        Seen { id: check.id, owner: owner(&tags, at.scope), live }
    }
}
