//! The Auto Scaling group that a pool follows.

use drstack_core::component::{CompileCx, ResourceSet};
use drstack_core::facts::{Known, NoAnswer};
use drstack_core::link::Link;
use drstack_core::objective::Mode;
use serde_json::{Value, json};

use super::CAPACITY;
use super::PoolTable;
use crate::components::image::{not_carried, simulated, standby};
use crate::components::{refuse, unknown};
use crate::facts::{FactKind, GroupFact};
use crate::services::autoscaling::group::carried_tags::{MOST_CARRIED, beyond_limit};
use crate::services::autoscaling::group_fact::LEDGERS;
use crate::services::autoscaling::group_fact::image::GroupImage;

/// Help for a pool that follows a group without an image.
const IMAGE: &str =
    "write `image = \"@image.NAME\"`, or an id of the standby region; or correct the primary's template";

/// Help for a pool of a failover that knows nothing of the group: what it follows may be lost.
const ON_ITS_OWN: &str = "where nothing is kept of what it follows, say what it is: `image`, `instance_types` and `capacity` in the place of `follows`";

/// Returns the fact of the primary's group; `Err` if the pool follows one and the fact is missing.
///
/// Reports what a failover would lack of the group.
pub(super) fn group(
    spec: &PoolTable,
    cx: &CompileCx<'_>,
    out: &mut ResourceSet,
) -> Result<Option<GroupFact>, ()> {
    let Some(group) = &spec.follows else { return Ok(None) };
    match cx.facts.get::<GroupFact>(&GroupFact::about(group)) {
        Known::Yes(mut fact) => {
            if let (None, Some(unit)) = (spec.capacity, fact.counted_in()) {
                let message = format!(
                    "Auto Scaling group `{group}` counts its capacity in {unit}, and a pool counts instances"
                );
                refuse(cx, out, ("DR231", "follows"), message, CAPACITY);
            }
            // A capacity in the stack makes the warning unnecessary.
            if let (None, Mode::Standby) = (spec.capacity, cx.mode)
                && let Some((message, help)) = fact.warning(group)
            {
                out.warn("DR238", "follows", message, help);
            }
            out.not_carried = fact.not_carried.sentences(&format!("group {group}"), LEDGERS);
            if let (None, GroupImage::Found(image)) = (&spec.image, &fact.image) {
                out.not_carried.extend(not_carried(image));
            }
            out.not_carried.extend(without_room(group, &mut fact));
            let hooks = fact.hooks.iter().flatten().filter(|it| it.abandons_launches());
            out.notes.extend(hooks.map(|hook| {
                format!(
                    "hook `{}` of group {group} ends each instance that nothing completes it for within {} s: what completes it has to run in {} too",
                    hook.name, hook.heartbeat, cx.stack.standby
                )
            }));
            Ok(Some(fact))
        }
        Known::Absent => {
            let message = format!("Auto Scaling group `{group}` does not exist in {}", cx.stack.primary);
            let help = "correct the name, or say `image`, `instance_types` and `capacity` in its place";
            out.error("DR230", "follows", message, help);
            Err(())
        }
        Known::Unknown(why) => {
            let message = format!("nothing is known of Auto Scaling group `{group}`");
            let help = match (cx.mode, &why) {
                (Mode::Active, NoAnswer::NeverAsked) => ON_ITS_OWN.to_owned(),
                _ => why.hint(),
            };
            unknown(out, ("DR230", "follows"), message, &why, help);
            Err(())
        }
    }
}

/// Takes the tags out of `fact` that the pool's group has no room for; returns what to tell about
/// them.
fn without_room(group: &str, fact: &mut GroupFact) -> Option<String> {
    let beyond = beyond_limit(&mut fact.tags);
    (!beyond.is_empty()).then(|| {
        format!(
            "group {group}: {MOST_CARRIED} tags are carried, beside those of drstack, and there is no room for: {}",
            beyond.join(", ")
        )
    })
}

/// Returns the image to launch in the standby region: the copy of the group's image, which the first
/// pool that follows the image makes for all, or its publisher's image there.
pub(super) fn image(
    spec: &PoolTable,
    fact: &GroupFact,
    cx: &CompileCx<'_>,
    out: &mut ResourceSet,
) -> Option<Link> {
    let image = match &fact.image {
        GroupImage::Found(image) => image,
        GroupImage::Missing { no_image } => {
            let group = spec.follows.as_deref().unwrap_or_default();
            let message =
                format!("Auto Scaling group `{group}` has no image that could be followed: {no_image}");
            out.error("DR231", "follows", message, IMAGE);
            return None;
        }
    };
    let copies = format!("copy of {}", image.id);
    let made = cx.shared.get(&copies).and_then(|it| it.first().cloned());
    let copy = made.or_else(|| standby(image, None, "follows", cx, out));
    if image.owned {
        out.share(&copies, copy.clone().into_iter().collect());
    }
    copy
}

/// Returns a group as the simulated primary has it, with some of what real groups have and lose.
pub(super) fn simulated_group(group: &str, types: &[String], capacity: u32) -> Value {
    json!({
        "image": simulated(group), "types": types, "capacity": capacity, "max": capacity,
        "user_data_sha256": null, "profile": null, "disks": [],
        "behaviour": {"grace_period": 900},
        "hooks": [{"name": "load", "transition": "autoscaling:EC2_INSTANCE_LAUNCHING", "heartbeat": 900, "default_result": "ABANDON"}],
        "not_carried": {
            "AutoScalingGroup.HealthCheckType": {"value": "ELB"},
            "AutoScalingGroup.TargetGroupARNs": {"count": 1},
            "DescribePolicies": {"count": 3},
        },
    })
}
