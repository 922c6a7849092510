//! Calls of Route 53 that several kinds share: health checks with tags, zones, and the records of
//! one name.

use std::collections::BTreeMap;

use aws_sdk_route53::types::{
    HealthCheck, HostedZone, ResourceRecord, ResourceRecordSet, RrType, Tag, TagResourceType,
};
use drstack_core::cloud::CloudError;

use crate::aws::once::SingleFlight;
use crate::aws::tags::{STACK, Tags};
use crate::aws::{Target, absent};

/// The tag with zone and name of the records that a check decides on.
pub(crate) const RECORD: &str = "drstack:record";
/// Characters of a creation's token in a reference, which has 64 at most; stack names have 32 at most.
pub(crate) const TOKEN: usize = 12;
/// Error codes of Route 53 for a missing zone.
const NO_ZONE: &[&str] = &["NoSuchHostedZone"];
/// Maximum number of checks in one `ListTagsForResources`, by its API reference.
const TAGGED: usize = 10;
/// Maximum number of listings while other checks are being deleted. A stack has a few checks, all
/// deleted within a second.
const LISTINGS: u32 = 4;
/// Maximum number of zones of one name that are read: more than one public zone is a mistake,
/// private ones may exist beside it.
const ZONES: i32 = 100;

/// A health check with its tags.
#[derive(Clone)]
pub(crate) struct Check {
    pub(crate) check: HealthCheck,
    pub(crate) tags: Tags,
}

/// Returns the prefix of the stack's check references. Stacks whose names begin with this one's
/// share it: [`is_of_stack`].
pub(crate) fn prefix(at: &Target<'_>) -> String {
    format!("drstack-{}-", at.scope.stack)
}

/// True if drstack made the check of this reference for the stack: token, day and number follow its
/// prefix.
fn is_of_stack(prefix: &str, reference: &str) -> bool {
    let parts: Vec<&str> = reference.strip_prefix(prefix).unwrap_or_default().split('-').collect();
    let is_token = |it: &str| it.len() == TOKEN && it.bytes().all(|c| c.is_ascii_hexdigit());
    let is_number = |it: &str| it.parse::<u64>().is_ok();
    matches!(parts[..], [token, day, number] if is_token(token) && is_number(day) && is_number(number))
}

/// Lists the account's checks that drstack made for the stack.
pub(crate) async fn list_checks(at: &Target<'_>) -> Result<Vec<HealthCheck>, CloudError> {
    let prefix = prefix(at);
    let mut found = Vec::new();
    let mut pages = at.route53().list_health_checks().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("route53:ListHealthChecks", error))?;
        found.extend(page.health_checks.into_iter().filter(|it| is_of_stack(&prefix, &it.caller_reference)));
    }
    Ok(found)
}

/// Lists the checks that carry the stack's tag.
pub(crate) async fn owned_checks(at: &Target<'_>) -> Result<Vec<Check>, CloudError> {
    let mut checks = made_checks(at).await?;
    checks.retain(|it| it.tags.get(STACK).is_some_and(|stack| **stack == *at.scope.stack));
    Ok(checks)
}

/// Lists the checks that drstack made for the stack, also those without tags.
pub(crate) async fn made_checks(at: &Target<'_>) -> Result<Vec<Check>, CloudError> {
    at.aws.shared.get::<SingleFlight<Vec<Check>>>().ask(list_tagged(at)).await
}

async fn list_tagged(at: &Target<'_>) -> Result<Vec<Check>, CloudError> {
    for _ in 1..LISTINGS {
        match tagged(at).await {
            // Route 53 returns the tags of all listed checks or none: a check deleted since fails
            // the call, and the next listing is complete.
            Err(CloudError::Conflict { .. }) => {}
            answer => return answer,
        }
    }
    tagged(at).await
}

async fn tagged(at: &Target<'_>) -> Result<Vec<Check>, CloudError> {
    let checks = list_checks(at).await?;
    let mut tags: BTreeMap<String, Tags> = BTreeMap::new();
    for some in checks.chunks(TAGGED) {
        let ids = some.iter().map(|check| check.id.clone()).collect();
        let ask = at.route53().list_tags_for_resources().resource_type(TagResourceType::Healthcheck);
        let answer = ask.set_resource_ids(Some(ids)).send().await;
        let answer = answer.map_err(|error| at.failed("route53:ListTagsForResources", error))?;
        for set in answer.resource_tag_sets {
            let of_one = set.tags.unwrap_or_default().into_iter();
            let of_one = of_one.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())));
            tags.insert(set.resource_id.unwrap_or_default(), of_one.collect());
        }
    }
    let with_tags = checks.into_iter().map(|check| {
        let tags = tags.remove(&check.id).unwrap_or_default();
        Check { check, tags }
    });
    Ok(with_tags.collect())
}

/// Adds these tags to a check and keeps its others.
pub(crate) async fn put_tags(at: &Target<'_>, id: &str, tags: &Tags) -> Result<(), CloudError> {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    let put = at.route53().change_tags_for_resource().resource_type(TagResourceType::Healthcheck);
    let put = put.resource_id(id).set_add_tags(Some(tags.collect())).send().await;
    put.map(drop).map_err(|error| at.failed("route53:ChangeTagsForResource", error))
}

/// Finds ids and names of the public zones with the longest matching suffix of `name`, or of the
/// zone with this id.
pub(crate) async fn zones(at: &Target<'_>, name: &str) -> Result<Vec<(String, String)>, CloudError> {
    if crate::facts::is_zone_id(name) {
        let zone = at.route53().get_hosted_zone().id(name).send().await;
        let zone = absent(at, "route53:GetHostedZone", NO_ZONE, zone)?.and_then(|it| it.hosted_zone);
        return Ok(zone.into_iter().map(|zone| (plain_id(&zone), plain(&zone.name))).collect());
    }
    let name = plain(name);
    let mut rest = name.as_str();
    while rest.contains('.') {
        let ask = at.route53().list_hosted_zones_by_name().dns_name(rest).max_items(ZONES);
        let answer = ask.send().await.map_err(|error| at.failed("route53:ListHostedZonesByName", error))?;
        let is_public = |zone: &HostedZone| zone.config.as_ref().is_none_or(|it| !it.private_zone);
        let named =
            answer.hosted_zones.into_iter().filter(|zone| plain(&zone.name) == rest && is_public(zone));
        let named: Vec<_> = named.map(|zone| (plain_id(&zone), plain(&zone.name))).collect();
        if !named.is_empty() {
            return Ok(named);
        }
        rest = rest.split_once('.').map_or("", |(_, rest)| rest);
    }
    Ok(Vec::new())
}

/// Returns `Z123` of `/hostedzone/Z123`.
fn plain_id(zone: &HostedZone) -> String {
    zone.id.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Normalizes a DNS name: no dot at its end, lower case.
pub(crate) fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Formats type and value of a record for a message.
pub(crate) fn describe(set: &ResourceRecordSet) -> String {
    let values: Vec<&str> = set.resource_records().iter().map(ResourceRecord::value).collect();
    let value = set
        .alias_target()
        .map_or_else(|| values.join(", "), |alias| format!("alias of {}", plain(alias.dns_name())));
    let routed = if set.set_identifier.is_some() { ", one of several" } else { "" };
    format!("{} {value}{routed}", set.r#type.as_str())
}

/// Reads all record sets of one name; none if the zone does not exist.
pub(crate) async fn records(
    at: &Target<'_>,
    zone: &str,
    name: &str,
) -> Result<Option<Vec<ResourceRecordSet>>, CloudError> {
    const OPERATION: &str = "route53:ListResourceRecordSets";
    let mut found = Vec::new();
    let mut from: (String, Option<RrType>, Option<String>) = (name.to_owned(), None, None);
    loop {
        let ask = at.route53().list_resource_record_sets().hosted_zone_id(zone);
        let ask = ask.start_record_name(from.0).set_start_record_type(from.1);
        let answer = ask.set_start_record_identifier(from.2).send().await;
        let Some(answer) = absent(at, OPERATION, NO_ZONE, answer)? else { return Ok(None) };
        found.extend(answer.resource_record_sets.into_iter().filter(|set| plain(&set.name) == name));
        match answer.next_record_name {
            Some(next) if answer.is_truncated && plain(&next) == name => {
                from = (next, answer.next_record_type, answer.next_record_identifier);
            }
            _ => return Ok(Some(found)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_of_stack;

    #[test]
    fn a_reference_is_of_one_stack_only() {
        let prefix = "drstack-fleet-";
        assert!(is_of_stack(prefix, "drstack-fleet-0123456789ab-20787-0"));
        for other in [
            "drstack-fleet-eu-0123456789ab-20787-0",
            "drstack-fleet-0123456789ab-20787",
            "drstack-fleet-by-hand-1",
            "drstack-fleet-0123456789ag-20787-0",
            "0123456789ab-20787-0",
        ] {
            assert!(!is_of_stack(prefix, other), "{other}");
        }
    }
}
