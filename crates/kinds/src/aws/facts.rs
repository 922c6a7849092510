//! Facts: what the live regions are asked.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::types::{AutoScalingGroup, LaunchTemplateSpecification};
use aws_sdk_dynamodb::types::{
    BillingMode, GlobalSecondaryIndexDescription, KeySchemaElement, ProvisionedThroughputDescription,
    SseType, TableDescription,
};
use aws_sdk_ec2::operation::describe_images::builders::DescribeImagesFluentBuilder;
use aws_sdk_ec2::types::{Image, ResponseLaunchTemplateData};
use drstack_core::cloud::{Captured, CloudError, Owner, Secrets};
use drstack_core::facts::FactQuery;
use drstack_core::kind::Place;
use futures_util::StreamExt;
use serde::Serialize;

use super::{LOOKS, Target, disks};
use crate::facts::{
    AccountFact, BucketFact, DnsFact, GroupFact, ImageFact, KeyPart, NetworkFact, TableFact, TableIndex,
    TableShape, Throughput, ZonesFact, is_zone_id, network_tags,
};
use crate::services::dynamodb::calls as dynamodb;
use crate::services::dynamodb::calls::Tables;
use crate::services::ec2::calls::{filter, tag_map};
use crate::services::ec2::reservations;
use crate::services::ec2::templates;
use crate::services::ec2::user_data;
use crate::services::route53::calls as route53;
use crate::services::route53::dns_record;
use crate::services::s3::bucket::MANAGED;
use crate::services::s3::calls as s3;
use crate::services::s3::calls::{Replication, Versioning};
use crate::services::s3::replication_rule;

/// Names that one question may hold.
const NAMES: usize = 50;

/// The answers to `queries`, in order; `None` when what one is about does not exist. Groups and reservations are asked for in bulk.
pub(super) async fn capture_all(at: &Target<'_>, queries: &[FactQuery]) -> Vec<Answer> {
    let groups: Vec<String> =
        queries.iter().filter(|query| query.kind == "group").map(|query| query.name.clone()).collect();
    let groups = groups_by_name(at, &groups).await;
    let reservations = reservations::all(at, queries).await;
    let asks: Vec<_> = queries.iter().map(|query| one(at, query, &groups, &reservations)).collect();
    futures_util::stream::iter(asks).buffered(LOOKS).collect().await
}

type Answer = Result<Option<Captured>, CloudError>;
/// Groups by name with the images they launch, or why nobody could look.
type Groups = Result<(BTreeMap<String, Group>, BTreeMap<String, ImageFact>), CloudError>;

async fn one(
    at: &Target<'_>,
    query: &FactQuery,
    groups: &Groups,
    reservations: &reservations::Known,
) -> Answer {
    let at = &Target { place: query.place, region: at.scope.region(query.place), ..*at };
    match query.kind.as_str() {
        "account" => plain(Some(AccountFact(at.aws.account.to_string()))),
        "dns" => plain(dns(at, &query.name).await?),
        "bucket" => plain(bucket(at, &query.name).await?),
        "group" => {
            let (groups, images) = groups.as_ref().map_err(Clone::clone)?;
            groups.get(&query.name).map(|group| group_fact(&query.name, group, images)).transpose()
        }
        "image" => plain(image(at, &query.name).await?),
        "network" => plain(network(at, &query.name).await?),
        "reservation" => plain(reservations.as_ref().map_err(Clone::clone)?.get(&query.name)),
        "table" => plain(table(at, &query.name).await?),
        "zones" => plain(Some(zones(at).await?)),
        other => Err(CloudError::Other {
            operation: "capture".to_owned(),
            message: format!("this build cannot ask AWS about `{other}`"),
        }),
    }
}

fn plain<T: Serialize>(fact: Option<T>) -> Result<Option<Captured>, CloudError> {
    fact.map(|fact| with_secrets(fact, Secrets::default())).transpose()
}

fn with_secrets<T: Serialize>(fact: T, secrets: Secrets) -> Result<Captured, CloudError> {
    let value = serde_json::to_value(fact)
        .map_err(|error| CloudError::Other { operation: "capture".to_owned(), message: error.to_string() })?;
    Ok(Captured { value, secrets })
}

async fn bucket(at: &Target<'_>, name: &str) -> Result<Option<BucketFact>, CloudError> {
    let Some(versioning) = s3::versioning(at, name).await? else { return Ok(None) };
    let (encryption, replication) =
        tokio::try_join!(s3::encryption(at, name), replication_rule::config(at, name))?;
    at.aws.told.get::<Versioning>().0.put(name, versioning);
    at.aws.told.get::<Replication>().0.put(name, replication.clone());
    let is_foreign =
        |id: Option<&str>| replication_rule::whose(at.scope, id.unwrap_or_default()) == Owner::Foreign;
    let foreign = replication.filter(|(role, rules)| {
        !replication_rule::is_own_role(at, role) && rules.iter().any(|rule| is_foreign(rule.id.as_deref()))
    });
    let kms_key = Some(encryption).filter(|it| !it.is_empty() && it != MANAGED);
    Ok(Some(BucketFact { versioning, foreign_role: foreign.map(|(role, _)| role), kms_key }))
}

async fn dns(at: &Target<'_>, name: &str) -> Result<Option<DnsFact>, CloudError> {
    let (zone, record) = name.split_once('/').unwrap_or((name, ""));
    let zones = route53::zones(at, zone).await?;
    let Some((id, zone_name)) = zones.first() else { return Ok(None) };
    let zone = if is_zone_id(zone) { zone_name } else { zone };
    // Nothing below a zone is the zone's own name.
    let record =
        if record.is_empty() { route53::plain(zone) } else { route53::plain(&format!("{record}.{zone}")) };
    let mut fact = DnsFact { record, ..DnsFact::default() };
    for set in route53::records(at, id, &fact.record).await?.unwrap_or_default() {
        if dns_record::side_of(at.scope, &set).is_some() {
            continue;
        }
        match dns_record::simple(&set) {
            Some(simple) => fact.simple = Some(simple),
            None => fact.others.push(route53::describe(&set)),
        }
    }
    fact.zones = zones.into_iter().map(|(id, _)| id).collect();
    Ok(Some(fact))
}

/// The version of global tables that has replicas as they are today.
const TODAYS: &str = "2019.11.21";

async fn table(at: &Target<'_>, name: &str) -> Result<Option<TableFact>, CloudError> {
    let Some(found) = dynamodb::table(at, name).await? else { return Ok(None) };
    at.aws.told.get::<Tables>().0.put(name, found.clone());
    let on_demand = found
        .billing_mode_summary
        .as_ref()
        .is_some_and(|it| it.billing_mode == Some(BillingMode::PayPerRequest));
    let autoscaled = !on_demand && autoscaled(at, name).await?;
    Ok(Some(TableFact {
        on_demand,
        autoscaled,
        kms_key: customer_key(&found),
        shape: Some(shape(&found, on_demand || autoscaled)),
        stream: found
            .stream_specification
            .filter(|it| it.stream_enabled)
            .and_then(|it| it.stream_view_type)
            .map(|it| it.as_str().to_owned()),
        legacy: found.global_table_version.is_some_and(|it| it != TODAYS),
    }))
}

fn shape(table: &TableDescription, scales: bool) -> TableShape {
    let key = |parts: &[KeySchemaElement]| -> Vec<KeyPart> {
        let part = |it: &KeySchemaElement| KeyPart {
            attribute: it.attribute_name().to_owned(),
            role: it.key_type().as_str().to_owned(),
        };
        parts.iter().map(part).collect()
    };
    let capacity = |it: Option<&ProvisionedThroughputDescription>| {
        let it = it.filter(|_| !scales)?;
        Some(Throughput { read: it.read_capacity_units?, write: it.write_capacity_units? })
    };
    let index = |it: &GlobalSecondaryIndexDescription| {
        let projection = it.projection();
        TableIndex {
            name: it.index_name().unwrap_or_default().to_owned(),
            key: key(it.key_schema()),
            projection: projection
                .and_then(|it| it.projection_type())
                .map_or("ALL", |it| it.as_str())
                .to_owned(),
            attributes: projection.map(|it| it.non_key_attributes().to_vec()).unwrap_or_default(),
            capacity: capacity(it.provisioned_throughput()),
        }
    };
    let mut indexes: Vec<TableIndex> = table.global_secondary_indexes().iter().map(index).collect();
    indexes.sort_by(|a, b| a.name.cmp(&b.name));
    let local = table.local_secondary_indexes().iter().filter_map(|it| it.index_name().map(str::to_owned));
    let mut local_indexes: Vec<String> = local.collect();
    local_indexes.sort();
    let types = table.attribute_definitions().iter();
    TableShape {
        attributes: types
            .map(|it| (it.attribute_name().to_owned(), it.attribute_type().as_str().to_owned()))
            .collect(),
        key: key(table.key_schema()),
        indexes,
        local_indexes,
        capacity: capacity(table.provisioned_throughput()),
    }
}

fn customer_key(table: &TableDescription) -> Option<String> {
    let sse = table.sse_description.as_ref()?;
    (sse.sse_type == Some(SseType::Kms)).then(|| sse.kms_master_key_arn.clone()).flatten()
}

async fn autoscaled(at: &Target<'_>, name: &str) -> Result<bool, CloudError> {
    use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};
    let ask = at
        .scaling()
        .describe_scalable_targets()
        .service_namespace(ServiceNamespace::Dynamodb)
        .resource_ids(format!("table/{name}"))
        .scalable_dimension(ScalableDimension::DynamoDbTableWriteCapacityUnits);
    let answer = ask.send().await;
    let answer =
        answer.map_err(|error| at.failed("application-autoscaling:DescribeScalableTargets", error))?;
    Ok(!answer.scalable_targets.unwrap_or_default().is_empty())
}

async fn zones(at: &Target<'_>) -> Result<ZonesFact, CloudError> {
    let ask = at.ec2().describe_availability_zones().filters(filter("zone-type", ["availability-zone"]));
    let answer = ask.filters(filter("state", ["available"])).send().await;
    let answer = answer.map_err(|error| at.failed("ec2:DescribeAvailabilityZones", error))?;
    let zones = answer.availability_zones.unwrap_or_default();
    let mut names: Vec<String> = zones.into_iter().filter_map(|zone| zone.zone_name).collect();
    names.sort();
    Ok(ZonesFact(names))
}

async fn network(at: &Target<'_>, name: &str) -> Result<Option<NetworkFact>, CloudError> {
    let wanted = network_tags(name);
    let filters: Vec<_> =
        wanted.iter().map(|(key, value)| filter(&format!("tag:{key}"), [value.as_str()])).collect();
    let vpcs = at.ec2().describe_vpcs().set_filters(Some(filters.clone())).send().await;
    let vpcs = vpcs.map_err(|error| at.failed("ec2:DescribeVpcs", error))?.vpcs.unwrap_or_default();
    let mut vpcs: Vec<String> = vpcs.into_iter().filter_map(|vpc| vpc.vpc_id).collect();
    if vpcs.is_empty() {
        return Ok(None);
    }
    vpcs.sort();
    let within = filter("vpc-id", &vpcs);
    let subnets = at.ec2().describe_subnets().filters(within.clone()).send().await;
    let subnets =
        subnets.map_err(|error| at.failed("ec2:DescribeSubnets", error))?.subnets.unwrap_or_default();
    let carries = |tags: &super::tags::Tags| wanted.iter().all(|(key, value)| tags.get(key) == Some(value));
    let (mut tagged, mut every) = (Vec::new(), Vec::new());
    for subnet in subnets {
        let Some(id) = subnet.subnet_id else { continue };
        if carries(&tag_map(subnet.tags)) {
            tagged.push(id.clone());
        }
        every.push(id);
    }
    let mut subnets = if tagged.is_empty() { every } else { tagged };
    subnets.sort();
    let groups = at.ec2().describe_security_groups().set_filters(Some(filters)).filters(within).send().await;
    let groups = groups.map_err(|error| at.failed("ec2:DescribeSecurityGroups", error))?;
    let groups = groups.security_groups.unwrap_or_default();
    let mut security_groups: Vec<String> = groups.into_iter().filter_map(|group| group.group_id).collect();
    security_groups.sort();
    Ok(Some(NetworkFact { vpcs, subnets, security_groups }))
}

/// By id, or by name among the account's own: the newest of that name.
async fn image(at: &Target<'_>, wanted: &str) -> Result<Option<ImageFact>, CloudError> {
    if wanted.starts_with("ami-") {
        return Ok(images(at, &[wanted.to_owned()]).await?.remove(wanted));
    }
    let ask = at.ec2().describe_images().owners("self").filters(filter("name", [wanted]));
    let answer = ask.send().await.map_err(|error| at.failed("ec2:DescribeImages", error))?;
    let newest = answer
        .images
        .unwrap_or_default()
        .into_iter()
        .max_by(|a, b| (&a.creation_date, &a.image_id).cmp(&(&b.creation_date, &b.image_id)));
    Ok(newest.map(|image| ImageFact {
        id: image.image_id.unwrap_or_default(),
        name: image.name.unwrap_or_default(),
        owned: true,
        standby: None,
    }))
}

/// Images by id.
async fn images(at: &Target<'_>, ids: &[String]) -> Result<BTreeMap<String, ImageFact>, CloudError> {
    let mut facts = BTreeMap::new();
    for ids in ids.chunks(NAMES) {
        let ask = |ask: DescribeImagesFluentBuilder| async move {
            let answer = ask.filters(filter("image-id", ids)).send().await;
            let answer = answer.map_err(|error| at.failed("ec2:DescribeImages", error))?;
            Ok::<_, CloudError>(answer.images.unwrap_or_default())
        };
        let ec2 = at.ec2();
        let (all, own) =
            tokio::try_join!(ask(ec2.describe_images()), ask(ec2.describe_images().owners("self")))?;
        let own: BTreeSet<String> = own.into_iter().filter_map(|image| image.image_id).collect();
        for image in all {
            let Some(id) = image.image_id.clone() else { continue };
            let owned = own.contains(&id);
            let standby = if owned { None } else { public_image(at, &image).await? };
            let name = image.name.unwrap_or_default();
            facts.insert(id.clone(), ImageFact { id, name, owned, standby });
        }
    }
    Ok(facts)
}

/// The image of the same name and owner in the standby region.
async fn public_image(at: &Target<'_>, image: &Image) -> Result<Option<String>, CloudError> {
    let (Some(name), Some(owner)) = (&image.name, &image.owner_id) else { return Ok(None) };
    let standby = Target { place: Place::Standby, region: &at.scope.standby, ..*at };
    let ask = standby.ec2().describe_images().owners(owner).filters(filter("name", [name.as_str()]));
    let answer = ask.send().await.map_err(|error| standby.failed("ec2:DescribeImages", error))?;
    Ok(answer.images.unwrap_or_default().into_iter().next().and_then(|it| it.image_id))
}

/// A group with its template's data, where it has a template.
struct Group {
    group: AutoScalingGroup,
    data: Option<ResponseLaunchTemplateData>,
    /// The highest capacity that its scheduled actions set.
    scheduled: Option<u32>,
}

impl Group {
    fn template(group: &AutoScalingGroup) -> Option<LaunchTemplateSpecification> {
        let mixed = group.mixed_instances_policy.as_ref().and_then(|it| it.launch_template.as_ref());
        let mixed = mixed.and_then(|it| it.launch_template_specification.clone());
        mixed.or_else(|| group.launch_template.clone())
    }
}

async fn groups_by_name(at: &Target<'_>, names: &[String]) -> Groups {
    let at = &Target { place: Place::Primary, region: &at.scope.primary, ..*at };
    let mut found = Vec::new();
    for names in names.chunks(NAMES) {
        let ask = at.autoscaling().describe_auto_scaling_groups();
        let answer = ask.set_auto_scaling_group_names(Some(names.to_vec())).send().await;
        let answer = answer.map_err(|error| at.failed("autoscaling:DescribeAutoScalingGroups", error))?;
        found.extend(answer.auto_scaling_groups.unwrap_or_default());
    }
    let scheduled = scheduled(at, &found).await?;
    let wanted: Vec<_> = found.iter().filter_map(Group::template).collect();
    let mut answers = templates::data(at, wanted).await.into_iter();
    let mut groups = BTreeMap::new();
    for group in found {
        let data = match Group::template(&group) {
            Some(_) => answers.next().transpose()?.flatten(),
            None => None,
        };
        let name = group.auto_scaling_group_name.clone().unwrap_or_default();
        let scheduled = scheduled.get(&name).copied();
        groups.insert(name, Group { group, data, scheduled });
    }
    let ids: BTreeSet<String> =
        groups.values().filter_map(|it: &Group| it.data.as_ref()?.image_id.clone()).collect();
    let images = images(at, &ids.into_iter().collect::<Vec<_>>()).await?;
    Ok((groups, images))
}

/// The highest capacity that scheduled actions set, by group: one question for the only group, else one for all of the region.
async fn scheduled(
    at: &Target<'_>,
    groups: &[AutoScalingGroup],
) -> Result<BTreeMap<String, u32>, CloudError> {
    let mut highest = BTreeMap::new();
    let only = match groups {
        [] => return Ok(highest),
        [group] => group.auto_scaling_group_name.clone(),
        _ => None,
    };
    let ask = at.autoscaling().describe_scheduled_actions();
    let mut pages = ask.set_auto_scaling_group_name(only).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("autoscaling:DescribeScheduledActions", error))?;
        for action in page.scheduled_update_group_actions.unwrap_or_default() {
            let sizes = [action.desired_capacity, action.min_size].into_iter().flatten();
            let most = sizes.filter_map(|it| u32::try_from(it).ok()).max();
            let (Some(group), Some(most)) = (action.auto_scaling_group_name, most) else { continue };
            let known = highest.entry(group).or_insert(most);
            *known = most.max(*known);
        }
    }
    Ok(highest)
}

fn group_fact(
    name: &str,
    Group { group, data, scheduled }: &Group,
    images: &BTreeMap<String, ImageFact>,
) -> Result<Captured, CloudError> {
    // AWS has answered: asking again does not help, and what was answered before does not hold any more.
    let unusable = |message: String| CloudError::Invalid {
        operation: "follows".to_owned(),
        code: "CannotFollow".to_owned(),
        message,
    };
    if Group::template(group).is_none() {
        let why = format!("group `{name}` has no launch template: launch configurations cannot be followed");
        return Err(unusable(why));
    }
    let Some(data) = data else {
        return Err(unusable(format!("the launch template of group `{name}` does not exist")));
    };
    let id = data.image_id.clone().unwrap_or_default();
    let Some(image) = images.get(&id).cloned() else {
        return Err(unusable(format!("image `{id}` of group `{name}` does not exist")));
    };
    let overrides = group.mixed_instances_policy.as_ref().and_then(|it| it.launch_template.as_ref());
    let overrides = overrides.and_then(|it| it.overrides.as_deref()).unwrap_or_default();
    let mut types: Vec<String> = overrides.iter().filter_map(|it| it.instance_type.clone()).collect();
    if types.is_empty() {
        types.extend(data.instance_type.as_ref().map(|it| it.as_str().to_owned()));
    }
    let mut secrets = Secrets::default();
    let text = data.user_data.as_deref().and_then(user_data::decode);
    let count = |number: Option<i32>| number.and_then(|it| u32::try_from(it).ok());
    let sizes = count(group.desired_capacity).zip(count(group.max_size));
    let Some((capacity, max)) = sizes else {
        return Err(unusable(format!("the sizes of group `{name}` were not answered")));
    };
    let profile = data.iam_instance_profile.as_ref().and_then(|it| {
        let of_arn = || it.arn.as_deref().and_then(|arn| arn.rsplit('/').next()).map(str::to_owned);
        it.name.clone().or_else(of_arn)
    });
    let fact = GroupFact {
        image,
        types,
        capacity,
        lower: None,
        scheduled: *scheduled,
        max,
        user_data_sha256: text.map(|text| secrets.keep(text)),
        profile,
        disks: disks(data.block_device_mappings.as_deref().unwrap_or_default()),
    };
    with_secrets(fact, secrets)
}
