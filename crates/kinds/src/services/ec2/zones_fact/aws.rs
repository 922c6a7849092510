use drstack_core::cloud::CloudError;

use super::ZonesFact;
use crate::aws::{Ask, Target};
use crate::services::ec2::calls::filter;

impl Ask for ZonesFact {
    async fn ask(at: &Target<'_>, _: &str) -> Result<Option<ZonesFact>, CloudError> {
        let ask = at.ec2().describe_availability_zones().filters(filter("zone-type", ["availability-zone"]));
        let answer = ask.filters(filter("state", ["available"])).send().await;
        let answer = answer.map_err(|error| at.failed("ec2:DescribeAvailabilityZones", error))?;
        let zones = answer.availability_zones.unwrap_or_default();
        let mut names: Vec<String> = zones.into_iter().filter_map(|zone| zone.zone_name).collect();
        names.sort();
        Ok(Some(ZonesFact(names)))
    }
}
