use drstack_core::cloud::CloudError;

use super::{NetworkFact, network_tags};
use crate::aws::tags::Tags;
use crate::aws::{Ask, Target};
use crate::services::ec2::calls::{filter, tag_map};

impl Ask for NetworkFact {
    async fn ask(at: &Target<'_>, name: &str) -> Result<Option<NetworkFact>, CloudError> {
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
        let carries = |tags: &Tags| wanted.iter().all(|(key, value)| tags.get(key) == Some(value));
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
        let groups =
            at.ec2().describe_security_groups().set_filters(Some(filters)).filters(within).send().await;
        let groups = groups.map_err(|error| at.failed("ec2:DescribeSecurityGroups", error))?;
        let groups = groups.security_groups.unwrap_or_default();
        let mut security_groups: Vec<String> =
            groups.into_iter().filter_map(|group| group.group_id).collect();
        security_groups.sort();
        Ok(Some(NetworkFact { vpcs, subnets, security_groups }))
    }
}
