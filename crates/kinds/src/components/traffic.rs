//! `[traffic.NAME]`: a DNS name that points to the primary, and to the standby region after a
//! failover.
//!
//! All of it is created while both regions exist, and is the same in every posture and mode. A
//! failover only writes a metric in the standby region: the alarm on it makes a health check
//! unhealthy, and DNS follows without a call to Route 53.

mod codes;
mod place;
mod probe;
mod target;
mod weights;

use drstack_core::address::{Address, ComponentAddress};
use drstack_core::cloud::{Found, Owner};
use drstack_core::component::{CHECKS, CompileCx, Component, Problem, Ref, ResourceSet, Seed, StackFacts};
use drstack_core::diagnostic::codes::Code;
use drstack_core::facts::FactQuery;
use drstack_core::graph::{Resource, Waits};
use drstack_core::kind::{Kind, Place};
use drstack_core::link::Link;
use drstack_core::objective::{Mode, Posture};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use place::place;
use probe::{Probe, is_dns_name, is_full_name};
use target::APEX;
pub use target::{Alias, StandbyTarget, Target};

use super::pool::Share;
use super::table::RESTORED;
use super::{PRIMARY, Pool};
use crate::facts;
use crate::names;
use crate::resources::{Alarm, Check, DnsRecord, DnsWeights, HealthCheck, TrafficSwitch};
use crate::services::checks::check::{CheckSpec, Probe as Asked};
use crate::services::cloudwatch::alarm::AlarmSpec;
use crate::services::cloudwatch::traffic_switch::{TrafficSwitchSpec, dimension};
use crate::services::route53::dns_record::{DnsRecordSpec, mark, record_id};
use crate::services::route53::dns_weights::DnsWeightsSpec;
use crate::services::route53::health_check::HealthCheckSpec;

/// `[traffic.NAME]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrafficTable {
    /// The public hosted zone, by name or by id: the one whose name is the longest end of this.
    pub zone: String,
    /// The name below the zone: `api` for `api.routing.example.com`; `""` for the zone's own name, which only aliases can have.
    pub record: String,
    /// DNS name that answers in the primary region, or a load balancer there by alias.
    pub primary_target: Target,
    /// DNS name that answers in the standby region, of a load balancer there, or that load balancer by alias.
    pub standby_target: StandbyTarget,
    /// What answers while the service is well. Route 53 asks it of the primary, at `primary_target` where this names the
    /// record itself, which leads to the other region once it failed.
    pub probe: String,
    /// Pools that have to serve before traffic moves, in place of the default: all pools, restored tables and checks of its tier and of
    /// the tiers before it. `[]`: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Vec<Ref<Pool>>>,
    /// A simple CNAME of that name that leads to `primary_target` is adopted; `destroy` puts one back.
    #[serde(default)]
    pub adopt: bool,
    /// Once traffic has moved, a failover waits until `standby_target` answers what `probe` asks of the record's name. It is
    /// asked from where drstack runs. `false` where it cannot be asked from there.
    #[serde(default = "yes")]
    pub watch: bool,
    /// How Route 53 chooses between the two sides.
    #[serde(default)]
    pub policy: Policy,
    /// With `policy = "weighted"`: share of what is asked that the standby region answers while both are well; `"0%"` where not
    /// said.
    pub standby_share: Option<Share>,
    /// With `policy = "weighted"`: `["5%", "25%", "100%"]` gives the primary its share back in these steps at a failback, each once
    /// the primary answered well for `ramp_pause`; a planned failover gives it to the standby region in the same steps.
    pub ramp: Option<Vec<Share>>,
    /// How long each step of `ramp` is held; default `1m`.
    pub ramp_pause: Option<String>,
}

/// How Route 53 chooses between the two sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// The primary while it is healthy, else the standby region.
    #[default]
    Failover,
    /// By weight, as `standby_share` says; the standby region alone while the primary is unhealthy.
    Weighted,
}

fn yes() -> bool {
    true
}

/// Maximum length of an alarm's name, by the API reference.
const ALARM_LIMIT: usize = 255;
/// Maximum time of one answer of the standby region, in seconds: far longer than users wait.
const ANSWER: u32 = 10;
/// Help for an invalid name.
const NAME: &str = "write labels of letters, digits and `-` with dots between them, none at the end";
/// Help for an invalid probe.
const PROBE: &str = "write it as `https://api.example.com/healthz`";

/// The traffic component.
pub struct Traffic;

impl Component for Traffic {
    const NAME: &'static str = "traffic";
    const SUMMARY: &'static str = "a DNS name that leads to the standby region after a failover";
    const CODES: &'static [Code] = codes::CODES;
    type Spec = TrafficTable;

    fn check(spec: &TrafficTable, _stack: &StackFacts, _posture: Posture, out: &mut Vec<Problem>) {
        let mut name = |field: &'static str, text: &str, is_one: bool| {
            if !is_one {
                let what = if text.is_empty() { "an empty text".to_owned() } else { format!("`{text}`") };
                let message = format!("{what} is not a DNS name that `{field}` can be");
                out.push(Problem::error("DR250", field, message, NAME));
            }
        };
        name("zone", &spec.zone, facts::is_zone_id(&spec.zone) || is_full_name(&spec.zone));
        name("record", &spec.record, spec.record == APEX || is_dns_name(&spec.record));
        target::check(spec, out);
        if !facts::is_zone_id(&spec.zone) {
            place::check(spec, &spec.zone, &mut |problem| out.push(problem));
        }
        if Probe::parse(&spec.probe).is_none() {
            let message = format!("`{}` is not an HTTPS address that Route 53 can ask", spec.probe);
            out.push(Problem::error("DR253", "probe", message, PROBE));
        }
        weights::check(spec, out);
    }

    fn facts(spec: &TrafficTable, _stack: &StackFacts) -> Vec<FactQuery> {
        vec![facts::dns(&spec.zone, &spec.record)]
    }

    fn compile(spec: &TrafficTable, cx: &CompileCx<'_>, out: &mut ResourceSet) {
        let Some((zone, record)) = place(spec, cx, out) else { return };
        // `check` has rejected this.
        let (Some(probe), StandbyTarget::Of(standby)) = (Probe::parse(&spec.probe), &spec.standby_target)
        else {
            return;
        };
        let (primary, secondary) = (spec.primary_target.name(), standby.name());
        remark(spec, cx, out);
        out.export(PRIMARY, vec![Link::Known(primary.clone())]);
        out.export("name", vec![Link::Known(secondary.clone())]);
        let name = names::owned(&cx.stack.name, cx.address, "", ALARM_LIMIT);
        let alarm = AlarmSpec {
            name: name.clone(),
            stack: cx.stack.name.clone(),
            traffic: dimension(&cx.stack.name, &name).to_owned(),
        };
        let alarm = out.add(Resource::named::<Alarm>(cx.resource("alarm"), Place::Standby, &name, &alarm));
        let mut check = |resource: &str, spec: &HealthCheckSpec| {
            out.add(Resource::tagged::<HealthCheck>(cx.resource(resource), Place::Global, spec))
        };
        let endpoint = check("endpoint-check", &probe.at(&record, &primary));
        let switched = HealthCheckSpec::Alarm { alarm: Link::id(&alarm), region: cx.stack.standby.clone() };
        let switched = check("alarm-check", &switched);
        let both = HealthCheckSpec::All {
            checks: vec![Link::id(&endpoint), Link::id(&switched)],
            record: record_id(&zone, &record),
        };
        let both = check("primary-check", &both);
        let id = record_id(&zone, &record);
        let pair = DnsRecordSpec {
            zone,
            record: record.clone(),
            mark: mark(&cx.stack.name, cx.address),
            primary: primary.clone(),
            secondary: secondary.clone(),
            aliases: spec.primary_target.zone().zip(standby.zone()).map(|zones| zones.into()),
            check: Link::id(&both),
            adopt: spec.adopt,
            weighted: weights::standing(spec),
        };
        let pair = Resource::named::<DnsRecord>(cx.resource(DnsRecord::NAME), Place::Global, &id, &pair);
        let pair = out.add(pair);
        let switch = TrafficSwitchSpec { alarm: name.clone(), active: cx.mode == Mode::Active };
        let switch =
            Resource::named::<TrafficSwitch>(cx.resource(TrafficSwitch::NAME), Place::Standby, name, &switch);
        let mut switch = switch.after(&alarm);
        // The serving capacity, the data it reads, and the checks that have to hold before it
        // counts as serving.
        let named = spec.after.iter().flatten();
        let groups = named.flat_map(|pool| ["group", RESTORED, CHECKS].map(|it| cx.export(pool, it)));
        let serving = groups.flatten().filter_map(|link| match link {
            Link::Of { address, .. } => Some(address),
            Link::Known(_) => None,
        });
        let serving: Vec<Address> = serving.collect();
        switch.after.extend(serving.iter().cloned());
        let waits = if spec.after.is_some() { Waits::Named } else { Waits::ByTier };
        switch.waits = waits.clone();
        let answers = probe.of(&record).map(|url| (url, secondary.clone()));
        let asked = probe.asked(&record, &primary);
        let weights = weights::of(spec, cx, (&pair, &endpoint), asked, answers)
            .map(|weights| in_turn(cx, (id, &weights), waits, serving, &mut switch));
        let switch = out.add(switch);
        out.resources.extend(weights);
        if cx.mode == Mode::Active {
            watch(spec, cx, (&probe, &record, secondary), &switch, out);
        }
    }

    fn seeds(spec: &TrafficTable, stack: &StackFacts, address: &ComponentAddress) -> Vec<Seed> {
        let record =
            if spec.record == APEX { spec.zone.clone() } else { format!("{}.{}", spec.record, spec.zone) };
        let record = record.to_ascii_lowercase();
        let value = json!({"zones": ["Z0SIMULATED"], "record": record, "simple": null, "others": []});
        vec![
            Seed::Fact { query: facts::dns(&spec.zone, &spec.record), value },
            Seed::Resource {
                kind: TrafficSwitch::NAME,
                place: Place::Standby,
                found: Found {
                    id: names::owned(&stack.name, address, "", ALARM_LIMIT),
                    owner: Owner::Setting,
                    live: json!({"active": false, "alarm": false}),
                },
            },
        ]
    }
}

/// Adds a note that helps to plan ahead.
fn remark(spec: &TrafficTable, cx: &CompileCx<'_>, out: &mut ResourceSet) {
    if cx.posture == Posture::Hot && spec.policy == Policy::Failover {
        let text = "hot: the name leads to one region at a time; `policy = \"weighted\"` with a `standby_share` has both answer";
        out.notes.push(text.to_owned());
    }
    if spec.after.as_ref().is_some_and(Vec::is_empty) {
        let text = "`after = []`: a failover moves traffic at once, whatever serves by then";
        out.notes.push(text.to_owned());
    }
}

/// Builds the weights of a pair of records, which change before or after the switch.
fn in_turn(
    cx: &CompileCx<'_>,
    (id, weights): (String, &DnsWeightsSpec),
    waits: Waits,
    serving: Vec<Address>,
    switch: &mut Resource,
) -> Resource {
    let at = cx.resource(DnsWeights::NAME);
    let resource = Resource::named::<DnsWeights>(at, Place::Global, id, weights);
    // It changes weights of the stack's own pair only, and checks that itself.
    let mut resource = resource.whatever_is_answered();
    resource.waits = waits;
    match cx.mode {
        Mode::Standby => {
            // Traffic returns by the switch first; the serving capacity may shrink only after it.
            resource.after.push(switch.address.clone());
            resource.after.extend(serving);
        }
        Mode::Active if weights.gate.is_some() => {
            // All traffic has moved by shares before the switch stops any return.
            resource.after.extend(serving);
            switch.after.push(resource.address.clone());
        }
        Mode::Active => {}
    }
    resource
}

/// Builds the check that the standby region answers once traffic has moved: a check like those that
/// users write.
fn watch(
    spec: &TrafficTable,
    cx: &CompileCx<'_>,
    (probe, record, host): (&Probe, &str, String),
    switch: &Address,
    out: &mut ResourceSet,
) {
    if !spec.watch {
        return;
    }
    let Some(url) = probe.of(record) else {
        let text = format!(
            "`probe` asks another name than `{record}`: a failover does not ask whether the standby region answers that"
        );
        return out.notes.push(text);
    };
    let address = cx.resource("answer");
    let name = address.to_string();
    let check = CheckSpec { probe: Asked::Answer { url, host }, timeout: ANSWER };
    out.add(Resource::named::<Check>(address, Place::Standby, name, &check).after(switch));
}
