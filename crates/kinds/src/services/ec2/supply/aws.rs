//! Asks EC2 what a region has for instances, and Service Quotas what the account may run.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{InstanceLifecycleType, LocationType};
use drstack_core::cloud::CloudError;
use drstack_core::supply::{Ground, Offer, Quota, Supply, Wanted};

use super::class;
use crate::aws::{Target, each_of};
use crate::services::ec2::calls::filter;
use crate::services::servicequotas::value::{QuotaValue, quota};

/// Values in one filter; EC2 takes 200.
const VALUES: usize = 100;

/// Instances that run, by type and by whether they are spot ones.
type Running = BTreeMap<(String, bool), u32>;

/// Answers what the region of `at` has for `wanted`. Reads only.
pub(crate) async fn supply(at: &Target<'_>, wanted: &[Wanted]) -> Supply {
    let types: BTreeSet<String> = wanted.iter().flat_map(|it| it.types.clone()).collect();
    let subnets: BTreeSet<String> = wanted.iter().flat_map(|it| it.subnets.clone()).collect();
    let (zones, grounds, runs) = tokio::join!(zones(at, &types), grounds(at, &subnets), running(at));
    let mut unknown = Vec::new();
    let grounds = told(grounds, "subnets", &mut unknown);
    if let Some(grounds) = &grounds {
        let missing = subnets.iter().filter(|id| !grounds.contains_key(*id));
        unknown.extend(missing.map(|id| untold(&format!("subnet {id}"), "ec2:DescribeSubnets")));
    }
    let runs = told(runs, "running instances, which its quotas count", &mut unknown);
    let codes = codes(wanted, &mut unknown);
    let counted = runs.iter().flat_map(BTreeMap::keys).filter(|(of, is_spot)| {
        let code = code(of, *is_spot);
        code.is_some_and(|code| codes.contains(code))
    });
    let sized: BTreeSet<String> = types.iter().cloned().chain(counted.map(|(of, _)| of.clone())).collect();
    let sizes = told(sizes(at, &sized).await, "sizes of instance types", &mut unknown);
    let quotas = match (&runs, &sizes) {
        (Some(runs), Some(sizes)) => quotas(at, codes, runs, sizes, &mut unknown).await,
        // How much of them is in use is not known, so nor is how much is left.
        _ => BTreeMap::new(),
    };
    let offers = told(zones, "instance types", &mut unknown).zip(sizes).map(|(zones, sizes)| {
        let mut offers = BTreeMap::new();
        for (of, zones) in zones {
            let size = sizes.get(&of).copied();
            if size.is_none() {
                unknown.push(untold(&format!("size of {of}"), "ec2:DescribeInstanceTypes"));
            }
            // Without its size nobody knows what an instance counts.
            let code = |is_spot| size.and(code(&of, is_spot)).map(str::to_owned);
            let (on_demand, spot) = (code(false), code(true));
            offers.insert(of, Offer { zones, size: size.unwrap_or(0), on_demand, spot });
        }
        offers
    });
    Supply { offers, quotas, grounds: grounds.unwrap_or_default(), unknown }
}

/// Returns an answer, or notes that there is none.
fn told<T>(answer: Result<T, CloudError>, what: &str, unknown: &mut Vec<(String, CloudError)>) -> Option<T> {
    answer.map_err(|error| unknown.push((what.to_owned(), error))).ok()
}

/// Returns what to note of something that an answer lacks.
fn untold(what: &str, operation: &str) -> (String, CloudError) {
    let message = "the answer does not name it".to_owned();
    (what.to_owned(), CloudError::Other { operation: operation.to_owned(), message })
}

/// Returns the code of the quota that an instance of this type counts against.
fn code(of: &str, is_spot: bool) -> Option<&'static str> {
    let class = class(of)?;
    if is_spot { class.spot } else { Some(class.on_demand) }
}

/// Returns the codes of the quotas that `wanted` counts against. Notes types that no documented one is for.
fn codes(wanted: &[Wanted], unknown: &mut Vec<(String, CloudError)>) -> BTreeSet<&'static str> {
    let (mut codes, mut without) = (BTreeSet::new(), BTreeSet::new());
    for it in wanted {
        for (is_spot, _) in [(false, it.on_demand), (true, it.spot)].into_iter().filter(|(_, adds)| *adds > 0)
        {
            codes.extend(it.types.iter().filter_map(|of| code(of, is_spot)));
            // What follows the best type is taken for what that one lacks.
            without.extend(it.types.first().filter(|of| code(of, is_spot).is_none()));
        }
    }
    unknown.extend(without.into_iter().map(|of| {
        let message = format!("drstack knows no quota of EC2 that `{of}` counts against");
        let operation = "servicequotas:GetServiceQuota".to_owned();
        (format!("quota for {of}"), CloudError::Other { operation, message })
    }));
    codes
}

/// Returns the zones that offer each of `types`; types that no zone offers are absent.
async fn zones(
    at: &Target<'_>,
    types: &BTreeSet<String>,
) -> Result<BTreeMap<String, BTreeSet<String>>, CloudError> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for some in chunks(types) {
        let ask = at.ec2().describe_instance_type_offerings().location_type(LocationType::AvailabilityZone);
        let mut pages = ask.filters(filter("instance-type", some)).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| at.failed("ec2:DescribeInstanceTypeOfferings", error))?;
            for it in page.instance_type_offerings.unwrap_or_default() {
                let Some((of, zone)) = it.instance_type.zip(it.location) else { continue };
                found.entry(of.as_str().to_owned()).or_default().insert(zone);
            }
        }
    }
    Ok(found)
}

/// Returns the vCPUs of each of `types` that the region offers.
async fn sizes(at: &Target<'_>, types: &BTreeSet<String>) -> Result<BTreeMap<String, u32>, CloudError> {
    let mut found = BTreeMap::new();
    for some in chunks(types) {
        let ask = at.ec2().describe_instance_types().filters(filter("instance-type", some));
        let mut pages = ask.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| at.failed("ec2:DescribeInstanceTypes", error))?;
            for it in page.instance_types.unwrap_or_default() {
                let vcpus = it.v_cpu_info.and_then(|it| it.default_v_cpus);
                let vcpus = vcpus.and_then(|it| u32::try_from(it).ok());
                found.extend(it.instance_type.map(|of| of.as_str().to_owned()).zip(vcpus));
            }
        }
    }
    Ok(found)
}

/// Returns zone and free addresses of each of `subnets` that exists.
async fn grounds(
    at: &Target<'_>,
    subnets: &BTreeSet<String>,
) -> Result<BTreeMap<String, Ground>, CloudError> {
    let mut found = BTreeMap::new();
    for some in chunks(subnets) {
        // An id that does not exist fails the whole request, and matches nothing as a filter.
        let mut pages =
            at.ec2().describe_subnets().filters(filter("subnet-id", some)).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| at.failed("ec2:DescribeSubnets", error))?;
            for it in page.subnets.unwrap_or_default() {
                let free = it.available_ip_address_count.and_then(|it| u32::try_from(it).ok());
                let zone = it.availability_zone.map(|zone| Ground { zone, free });
                found.extend(it.subnet_id.zip(zone));
            }
        }
    }
    Ok(found)
}

/// Counts the instances of the account that run, whoever started them.
async fn running(at: &Target<'_>) -> Result<Running, CloudError> {
    let mut found = Running::new();
    let states = filter("instance-state-name", ["pending", "running"]);
    let mut pages = at.ec2().describe_instances().filters(states).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("ec2:DescribeInstances", error))?;
        let reservations = page.reservations.unwrap_or_default().into_iter();
        for it in reservations.flat_map(|it| it.instances.unwrap_or_default()) {
            let is_spot = it.instance_lifecycle == Some(InstanceLifecycleType::Spot);
            let Some(of) = it.instance_type else { continue };
            *found.entry((of.as_str().to_owned(), is_spot)).or_default() += 1;
        }
    }
    Ok(found)
}

/// Asks for the quotas of these codes, with what of each `runs`.
async fn quotas(
    at: &Target<'_>,
    codes: BTreeSet<&'static str>,
    runs: &Running,
    sizes: &BTreeMap<String, u32>,
    unknown: &mut Vec<(String, CloudError)>,
) -> BTreeMap<String, Quota> {
    let ask = |code: &'static str| async move { (code, quota(at, "ec2", code).await) };
    let answers = each_of(codes.into_iter().collect(), ask).await;
    let mut quotas = BTreeMap::new();
    for (code, answer) in answers {
        let Some(QuotaValue { name, value }) = told(answer, &format!("quota {code}"), unknown) else {
            continue;
        };
        let counts = runs.iter().filter(|((of, is_spot), _)| self::code(of, *is_spot) == Some(code));
        let vcpus = counts.map(|((of, _), count)| sizes.get(of).map(|size| size.saturating_mul(*count)));
        let Some(used) = vcpus.sum::<Option<u32>>() else {
            let what = format!("size of an instance that runs and counts against quota {code}");
            unknown.push(untold(&what, "ec2:DescribeInstanceTypes"));
            continue;
        };
        let raise = format!(
            "aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {code} --desired-value N --region {}",
            at.region
        );
        let (name, unit) = (format!("{name} ({code})"), "vCPUs".to_owned());
        quotas.insert(code.to_owned(), Quota { name, unit, limit: value, used, raise: Some(raise) });
    }
    quotas
}

fn chunks(all: &BTreeSet<String>) -> Vec<Vec<String>> {
    let all: Vec<String> = all.iter().cloned().collect();
    all.chunks(VALUES).map(<[String]>::to_vec).collect()
}
