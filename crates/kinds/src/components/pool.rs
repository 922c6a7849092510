//! `[pool.NAME]`: instances that serve, none or some of them in standby, all of them after a
//! failover.

use std::collections::BTreeMap;

use drstack_core::address::ComponentAddress;
use drstack_core::component::{
    CompileCx, Component, Problem, Ref, ResourceSet, SecretText, Seed, StackFacts,
};
use drstack_core::diagnostic::codes::Code;
use drstack_core::facts::FactQuery;
use drstack_core::graph::Resource;
use drstack_core::kind::Place;
use drstack_core::link::Link;
use drstack_core::minimum::Minimum;
use drstack_core::objective::{Mode, Posture};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::table::RESTORED;
use super::{Bucket, Network, Table, simulated_account};
use crate::facts::{FactKind, GroupFact};
use crate::names;
use crate::resources::{Group, LaunchTemplate};
use crate::services::autoscaling::group::fleet::Engine;
use crate::services::autoscaling::group::sized_for::SizedFor;
use crate::services::autoscaling::group::{Failover, GroupSpec, Step};
use crate::services::ec2::launch_template::LaunchTemplateSpec;

mod codes;
mod engine;
mod followed;
mod image_choice;
mod profile;
mod reservations;
mod sizes;
mod user_data;

pub use image_choice::ImageChoice;

/// `[pool.NAME]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolTable {
    /// The primary's Auto Scaling group: what is not said here comes from it, at each plan anew.
    pub follows: Option<String>,
    /// Where the instances run.
    pub network: Ref<Network>,
    /// Instance types, best first: the ladder that a failover climbs down.
    #[serde(default)]
    pub instance_types: Vec<String>,
    /// Types of other sizes, for what neither on-demand nor spot has of `instance_types` in a failover: how many of the usual
    /// instances one of each does the work of.
    #[serde(default)]
    pub larger: BTreeMap<String, u32>,
    /// The same for smaller types: how many of each do the work of one usual instance.
    #[serde(default)]
    pub smaller: BTreeMap<String, u32>,
    /// Usual instances that serve the whole load.
    pub capacity: Option<u32>,
    /// Capacity that is reserved in the standby region, left alone until the pool fails over and used first then: ids of Capacity
    /// Reservations, or ARNs of resource groups of them.
    #[serde(default)]
    pub reservations: Vec<String>,
    /// Share of `capacity` that runs in standby: default 25 % in a warm pool, 100 % in a hot one.
    pub standby_share: Option<Share>,
    /// Share of `capacity` with which a failover counts as up, where the region has no more to give: default 60 %.
    pub minimum: Option<Share>,
    /// How instances are bought.
    #[serde(default)]
    pub purchase: Purchase,
    /// Who launches what a failover lacks: the Auto Scaling group, or EC2 Fleet at once, whose instances the group adopts.
    #[serde(default, skip_serializing_if = "Engine::is_default")]
    pub engine: Engine,
    /// The image: `"@image.NAME"`, or the id of an image of the standby region.
    pub image: Option<ImageChoice>,
    /// SHA-256 of the user data, which the loader puts in the place of `user_data` or `user_data_file`.
    pub user_data_sha256: Option<String>,
    /// An instance profile that exists, by name; else the one of the group that is followed.
    pub instance_profile: Option<String>,
    /// Buckets whose standby copies the instances may read, with a role made for that.
    #[serde(default)]
    pub buckets: Vec<Ref<Bucket>>,
    /// Tables whose replicas the instances may read, with a role made for that.
    #[serde(default)]
    pub tables: Vec<Ref<Table>>,
}

/// How instances are bought in each mode.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Purchase {
    /// While the primary serves.
    #[serde(default = "spot")]
    pub standby: PurchaseOption,
    /// Once the standby region serves.
    #[serde(default = "on_demand")]
    pub active: PurchaseOption,
}

/// A purchase option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PurchaseOption {
    /// Cheap, and taken back at two minutes' notice.
    Spot,
    /// At the full price.
    OnDemand,
}

fn spot() -> PurchaseOption {
    PurchaseOption::Spot
}

fn on_demand() -> PurchaseOption {
    PurchaseOption::OnDemand
}

impl Default for Purchase {
    fn default() -> Self {
        Self { standby: spot(), active: on_demand() }
    }
}

impl Purchase {
    /// Returns the percentage of on-demand instances in `mode`.
    fn on_demand_percentage(self, mode: Mode) -> u32 {
        let option = if mode == Mode::Active { self.active } else { self.standby };
        if option == PurchaseOption::OnDemand { 100 } else { 0 }
    }
}

/// A whole per cent, written `"25%"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(pub String);

impl Share {
    /// Returns its number, 0 to 100; none if it is not a share.
    pub fn percent(&self) -> Option<u32> {
        let number = self.0.strip_suffix('%')?.trim_end().parse::<u32>().ok()?;
        (number <= 100).then_some(number)
    }
}

impl JsonSchema for Share {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Share".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9]+ ?%$", "description": "A whole per cent: \"25%\""})
    }
}

/// Maximum length of names: of a group (255), a template (128), a role (64) and a profile (128).
const NAME_LIMIT: usize = 64;
/// The share that a warm pool runs by default.
const WARM_SHARE: u32 = 25;
/// Help for a pool without instance types.
const INSTANCE_TYPES: &str = "write them, best first: `instance_types = [\"g5.xlarge\"]`";
/// Help for a pool without a number of instances.
const CAPACITY: &str = "write how many instances serve the whole load: `capacity = 4`";
/// The default share with which a failover counts as up: most of the load, with the rest shed.
const MINIMUM_SHARE: u32 = 60;
/// The usual shares of warm pools, in per cent.
const WARM_BAND: std::ops::RangeInclusive<u32> = 20..=30;

/// The pool component.
pub struct Pool;

impl Component for Pool {
    const NAME: &'static str = "pool";
    const SUMMARY: &'static str =
        "instances that serve: a share of them in standby, all of them after a failover";
    const RUNS_INSTANCES: bool = true;
    const SECRETS: &'static [SecretText] = &[SecretText {
        hashed: "user_data_sha256",
        field: "user_data",
        file: "user_data_file",
        noun: "user data",
        service: "EC2",
        // Before encoding (EC2 User Guide, "Run commands when you launch an EC2 instance with user
        // data input").
        most: 16 * 1024,
        help: "fetch the rest from a bucket when the instance starts",
    }];
    const CODES: &'static [Code] = codes::CODES;
    type Spec = PoolTable;

    fn check(spec: &PoolTable, stack: &StackFacts, posture: Posture, out: &mut Vec<Problem>) {
        out.extend(missing(spec));
        out.extend(
            spec.instance_types
                .iter()
                .enumerate()
                .filter_map(|(at, it)| no_type(&spec.instance_types[..at], it)),
        );
        if spec.follows.as_deref() == Some("") {
            let message = "`follows` names no Auto Scaling group";
            out.push(Problem::error("DR231", "follows", message, "write the group's name, or leave it out"));
        }
        out.extend(spec.standby_share.as_ref().and_then(|share| unusual(share, posture)));
        out.extend(spec.minimum.as_ref().and_then(|share| no_share("minimum", share)));
        out.extend(exchanged(spec, posture));
        out.extend(reservations::problems(spec, stack));
        out.extend(sizes::problems(spec));
        out.extend(engine::problems(spec));
    }

    fn facts(spec: &PoolTable, _stack: &StackFacts) -> Vec<FactQuery> {
        let group = spec.follows.iter().map(|group| GroupFact::about(group));
        let account = (!spec.buckets.is_empty()).then(FactQuery::account);
        group.chain(reservations::facts(spec)).chain(account).collect()
    }

    fn compile(spec: &PoolTable, cx: &CompileCx<'_>, out: &mut ResourceSet) {
        let Ok(fact) = followed::group(spec, cx, out) else { return };
        let types = non_empty(&spec.instance_types)
            .or_else(|| fact.as_ref().map(|fact| fact.types.clone()))
            .unwrap_or_default();
        let capacity = spec.capacity.or(fact.as_ref().map(GroupFact::whole));
        let image = image(spec, fact.as_ref(), cx, out);
        if let (Some(group), true) = (&spec.follows, types.is_empty()) {
            let message =
                format!("Auto Scaling group `{group}` names no instance types that could be followed");
            out.error("DR231", "follows", message, INSTANCE_TYPES);
        }
        let (Some(capacity), Some(image), Some(first)) = (capacity, image, types.first()) else { return };
        let share = share(spec, cx.posture);
        let reserved = reservations::reserved(spec, &types, cx, out);
        let (unit, sizes) = sizes::sizes(spec, &types);
        let units = |instances: u32| instances.saturating_mul(unit);
        let profile = profile::profile(spec, fact.as_ref(), cx, out);
        let name = names::owned(&cx.stack.name, cx.address, "", NAME_LIMIT);
        let template = LaunchTemplateSpec {
            name: name.clone(),
            image,
            instance_type: first.clone(),
            user_data_sha256: spec
                .user_data_sha256
                .clone()
                .or(fact.as_ref().and_then(|fact| fact.user_data_sha256.clone())),
            security_groups: cx.export(&spec.network, "security_groups"),
            profile,
            disks: fact.as_ref().map(|fact| fact.disks.clone()).unwrap_or_default(),
            options: fact.as_ref().map(|fact| fact.options.clone()).unwrap_or_default(),
        };
        let template = out.add(Resource::tagged::<LaunchTemplate>(
            cx.resource("launch-template"),
            Place::Standby,
            &template,
        ));
        let desired = match (cx.mode, cx.posture) {
            (Mode::Active, _) => units(capacity),
            (Mode::Standby, Posture::Cold) => {
                out.notes.push("cold: the group is made when the standby region serves".to_owned());
                return;
            }
            (Mode::Standby, _) => units(part(capacity, share)),
        };
        let group = GroupSpec {
            name,
            template: Link::id(&template),
            template_version: Link::output(&template, "version"),
            subnets: cx.export(&spec.network, "subnets"),
            types,
            sizes,
            min: desired,
            max: units(fact.as_ref().map_or(capacity, |fact| fact.most(capacity))),
            desired,
            on_demand_percentage: spec.purchase.on_demand_percentage(cx.mode),
            reserved,
            behaviour: fact.as_ref().and_then(|fact| fact.behaviour.clone()),
            hooks: fact.as_ref().and_then(|fact| fact.hooks.clone()),
            tags: fact.as_ref().map(|fact| fact.tags.clone()).unwrap_or_default(),
            by_fleet: spec.engine == Engine::Fleet,
            failover: (cx.mode == Mode::Active).then(|| Failover {
                minimum: minimum(spec, cx, capacity, unit),
                rung: Step::Whole,
                up_to: None,
            }),
            sized_for: (cx.epoch > 0).then_some(SizedFor { mode: cx.mode, epoch: cx.epoch }),
        };
        let group = out.add(Resource::tagged::<Group>(cx.resource("group"), Place::Standby, &group));
        out.export("group", vec![Link::id(&group)]);
        out.export(RESTORED, spec.tables.iter().flat_map(|it| cx.export(it, RESTORED)).collect());
    }

    fn review(spec: &PoolTable, cx: &CompileCx<'_>, out: &mut Vec<Problem>) {
        user_data::review(spec, cx, out);
    }

    fn seeds(spec: &PoolTable, _stack: &StackFacts, _address: &ComponentAddress) -> Vec<Seed> {
        let types = non_empty(&spec.instance_types).unwrap_or_else(|| vec!["g5.xlarge".to_owned()]);
        let capacity = spec.capacity.unwrap_or(4);
        let mut seeds = reservations::seeds(spec, &types, capacity);
        seeds.extend((!spec.buckets.is_empty()).then(simulated_account));
        let Some(group) = &spec.follows else { return seeds };
        let value = followed::simulated_group(group, &types, capacity);
        seeds.push(Seed::Fact { query: GroupFact::about(group), value });
        seeds
    }
}

fn non_empty(types: &[String]) -> Option<Vec<String>> {
    (!types.is_empty()).then(|| types.to_vec())
}

fn image(
    spec: &PoolTable,
    fact: Option<&GroupFact>,
    cx: &CompileCx<'_>,
    out: &mut ResourceSet,
) -> Option<Link> {
    match (&spec.image, fact) {
        (Some(ImageChoice::Standby(id)), _) => Some(Link::Known(id.clone())),
        (Some(ImageChoice::Stack(reference)), _) => cx.export(reference, "image").into_iter().next(),
        (None, Some(fact)) => followed::image(spec, fact, cx, out),
        // `check` has rejected this.
        (None, None) => None,
    }
}

/// Reports the fields that a pool without `follows` lacks.
fn missing(spec: &PoolTable) -> Vec<Problem> {
    let image = "write `image = \"@image.NAME\"`, or an id of the standby region, or `follows = \"GROUP\"`";
    let all = [
        (spec.image.is_none(), "image", image),
        (spec.instance_types.is_empty(), "instance_types", INSTANCE_TYPES),
        (spec.capacity.is_none(), "capacity", CAPACITY),
    ];
    let nothing = (spec.capacity == Some(0)).then(|| {
        let message = "a failover starts no instance of this pool, and nothing waits for one".to_owned();
        Problem::warning("DR238", "capacity", message, "write at least 1, or leave the pool out")
    });
    let missing = all.into_iter().filter(|(missing, ..)| *missing && spec.follows.is_none());
    let problem = |(_, what, help)| {
        let message = format!("it has no `{what}`, and follows no group that could say it");
        Problem::error("DR231", "", message, help)
    };
    missing.map(problem).chain(nothing).collect()
}

/// Returns the problem of an instance type listed after those in `before`, if any.
fn no_type(before: &[String], text: &str) -> Option<Problem> {
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    let is_type = text.split_once('.').is_some_and(|(family, size)| is_word(family) && is_word(size));
    let message = match (is_type, before.iter().any(|it| it == text)) {
        (false, _) if text.is_empty() => "an empty text is not an instance type".to_owned(),
        (false, _) => format!("`{text}` is not an instance type"),
        (true, true) => format!("`{text}` stands twice in `instance_types`"),
        (true, false) => return None,
    };
    Some(Problem::error("DR231", "instance_types", message, INSTANCE_TYPES))
}

/// Returns the problem of the share in `field`, if any.
fn no_share(field: &'static str, share: &Share) -> Option<Problem> {
    let message = format!("`{}` is not a share", share.0);
    let help = format!("write whole per cents, 0 to 100: `{field} = \"25%\"`");
    share.percent().is_none().then(|| Problem::error("DR233", field, message, help))
}

/// Returns the problem of a share, or a warning if it is unusual for the posture.
fn unusual(share: &Share, posture: Posture) -> Option<Problem> {
    let Some(said) = share.percent() else { return no_share("standby_share", share) };
    let (least, most) = (WARM_BAND.start(), WARM_BAND.end());
    let (message, help) = match posture {
        Posture::Warm if !WARM_BAND.contains(&said) => (
            format!("a warm pool usually runs {least}-{most} % of the capacity, this one {said} %"),
            "choose a share within the band, or the posture `pilot-light` or `hot`",
        ),
        Posture::Hot if said < 100 => (
            format!("a hot pool runs all of the capacity, this one {said} %"),
            "leave the share out, or choose `warm`",
        ),
        Posture::Cold | Posture::PilotLight if said > 0 => (
            format!("a {} pool runs nothing in standby, whatever its share says", posture.name()),
            "leave the share out, or choose `warm`",
        ),
        _ => return None,
    };
    Some(Problem::warning("DR232", "standby_share", message, help))
}

/// Returns a warning if a failover exchanges the instances of a hot pool, which seems ready as it is.
fn exchanged(spec: &PoolTable, posture: Posture) -> Option<Problem> {
    let Purchase { standby, active } = spec.purchase;
    if posture != Posture::Hot || (standby, active) != (PurchaseOption::Spot, PurchaseOption::OnDemand) {
        return None;
    }
    let message = "a failover moves traffic to the spot instances of this hot pool, and exchanges them for on-demand ones afterwards";
    let help =
        "buy the same in both modes: `purchase = { standby = \"on-demand\" }`, or `{ active = \"spot\" }`";
    Some(Problem::warning("DR243", "purchase", message, help))
}

/// Returns the percentage of the capacity that runs in standby.
fn share(spec: &PoolTable, posture: Posture) -> u32 {
    let said = spec.standby_share.as_ref().and_then(Share::percent);
    match posture {
        Posture::Cold | Posture::PilotLight => 0,
        Posture::Warm => said.unwrap_or(WARM_SHARE),
        Posture::Hot => said.unwrap_or(100),
    }
}

/// Returns the least units with which a failover counts as up.
///
/// It is the stack's value, or less if an operator accepted less. At least one instance has to
/// serve, whatever the share.
fn minimum(spec: &PoolTable, cx: &CompileCx<'_>, capacity: u32, unit: u32) -> u32 {
    let all = capacity.saturating_mul(unit);
    let said = part(all, spec.minimum.as_ref().and_then(Share::percent).unwrap_or(MINIMUM_SHARE));
    let accepted = cx.minimum.map(|it| match it {
        Minimum::Share(share) => part(all, share),
        Minimum::Instances(instances) => instances.saturating_mul(unit),
    });
    said.min(accepted.unwrap_or(said)).max(unit.min(all))
}

/// Returns `share` per cent of `capacity`, rounded up: a pool that runs a share runs at least one
/// instance.
fn part(capacity: u32, share: u32) -> u32 {
    let part = (u64::from(capacity) * u64::from(share)).div_ceil(100);
    u32::try_from(part).unwrap_or(capacity)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns a pool with nothing but its network.
    pub(super) fn plain() -> PoolTable {
        serde_json::from_value(json!({ "network": "@network.standby" })).unwrap()
    }

    #[test]
    fn shares_are_whole_per_cents() {
        let share = |text: &str| Share(text.to_owned()).percent();
        assert_eq!(["25%", "25 %", "0%", "100%"].map(share), [Some(25), Some(25), Some(0), Some(100)]);
        assert_eq!(["25", "101%", "-1%", "a%", ""].map(share), [None; 5]);
    }

    #[test]
    fn a_part_of_any_capacity_is_rounded_up() {
        assert_eq!(
            [(40, 25), (1, 25), (0, 25), (u32::MAX, 100)].map(|(all, share)| part(all, share)),
            [10, 1, 0, u32::MAX]
        );
    }
}
