//! The Auto Scaling group kind: the instances of a pool.
//!
//! The types are in the stack's order, the purchase option is spot or on-demand, and the posture
//! sets the size.
//!
//! A failover goes in two rounds. First the driver switches the purchase option and raises the size
//! by the number of running spot instances, which it protects from scaling in. Once enough
//! on-demand instances serve, it retires the spot instances. The capacity in service therefore
//! never falls below its level before the failover.

use std::collections::BTreeMap;
use std::time::Duration;

use drstack_core::kind::{
    Action, Capabilities, Capacity, Demand, Erased, FieldChange, KeepsName, Kind, Limit, Lookup, Operation,
    Readiness, Revised, Rung, Shortage, Statement, Wait, Witness,
};
use drstack_core::link::Link;
use serde::{Deserialize, Serialize};

use crate::services::{key, operation, texts};

#[cfg(feature = "aws")]
pub(crate) mod aws;
pub mod behaviour;
pub mod carried_tags;
pub mod fleet;
pub mod hooks;
mod launches;
pub mod reserved;
mod rungs;
pub mod sized_for;
pub mod sizes;

use behaviour::GroupBehaviour;
use carried_tags::GroupTags;
use hooks::Hook;
use reserved::Reserved;
pub use rungs::{Failover, Step};
use sized_for::SizedFor;
use sizes::Sizes;

/// The desired state of a group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroupSpec {
    /// Its name.
    pub name: String,
    /// Id of the launch template.
    pub template: Link,
    /// Number of the template's version. A name such as `$Latest` would change instances without a
    /// step.
    pub template_version: Link,
    /// Subnets.
    pub subnets: Vec<Link>,
    /// Instance types, best first.
    pub types: Vec<String>,
    /// Types of other sizes, if the pool has any. All sizes below are then in units, not in
    /// instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sizes: Option<Sizes>,
    /// Minimum size.
    pub min: u32,
    /// Maximum size.
    pub max: u32,
    /// Desired capacity now.
    pub desired: u32,
    /// Per cent of the instances that are on-demand; the rest is spot.
    pub on_demand_percentage: u32,
    /// Use of reserved capacity by the on-demand instances; none if the stack names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Reserved>,
    /// What the group does by itself; none to leave it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behaviour: Option<GroupBehaviour>,
    /// Its lifecycle hooks, by name; none to leave them as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hooks: Option<Vec<Hook>>,
    /// Its tags beside those of the stack.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: GroupTags,
    /// True if EC2 Fleet, not the group, launches the missing instances in a failover.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_fleet: bool,
    /// The failover and its minimum; none while the primary serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<Failover>,
    /// The mode that it is sized for, kept as its tag; none before the first change of mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sized_for: Option<SizedFor>,
}

/// The group as Auto Scaling and EC2 report it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupLive {
    /// Its name, which it keeps under another address. Empty in bundles of older builds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Id of the launch template.
    pub template: String,
    /// Number of the template's version.
    pub template_version: String,
    /// Subnets, sorted.
    pub subnets: Vec<String>,
    /// Instance types, best first.
    pub types: Vec<String>,
    /// Units of an instance of each type; empty if the group counts instances.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, u32>,
    /// Minimum size.
    pub min: u32,
    /// Maximum size.
    pub max: u32,
    /// Desired capacity now.
    pub desired: u32,
    /// Per cent of the instances that are on-demand.
    pub on_demand_percentage: u32,
    /// Use of reserved capacity by the on-demand instances; none if it was never set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Reserved>,
    /// What the group does by itself.
    #[serde(default)]
    pub behaviour: GroupBehaviour,
    /// Its lifecycle hooks that notify nobody, by name; none if they could not be read, which holds up
    /// nothing that has to be raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hooks: Option<Vec<Hook>>,
    /// Its tags beside those of the stack.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: GroupTags,
    /// On-demand instances that serve: in service, healthy and running.
    pub on_demand: u32,
    /// Spot instances that serve.
    pub spot: u32,
    /// Why the last launch failed, while fewer instances serve than desired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short: Option<Shortage>,
    /// `Delete in progress`, while it is being deleted.
    pub status: Option<String>,
    /// The mode that it was last sized for, by its tag; none before the first change of mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sized_for: Option<SizedFor>,
}

impl GroupLive {
    /// Instances that serve.
    pub fn in_service(&self) -> u32 {
        self.on_demand + self.spot
    }
}

impl GroupSpec {
    /// Returns the spot capacity that the group can retire beside `live`.
    ///
    /// In a failover to on-demand instances only, that is all of it, until the group is on a lower
    /// rung. In any other failover it is the excess over the desired capacity.
    fn surplus(&self, live: &GroupLive) -> u32 {
        match self.failover {
            Some(Failover { rung: Step::Whole, .. }) if self.on_demand_percentage == 100 => live.spot,
            Some(_) => {
                let over = live.in_service().saturating_sub(self.desired);
                self.in_whole_instances(over).min(live.spot)
            }
            None => 0,
        }
    }

    /// True if enough capacity serves that the surplus can be retired.
    fn is_served_by(&self, live: &GroupLive) -> bool {
        match self.failover {
            Some(Failover { rung: Step::Whole, .. }) if self.on_demand_percentage == 100 => {
                live.on_demand >= self.desired
            }
            Some(Failover { rung: Step::Fewer, minimum, .. }) => live.in_service() >= minimum,
            _ => live.in_service() >= self.desired,
        }
    }
}

/// The Auto Scaling group kind.
pub struct Group;

impl Kind for Group {
    const NAME: &'static str = "group";
    const SUMMARY: &'static str = "Auto Scaling group with a mixed-instances policy, spot or on-demand";
    const LOOKUP: Lookup = Lookup::Tag;
    const WAIT: Wait = Wait {
        // An instance boots and loads its models within minutes. A region short of spot takes
        // longer or fails.
        deadline: Duration::from_secs(15 * 60),
        first: Duration::from_secs(1),
        slowest: Duration::from_secs(10),
    };
    const OPERATIONS: &'static [Operation] = &[
        operation("autoscaling", "AttachInstances"),
        operation("autoscaling", "CreateAutoScalingGroup"),
        operation("autoscaling", "CreateOrUpdateTags").also_updates(),
        operation("autoscaling", "DeleteAutoScalingGroup"),
        operation("autoscaling", "DeleteLifecycleHook").also_updates(),
        operation("autoscaling", "DescribeAutoScalingGroups"),
        operation("autoscaling", "DescribeLifecycleHooks"),
        operation("autoscaling", "DescribeScalingActivities"),
        operation("autoscaling", "PutLifecycleHook"),
        operation("autoscaling", "SetInstanceProtection"),
        operation("autoscaling", "TerminateInstanceInAutoScalingGroup"),
        operation("autoscaling", "UpdateAutoScalingGroup"),
        operation("ec2", "CreateFleet").also_updates(),
        operation("ec2", "DescribeInstances"),
        operation("ec2", "DescribeSubnets"),
        operation("ec2", "RunInstances").implied(),
        operation("ec2", "TerminateInstances").never_creates(),
        operation("iam", "CreateServiceLinkedRole").implied(),
        operation("iam", "PassRole").implied(),
        key("CreateGrant"),
        key("Decrypt"),
        key("DescribeKey"),
        key("GenerateDataKeyWithoutPlaintext"),
        key("ReEncryptFrom"),
        key("ReEncryptTo"),
    ];
    const CAPABILITIES: Capabilities = Capabilities {
        capacity: Some(&Erased::<Self>::NEW),
        keeps_name: Some(&Erased::<Self>::NEW),
        revised: Some(&Erased::<Self>::NEW),
        witness: Some(&Erased::<Self>::NEW),
        ..Capabilities::NONE
    };
    type Spec = GroupSpec;
    type Live = GroupLive;

    // The mode in its tag is no difference: it is written along with a size.
    fn diff(spec: &GroupSpec, live: &GroupLive) -> Vec<FieldChange> {
        // While the failover exchanges instances, the group may be larger than its final size.
        let max = if spec.failover.is_some() { live.max.max(spec.max) } else { spec.max };
        // On a lower rung the share of on-demand depends on the capacity that was available.
        let percentage = if spec.is_lowered() { 0 } else { spec.on_demand_percentage };
        let counted = live.counted_for(spec);
        let (spot, surplus) = (counted.spot, spec.surplus(&counted));
        let changes = [
            FieldChange::of("template", &live.template.as_str(), &spec.template.text()),
            FieldChange::of(
                "template_version",
                &live.template_version.as_str(),
                &spec.template_version.text(),
            ),
            FieldChange::of("subnets", &live.subnets, &texts(&spec.subnets)),
            FieldChange::of("types", &live.types, &spec.types_now()),
            FieldChange::of("weights", &live.weights, &spec.weights()),
            FieldChange::of("min", &live.min, &spec.min),
            FieldChange::of("max", &live.max, &max),
            FieldChange::of("desired", &live.desired, &spec.desired),
            FieldChange::of("on_demand_percentage", &live.on_demand_percentage, &percentage),
            FieldChange::of("reserved", &live.reserved, &spec.reserved),
            spec.behaviour.as_ref().and_then(|it| FieldChange::of("behaviour", &live.behaviour, it)),
            spec.hooks
                .as_ref()
                .zip(live.hooks.as_ref())
                .and_then(|(it, live)| FieldChange::of("hooks", live, it)),
            FieldChange::of("tags", &carried_tags::among(&live.tags, &spec.tags), &spec.tags),
            FieldChange::of("spot", &spot, &(spot - surplus)),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &GroupSpec, _id: &str) -> GroupLive {
        let desired = spec.size_beside(None);
        let on_demand = on_demand(spec).min(desired);
        GroupLive {
            name: spec.name.clone(),
            template: spec.template.text().to_owned(),
            template_version: spec.template_version.text().to_owned(),
            subnets: texts(&spec.subnets),
            types: spec.types_now(),
            weights: spec.weights(),
            min: spec.min,
            max: spec.max,
            desired,
            on_demand_percentage: if spec.is_lowered() { 0 } else { spec.on_demand_percentage },
            reserved: spec.reserved.clone(),
            behaviour: spec.behaviour.clone().unwrap_or_default(),
            hooks: Some(spec.hooks.clone().unwrap_or_default()),
            tags: spec.tags.clone(),
            on_demand,
            spot: desired - on_demand,
            short: None,
            status: None,
            sized_for: spec.sized_for,
        }
    }

    fn ready(spec: &GroupSpec, live: &GroupLive) -> Readiness {
        if let Some(status) = &live.status {
            return Readiness::Waiting(format!("the group says: {status}"));
        }
        let live = &live.counted_for(spec);
        if spec.is_served_by(live) {
            return Readiness::Ready;
        }
        let whole = matches!(spec.failover, Some(Failover { rung: Step::Whole, .. }));
        let text = match whole && spec.on_demand_percentage == 100 {
            true => format!("{} of {} on-demand {} in service", live.on_demand, spec.desired, spec.noun()),
            false => format!("{} of {} in service", live.in_service(), spec.words(spec.desired)),
        };
        match (&live.short, spec.failover) {
            (Some(why), _) if why.limit == Limit::Never => {
                Readiness::Failed(format!("{text}; no launch can succeed: {}", why.message))
            }
            (None, _) => Readiness::Waiting(text),
            (Some(why), None) => {
                Readiness::Waiting(format!("{text}; the last launch failed: {}", why.message))
            }
            (Some(why), Some(_)) => {
                Readiness::Short(Shortage { limit: why.limit, message: format!("{text}: {}", why.message) })
            }
        }
    }

    fn links(live: &GroupLive) -> Vec<String> {
        [vec![live.template.clone()], live.subnets.clone()].concat()
    }

    fn prior(action: Action) -> Duration {
        // Time to launch and boot. Users of the SDK see 2 to 4 minutes for GPU images.
        if action == Action::Delete { Duration::from_secs(120) } else { Duration::from_secs(180) }
    }
}

impl KeepsName for Group {
    const NAME_IS_ID: bool = true;

    fn under_its_name(spec: &GroupSpec, _id: &str, live: &GroupLive) -> GroupSpec {
        let name = if live.name.is_empty() { &spec.name } else { &live.name };
        GroupSpec { name: name.clone(), ..spec.clone() }
    }
}

impl Revised for Group {
    // One round raises, one retires, and one more covers instances interrupted or replaced
    // meanwhile.
    const ROUNDS: usize = 3;

    fn expect_after(spec: &GroupSpec, id: &str, before: &GroupLive) -> GroupLive {
        let (expected, before) = (Self::expect(spec, id), &before.counted_for(spec));
        match spec.failover {
            None => expected,
            Some(_) if spec.is_served_by(before) => {
                let spot = before.spot - spec.surplus(before);
                GroupLive {
                    on_demand: before.on_demand.min(spec.desired),
                    spot,
                    max: before.max.max(spec.max),
                    ..expected
                }
            }
            Some(failover) => {
                let desired = spec.size_beside(Some(before));
                let on_demand = match failover.rung {
                    Step::Whole => on_demand(spec).min(desired.saturating_sub(spec.surplus(before))),
                    Step::Spot | Step::Sizes | Step::Fewer => before.on_demand,
                };
                let spot = desired.saturating_sub(on_demand);
                let max = before.max.max(spec.max).max(desired);
                GroupLive { desired, on_demand, spot, max, ..expected }
            }
        }
    }
}

impl Capacity for Group {
    fn demand(spec: &GroupSpec) -> Demand {
        let mut types = spec.types_now();
        if spec.is_lowered() {
            // While usual types have capacity, no instance of another size is launched.
            types.rotate_right(spec.types.len());
        }
        let weights = spec.weights();
        let count = spec.size_beside(None);
        Demand { types, weights, count, on_demand: on_demand(spec).min(count) }
    }

    fn within(spec: &GroupSpec) -> Vec<Link> {
        spec.subnets.clone()
    }

    fn serving(live: &GroupLive) -> u32 {
        live.in_service() / live.unit()
    }

    fn bought(live: &GroupLive) -> Option<Demand> {
        let (types, weights) = (live.types.clone(), live.weights.clone());
        Some(Demand { types, weights, count: live.in_service(), on_demand: live.on_demand })
    }

    fn bought_as(spec: &GroupSpec, live: &GroupLive) -> Option<Demand> {
        Self::bought(&live.counted_for(spec))
    }

    fn launches(spec: &GroupSpec, live: Option<&GroupLive>) -> u32 {
        spec.launches_beside(live)
    }

    fn up_to(spec: &GroupSpec, live: Option<&GroupLive>, launches: u32) -> GroupSpec {
        spec.raised_by(live, launches)
    }

    fn ladder(spec: &GroupSpec) -> Vec<Rung<GroupSpec>> {
        spec.rungs()
    }

    fn left_on_demand(spec: &GroupSpec, live: &GroupLive) -> u32 {
        // A failover retires and raises by itself; afterwards Auto Scaling exchanges the instances.
        if spec.failover.is_none() && spec.on_demand_percentage == 0 {
            live.on_demand / live.unit()
        } else {
            0
        }
    }

    fn may_leave_unseen(spec: &GroupSpec) -> bool {
        spec.by_fleet
    }

    fn as_it_runs(spec: &GroupSpec, live: &GroupLive) -> Option<GroupSpec> {
        let known = |text: &String| Link::Known(text.clone());
        Some(GroupSpec {
            template: known(&live.template),
            template_version: known(&live.template_version),
            subnets: live.subnets.iter().map(known).collect(),
            ..spec.clone()
        })
    }

    fn not_below(spec: &GroupSpec, live: &GroupLive) -> Option<GroupSpec> {
        spec.not_below(live)
    }

    fn counting_as(spec: &GroupSpec, live: &GroupLive) -> Option<GroupSpec> {
        spec.counting_as(live)
    }

    fn by_hand(spec: &GroupSpec, region: &str) -> String {
        format!(
            "aws autoscaling update-auto-scaling-group --region {region} --auto-scaling-group-name {} --min-size N --max-size N \
             --desired-capacity N",
            spec.name
        )
    }

    fn during(spec: &GroupSpec, id: &str, before: &GroupLive) -> GroupLive {
        let before = &before.counted_for(spec);
        let after = Self::expect_after(spec, id, before);
        match spec.is_served_by(before) {
            true => after,
            // The desired state changes at once; the serving capacity follows later.
            false => GroupLive { on_demand: before.on_demand, spot: before.spot, ..after },
        }
    }

    fn short(live: &GroupLive, got: u32, why: &Shortage) -> Option<GroupLive> {
        let on_demand = live.on_demand.min(got);
        // With an on-demand share, only on-demand instances were requested; the spot instances
        // already run.
        let spot = if live.on_demand_percentage == 0 { got - on_demand } else { live.spot };
        Some(GroupLive { on_demand, spot, short: Some(why.clone()), ..live.clone() })
    }

    fn exchanged(live: &GroupLive, on_demand: u32, spot: u32) -> GroupLive {
        let short = live.short.clone().filter(|_| on_demand + spot < live.desired);
        GroupLive { on_demand, spot, short, ..live.clone() }
    }
}

impl Witness for Group {
    fn statement(_id: &str, live: &GroupLive) -> Option<Statement> {
        live.sized_for.map(|it| Statement::Mode(it.mode, it.epoch))
    }
}

/// Returns the on-demand part of the desired capacity.
fn on_demand(spec: &GroupSpec) -> u32 {
    if spec.is_lowered() {
        return 0;
    }
    let on_demand = u64::from(spec.desired) * u64::from(spec.on_demand_percentage) / 100;
    u32::try_from(on_demand).unwrap_or(spec.desired)
}
