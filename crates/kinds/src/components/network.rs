//! `[network.NAME]`: the network of the standby region's instances: a new private one, or an
//! existing one.

mod codes;

use std::collections::BTreeMap;

use drstack_core::address::ComponentAddress;
use drstack_core::component::{CompileCx, Component, Problem, ResourceSet, Seed, StackFacts};
use drstack_core::diagnostic::codes::Code;
use drstack_core::facts::{FactQuery, Known};
use drstack_core::graph::{Resource, ids};
use drstack_core::kind::Place;
use drstack_core::link::Link;
use drstack_core::objective::Posture;
use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::unknown;
use crate::facts::{FactKind, NetworkFact, ZonesFact, network};
use crate::names;
use crate::resources::{GatewayEndpoint, RouteTable, SecurityGroup, Subnet, Vpc};
use crate::services::ec2::gateway_endpoint::GatewayEndpointSpec;
use crate::services::ec2::route_table::RouteTableSpec;
use crate::services::ec2::security_group::{Ingress, SecurityGroupSpec};
use crate::services::ec2::subnet::SubnetSpec;
use crate::services::ec2::vpc::VpcSpec;

/// `[network.NAME]`: either `cidr`, or `vpc` with its ids, or `tags`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkTable {
    /// Address range of a new network, /16 to /25: `10.64.0.0/16`.
    pub cidr: Option<String>,
    /// Zones of a new network, two at least; default: the region's first three.
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

/// Number of zones if the stack names none: more zones, more places to find capacity.
const ZONES: usize = 3;
/// Bits that divide a new network into eight equal parts, one per zone letter, so that a zone keeps
/// its part.
const PARTS: u8 = 3;
/// Smallest and largest networks that EC2 accepts are /28 subnets and /16 VPCs.
const SMALLEST: u8 = 28 - PARTS;
const LARGEST: u8 = 16;
/// Maximum length of a security group's name.
const GROUP_LIMIT: usize = 255;

/// The network component.
pub struct Network;

impl Component for Network {
    const NAME: &'static str = "network";
    const SUMMARY: &'static str = "the standby region's network: new and private, or one that exists";
    const CODES: &'static [Code] = codes::CODES;
    type Spec = NetworkTable;

    fn check(spec: &NetworkTable, stack: &StackFacts, _posture: Posture, out: &mut Vec<Problem>) {
        choice(spec, out);
        ids_of(spec, out);
        if let Some(cidr) = &spec.cidr
            && let Err((message, help)) = range(cidr)
        {
            out.push(Problem::error("DR222", "cidr", message, help));
        }
        for door in &spec.ingress {
            out.extend(misplaced_door(&door.from));
        }
        if !spec.zones.is_empty()
            && let Err((message, help)) = stated_zones(spec, &stack.standby)
        {
            out.push(Problem::error("DR221", "zones", message, help));
        }
    }

    fn facts(spec: &NetworkTable, _stack: &StackFacts) -> Vec<FactQuery> {
        let mut queries = Vec::new();
        if spec.cidr.is_some() && spec.zones.is_empty() {
            queries.push(ZonesFact::about(""));
        }
        if !spec.tags.is_empty() {
            queries.push(network(&spec.tags));
        }
        queries
    }

    fn compile(spec: &NetworkTable, cx: &CompileCx<'_>, out: &mut ResourceSet) {
        match (&spec.cidr, &spec.vpc, spec.tags.is_empty()) {
            (Some(cidr), None, true) => new(spec, cidr, cx, out),
            (None, Some(vpc), true) => existing(spec, vpc, &spec.subnets, &spec.security_groups, out),
            (None, None, false) => looked_up(spec, cx, out),
            // `check` has rejected this.
            _ => {}
        }
    }

    fn seeds(spec: &NetworkTable, stack: &StackFacts, _address: &ComponentAddress) -> Vec<Seed> {
        let zones: Vec<String> = ["a", "b", "c"].map(|letter| format!("{}{letter}", stack.standby)).into();
        let mut seeds = vec![Seed::Fact { query: ZonesFact::about(""), value: json!(zones) }];
        if !spec.tags.is_empty() {
            let value = json!({"vpcs": ["vpc-sim"], "subnets": ["subnet-sim-a", "subnet-sim-b"], "security_groups": ["sg-sim"]});
            seeds.push(Seed::Fact { query: network(&spec.tags), value });
        }
        seeds
    }
}

/// Reports a network without exactly one form, or with fields of another form.
fn choice(spec: &NetworkTable, out: &mut Vec<Problem>) {
    let choices =
        [("cidr", spec.cidr.is_some()), ("vpc", spec.vpc.is_some()), ("tags", !spec.tags.is_empty())];
    let said: Vec<&'static str> = choices.iter().filter(|(_, said)| *said).map(|(field, _)| *field).collect();
    let help =
        "say `cidr` for a new one, `vpc` and `subnets` for one that exists, or `tags` that its VPC carries";
    let choice = match said[..] {
        [] => {
            let message = "it is neither a new network nor one that exists";
            out.push(Problem::error("DR220", "", message, help));
            return;
        }
        [choice] => choice,
        [first, second, ..] => {
            let message = format!("`{first}` and `{second}` are both given, and a network is new or exists");
            out.push(Problem::error("DR220", second, message, format!("leave one of the two out: {help}")));
            return;
        }
    };
    if choice == "vpc" && spec.subnets.is_empty() {
        let message = "a network that exists needs its subnets";
        out.push(Problem::error("DR220", "vpc", message, "name them: `subnets = [\"subnet-...\"]`"));
    }
    let strays = [
        ("zones", !spec.zones.is_empty() && choice != "cidr"),
        ("ingress", !spec.ingress.is_empty() && choice != "cidr"),
        ("subnets", !spec.subnets.is_empty() && choice != "vpc"),
        ("security_groups", !spec.security_groups.is_empty() && choice == "cidr"),
    ];
    for (field, _) in strays.into_iter().filter(|(_, stray)| *stray) {
        let message = format!("`{field}` has no meaning beside `{choice}`");
        let of = if choice == "cidr" { "a network that exists" } else { "a new network" };
        let help = match (choice, field) {
            ("tags", "subnets") => "leave it out, or give the subnets that are meant the tags too".to_owned(),
            _ => format!("leave it out: it is for {of}"),
        };
        out.push(Problem::error("DR220", field, message, help));
    }
}

/// Reports ids of another kind of object, or names.
fn ids_of(spec: &NetworkTable, out: &mut Vec<Problem>) {
    let all = [
        ("vpc", "vpc-", spec.vpc.as_slice()),
        ("subnets", "subnet-", spec.subnets.as_slice()),
        ("security_groups", "sg-", spec.security_groups.as_slice()),
    ];
    for (field, prefix, ids) in all {
        for id in ids.iter().filter(|id| id.strip_prefix(prefix).is_none_or(str::is_empty)) {
            let message = format!("`{id}` in `{field}` is not an id: those begin with `{prefix}`");
            let help =
                format!("write the id, `{prefix}...`; the console and `aws ec2` show it beside the name");
            out.push(Problem::error("DR220", field, message, help));
        }
    }
}

/// Parses the range of a new network; else returns the problem and its help.
fn range(cidr: &str) -> Result<Ipv4Net, (String, String)> {
    let help =
        format!("write it as `10.64.0.0/16`, /{LARGEST} to /{SMALLEST}: each zone gets an eighth of it");
    let Ok(range) = cidr.parse::<Ipv4Net>() else {
        return Err((format!("`{cidr}` is not an address range"), help));
    };
    match range.prefix_len() {
        ..LARGEST => Err((format!("`{cidr}` is larger than a VPC can be"), help)),
        LARGEST..=SMALLEST if range.trunc() == range => Ok(range),
        LARGEST..=SMALLEST => Err((
            format!("`{cidr}` does not begin where its range does"),
            format!("write `{}`", range.trunc()),
        )),
        _ => Err((format!("an eighth of `{cidr}` is smaller than a subnet can be"), help)),
    }
}

/// Returns the problem of a rule's range `from`, if any. EC2 stores the network address of a range,
/// so the stack has to use it.
fn misplaced_door(from: &str) -> Option<Problem> {
    let (message, help) = match from.parse::<Ipv4Net>().map(|range| range.trunc().to_string()) {
        Ok(range) if range == from => return None,
        Ok(range) => (format!("`{from}` does not begin where its range does"), format!("write `{range}`")),
        Err(_) => (format!("`{from}` is not an address range"), "write it as `10.0.0.0/8`".to_owned()),
    };
    Some(Problem::error("DR222", "ingress", message, help))
}

fn existing(
    spec: &NetworkTable,
    vpc: &str,
    subnets: &[String],
    security_groups: &[String],
    out: &mut ResourceSet,
) {
    let known = |ids: &[String]| ids.iter().cloned().map(Link::Known).collect();
    let groups = if spec.security_groups.is_empty() { security_groups } else { &spec.security_groups };
    out.export("vpc", vec![Link::Known(vpc.to_owned())]);
    out.export("subnets", known(subnets));
    out.export("security_groups", known(groups));
}

fn looked_up(spec: &NetworkTable, cx: &CompileCx<'_>, out: &mut ResourceSet) {
    let found = match cx.facts.get::<NetworkFact>(&network(&spec.tags)) {
        Known::Yes(found) => found,
        // The region answered that no VPC carries the tags.
        Known::Absent => NetworkFact::default(),
        Known::Unknown(why) => {
            let message = format!("nothing is known of a network with these tags in {}", cx.stack.standby);
            unknown(out, ("DR220", "tags"), message, &why, format!("{}; or name the ids", why.hint()));
            return;
        }
    };
    let [vpc] = found.vpcs.as_slice() else {
        let region = &cx.stack.standby;
        let message = match found.vpcs.len() {
            0 => format!("no VPC of {region} carries these tags"),
            count => format!("{count} VPCs of {region} carry these tags: {}", found.vpcs.join(", ")),
        };
        out.error(
            "DR220",
            "tags",
            message,
            "choose tags that one VPC carries, or name it: `vpc = \"vpc-...\"`",
        );
        return;
    };
    if found.subnets.is_empty() {
        let message = format!("`{vpc}` of {} has no subnet", cx.stack.standby);
        out.error("DR220", "tags", message, "make one there, or choose the tags of another VPC");
    }
    existing(spec, vpc, &found.subnets, &found.security_groups, out);
}

fn new(spec: &NetworkTable, cidr: &str, cx: &CompileCx<'_>, out: &mut ResourceSet) {
    // `check` has rejected this.
    let Ok(range) = range(cidr) else { return };
    let Some(zones) = zones(spec, cx, out) else { return };
    let vpc = out.add(Resource::tagged::<Vpc>(
        cx.resource("vpc"),
        Place::Standby,
        &VpcSpec { cidr: range.to_string() },
    ));
    let subnets: Vec<_> = zones
        .iter()
        .zip(parts(&zones, &cx.stack.standby, range))
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

/// Returns the zones of a new network, from the stack or else from the region.
fn zones(spec: &NetworkTable, cx: &CompileCx<'_>, out: &mut ResourceSet) -> Option<Vec<String>> {
    if !spec.zones.is_empty() {
        // `check` has rejected zones that form no network.
        return stated_zones(spec, &cx.stack.standby).ok();
    }
    let region = &cx.stack.standby;
    let help = two_zones(region);
    let mut zones = match cx.facts.get::<ZonesFact>(&ZonesFact::about("")) {
        Known::Yes(ZonesFact(zones)) => zones,
        Known::Absent => Vec::new(),
        Known::Unknown(why) => {
            let message = format!("the zones of {region} are not known");
            unknown(out, ("DR221", "cidr"), message, &why, format!("{}; or {help}", why.hint()));
            return None;
        }
    };
    zones.retain(|zone| letter(zone, region).is_some());
    zones.truncate(ZONES);
    if zones.len() < 2 {
        let message = format!("{region} offers too few zones, {zones:?}, and a network needs two");
        out.error("DR221", "cidr", message, help);
        return None;
    }
    Some(zones)
}

/// Returns the stack's zones, sorted; else the problem and its help.
fn stated_zones(spec: &NetworkTable, region: &str) -> Result<Vec<String>, (String, String)> {
    if let Some(zone) = spec.zones.iter().find(|zone| letter(zone, region).is_none()) {
        return Err((format!("`{zone}` is not a zone of {region}"), two_zones(region)));
    }
    let mut zones = spec.zones.clone();
    zones.sort();
    zones.dedup();
    match zones.len() {
        0 | 1 => Err(("one zone is not enough: it can fail too".to_owned(), two_zones(region))),
        _ => Ok(zones),
    }
}

fn two_zones(region: &str) -> String {
    format!("name two zones at least: `zones = [\"{region}a\", \"{region}b\"]`")
}

/// Returns the eighth of `range` that belongs to each zone's letter.
fn parts(zones: &[String], region: &str, range: Ipv4Net) -> Vec<Ipv4Net> {
    let all: Vec<Ipv4Net> =
        range.subnets(range.prefix_len() + PARTS).map(Iterator::collect).unwrap_or_default();
    zones.iter().filter_map(|zone| all.get(letter(zone, region)?).copied()).collect()
}

/// Returns 0 for `us-west-2a`, 7 for `us-west-2h`; none for a local zone such as
/// `us-west-2-lax-1a`, whose letter is another zone's.
fn letter(zone: &str, region: &str) -> Option<usize> {
    match zone.strip_prefix(region)?.as_bytes() {
        [letter @ b'a'..=b'h'] => Some(usize::from(letter - b'a')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_keeps_its_part_whatever_the_others_are() {
        let range: Ipv4Net = "10.64.0.0/16".parse().unwrap();
        let of = |zones: &[&str]| {
            let zones: Vec<String> = zones.iter().map(|it| (*it).to_owned()).collect();
            parts(&zones, "us-west-2", range).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of(&["us-west-2a", "us-west-2c"]), ["10.64.0.0/19", "10.64.64.0/19"]);
        assert_eq!(of(&["us-west-2b", "us-west-2c"])[1], "10.64.64.0/19");
    }

    #[test]
    fn a_zone_is_the_region_and_one_letter() {
        assert_eq!(letter("us-west-2c", "us-west-2"), Some(2));
        for other in ["us-west-2", "us-west-2z", "us-west-2-lax-1a", "us-east-1a", "us-west-2ab", ""] {
            assert_eq!(letter(other, "us-west-2"), None, "{other}");
        }
    }
}
