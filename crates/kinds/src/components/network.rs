//! `[network.NAME]`: where the standby region's instances run: a new private network, or one that exists.

use std::collections::BTreeMap;

use drstack_core::address::ComponentAddress;
use drstack_core::component::{CompileCx, Component, ResourceSet, Seed, StackFacts};
use drstack_core::facts::{FactQuery, Known};
use drstack_core::graph::{Resource, ids};
use drstack_core::kind::Place;
use drstack_core::link::Link;
use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::facts::{NetworkFact, ZonesFact, network};
use crate::names;
use crate::resources::gateway_endpoint::GatewayEndpointSpec;
use crate::resources::route_table::RouteTableSpec;
use crate::resources::security_group::{Ingress, SecurityGroupSpec};
use crate::resources::subnet::SubnetSpec;
use crate::resources::vpc::VpcSpec;
use crate::resources::{GatewayEndpoint, RouteTable, SecurityGroup, Subnet, Vpc};

/// `[network.NAME]`: either `cidr`, or `vpc` with its ids, or `tags`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkTable {
    /// Address range of a new network, /16 to /25: `10.64.0.0/16`.
    pub cidr: Option<String>,
    /// Zones of a new network, two at least; the region's first three where not said.
    #[serde(default)]
    pub zones: Vec<String>,
    /// What may come in from elsewhere to instances of a new network.
    #[serde(default)]
    pub ingress: Vec<Ingress>,
    /// A network that exists, by id.
    pub vpc: Option<String>,
    /// Its subnets.
    #[serde(default)]
    pub subnets: Vec<String>,
    /// Its security groups, for the instances.
    #[serde(default)]
    pub security_groups: Vec<String>,
    /// A network that exists, by tags that its VPC carries.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// Zones used where the stack names none: more zones, more places to find capacity.
const ZONES: usize = 3;
/// A new network is divided into eight equal parts, one for each zone letter, so that a zone keeps its part.
const PARTS: u8 = 3;
/// Smallest and largest networks that EC2 takes are /28 subnets and /16 VPCs.
const SMALLEST: u8 = 28 - PARTS;
const LARGEST: u8 = 16;
/// Longest name of a security group.
const GROUP_LIMIT: usize = 255;

/// See the module.
pub struct Network;

impl Component for Network {
    const NAME: &'static str = "network";
    const SUMMARY: &'static str = "the standby region's network: new and private, or one that exists";
    type Spec = NetworkTable;

    fn facts(spec: &NetworkTable, _stack: &StackFacts) -> Vec<FactQuery> {
        let mut queries = Vec::new();
        if spec.cidr.is_some() && spec.zones.is_empty() {
            queries.push(FactQuery::standby("zones", ""));
        }
        if !spec.tags.is_empty() {
            queries.push(network(&spec.tags));
        }
        queries
    }

    fn compile(spec: &NetworkTable, cx: &CompileCx<'_>, out: &mut ResourceSet) {
        match (&spec.cidr, &spec.vpc, spec.tags.is_empty()) {
            (Some(cidr), None, true) => new(spec, cidr, cx, out),
            (None, Some(vpc), true) => existing(spec, vpc, out),
            (None, None, false) => looked_up(spec, cx, out),
            _ => {
                let help = "say `cidr` for a new one, or `vpc` and `subnets`, or `tags` of one that exists";
                out.error("DR220", "", "a network is new, or one that exists: say which", help);
            }
        }
    }

    fn seeds(spec: &NetworkTable, stack: &StackFacts, _address: &ComponentAddress) -> Vec<Seed> {
        let zones: Vec<String> = ["a", "b", "c"].map(|letter| format!("{}{letter}", stack.standby)).into();
        let mut seeds = vec![Seed::Fact { query: FactQuery::standby("zones", ""), value: json!(zones) }];
        if !spec.tags.is_empty() {
            let value = json!({"vpcs": ["vpc-sim"], "subnets": ["subnet-sim-a", "subnet-sim-b"], "security_groups": ["sg-sim"]});
            seeds.push(Seed::Fact { query: network(&spec.tags), value });
        }
        seeds
    }
}

fn existing(spec: &NetworkTable, vpc: &str, out: &mut ResourceSet) {
    if spec.subnets.is_empty() {
        out.error(
            "DR220",
            "vpc",
            "a network that exists needs its subnets",
            "name them: `subnets = [\"subnet-...\"]`",
        );
    }
    let known = |ids: &[String]| ids.iter().cloned().map(Link::Known).collect();
    out.export("vpc", vec![Link::Known(vpc.to_owned())]);
    out.export("subnets", known(&spec.subnets));
    out.export("security_groups", known(&spec.security_groups));
}

fn looked_up(spec: &NetworkTable, cx: &CompileCx<'_>, out: &mut ResourceSet) {
    let found = match cx.facts.get::<NetworkFact>(&network(&spec.tags)) {
        Known::Yes(found) => found,
        Known::Absent => NetworkFact::default(),
        Known::Unknown => {
            let message = format!("{} was never asked for a network with these tags", cx.stack.standby);
            out.error(
                "DR220",
                "tags",
                message,
                "plan once while the standby region answers, or name the ids",
            );
            return;
        }
    };
    let [vpc] = found.vpcs.as_slice() else {
        let count = found.vpcs.len();
        let message = format!("{count} VPCs of {} carry these tags, one has to", cx.stack.standby);
        out.error(
            "DR220",
            "tags",
            message,
            "choose tags that one VPC carries, or name it: `vpc = \"vpc-...\"`",
        );
        return;
    };
    let known = |ids: &[String]| ids.iter().cloned().map(Link::Known).collect();
    out.export("vpc", vec![Link::Known(vpc.clone())]);
    out.export("subnets", known(&found.subnets));
    let groups = if spec.security_groups.is_empty() { &found.security_groups } else { &spec.security_groups };
    out.export("security_groups", known(groups));
}

fn new(spec: &NetworkTable, cidr: &str, cx: &CompileCx<'_>, out: &mut ResourceSet) {
    let help = "write it as `10.64.0.0/16`, /16 to /25: each zone gets an eighth of it";
    let range = match cidr.parse::<Ipv4Net>() {
        Ok(range) if range.trunc() == range && (LARGEST..=SMALLEST).contains(&range.prefix_len()) => range,
        Ok(_) => return out.error("DR222", "cidr", format!("`{cidr}` does not make a network"), help),
        Err(error) => return out.error("DR222", "cidr", format!("`{cidr}`: {error}"), help),
    };
    for door in &spec.ingress {
        if door.from.parse::<Ipv4Net>().is_err() {
            let message = format!("`{}` is not an address range", door.from);
            out.error("DR222", "ingress", message, "write it as `10.0.0.0/8`");
        }
    }
    let Some(zones) = zones(spec, cx, out) else { return };
    let vpc = out.add(Resource::tagged::<Vpc>(
        cx.resource("vpc"),
        Place::Standby,
        &VpcSpec { cidr: range.to_string() },
    ));
    let subnets: Vec<_> = zones
        .iter()
        .zip(parts(&zones, range))
        .map(|(zone, part)| {
            let subnet = SubnetSpec { vpc: Link::id(&vpc), cidr: part.to_string(), zone: zone.clone() };
            let address = cx.resource(&format!("subnet-{zone}"));
            out.add(Resource::tagged::<Subnet>(address, Place::Standby, &subnet))
        })
        .collect();
    let routes = RouteTableSpec { vpc: Link::id(&vpc), subnets: ids(&subnets) };
    let routes = out.add(Resource::tagged::<RouteTable>(cx.resource("route-table"), Place::Standby, &routes));
    for service in ["s3", "dynamodb"] {
        let endpoint = GatewayEndpointSpec {
            vpc: Link::id(&vpc),
            service: format!("com.amazonaws.{}.{service}", cx.stack.standby),
            route_tables: vec![Link::id(&routes)],
        };
        let address = cx.resource(&format!("endpoint-{service}"));
        out.add(Resource::tagged::<GatewayEndpoint>(address, Place::Standby, &endpoint));
    }
    let mut ingress = spec.ingress.clone();
    ingress.sort();
    ingress.dedup();
    let name = names::owned(&cx.stack.name, cx.address, "", GROUP_LIMIT);
    let group = SecurityGroupSpec { name, vpc: Link::id(&vpc), ingress };
    let group =
        out.add(Resource::tagged::<SecurityGroup>(cx.resource("security-group"), Place::Standby, &group));
    out.export("vpc", ids(&[vpc]));
    out.export("subnets", ids(&subnets));
    out.export("security_groups", ids(&[group]));
}

fn zones(spec: &NetworkTable, cx: &CompileCx<'_>, out: &mut ResourceSet) -> Option<Vec<String>> {
    let help = "name two zones at least: `zones = [\"us-west-2a\", \"us-west-2b\"]`";
    let zones = if spec.zones.is_empty() {
        match cx.facts.get::<ZonesFact>(&FactQuery::standby("zones", "")) {
            Known::Yes(ZonesFact(zones)) => zones.into_iter().take(ZONES).collect(),
            Known::Absent | Known::Unknown => {
                out.error("DR221", "cidr", format!("the zones of {} are not known", cx.stack.standby), help);
                return None;
            }
        }
    } else {
        let mut zones = spec.zones.clone();
        zones.sort();
        zones.dedup();
        zones
    };
    let stray = zones.iter().find(|zone| letter(zone).is_none() || !zone.starts_with(&cx.stack.standby));
    if let Some(zone) = stray {
        out.error("DR221", "zones", format!("`{zone}` is not a zone of {}", cx.stack.standby), help);
        return None;
    }
    if zones.len() < 2 {
        out.error("DR221", "zones", "one zone is not enough: it can fail too", help);
        return None;
    }
    Some(zones)
}

/// The eighth of `range` that belongs to each zone's letter.
fn parts(zones: &[String], range: Ipv4Net) -> Vec<Ipv4Net> {
    let all: Vec<Ipv4Net> =
        range.subnets(range.prefix_len() + PARTS).map(Iterator::collect).unwrap_or_default();
    zones.iter().filter_map(|zone| all.get(letter(zone)?).copied()).collect()
}

/// 0 for `us-west-2a`, 7 for `us-west-2h`.
fn letter(zone: &str) -> Option<usize> {
    let last = zone.bytes().last().filter(|it| (b'a'..=b'h').contains(it))?;
    Some(usize::from(last - b'a'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_keeps_its_part_whatever_the_others_are() {
        let range: Ipv4Net = "10.64.0.0/16".parse().unwrap();
        let of = |zones: &[&str]| {
            let zones: Vec<String> = zones.iter().map(|it| (*it).to_owned()).collect();
            parts(&zones, range).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of(&["us-west-2a", "us-west-2c"]), ["10.64.0.0/19", "10.64.64.0/19"]);
        assert_eq!(of(&["us-west-2b", "us-west-2c"])[1], "10.64.64.0/19");
    }
}
