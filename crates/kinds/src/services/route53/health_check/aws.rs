use aws_sdk_route53::types::{
    AlarmIdentifier, CloudWatchRegion, HealthCheckConfig, HealthCheckType, InsufficientDataHealthStatus,
};
use drstack_core::cloud::{Call, CloudError, Owner};
use drstack_core::kind::FieldChange;

use super::{FAILURES, HealthCheck, HealthCheckLive, HealthCheckSpec, INTERVAL, Watched};
use crate::aws::built;
use crate::aws::tags::{Tags, named, owner};
use crate::aws::{Driver, Looked, Seen, Target, absent, by_id, has_code};
use crate::services::route53::calls::{Check, RECORD, TOKEN, list_checks, made_checks, prefix, put_tags};

const CREATE: &str = "route53:CreateHealthCheck";
const UPDATE: &str = "route53:UpdateHealthCheck";

/// Number of times a check can be created again within a day: Route 53 remembers the references of
/// deleted checks for days.
const AGAIN: u32 = 16;
/// Seconds per day.
const DAY: i64 = 24 * 3600;

impl Driver for HealthCheck {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<HealthCheckLive> {
        let found = made_checks(at).await;
        by_id(ids, found.map(|all| all.into_iter().map(|check| seen(at, check)).collect()))
    }

    async fn list_owned(at: &Target<'_>, _: &[String]) -> Result<Vec<Seen<HealthCheckLive>>, CloudError> {
        let mut all: Vec<_> = made_checks(at).await?.into_iter().map(|check| seen(at, check)).collect();
        // Its reference says whose it is, and not what for.
        for begun in all.iter_mut().filter(|it| it.owner == Owner::Foreign) {
            begun.owner = Owner::Unproven(None);
        }
        Ok(all)
    }

    async fn create(
        at: &Target<'_>,
        call: &Call,
        spec: &HealthCheckSpec,
    ) -> Result<Seen<HealthCheckLive>, CloudError> {
        // An interrupted run may have left the check without tags.
        let start = format!("{}{}", prefix(at), &call.token[..TOKEN]);
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

/// Creates a check. A day's reference creates one check for all attempts; the reference of a
/// deleted check creates none.
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
