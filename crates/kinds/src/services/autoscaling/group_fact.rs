//! The fact of an Auto Scaling group of the primary that a pool follows.
//!
//! Its capacity is the highest of the last days, because a read at night shows the capacity of the
//! night.

use std::collections::BTreeMap;

use drstack_core::facts::{DAYS, Fact, Level, remember};
use drstack_core::kind::{Operation, Place};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::facts::FactKind;
use crate::ledger::{FieldSetting, Ledger, NotCarried};
use crate::services::autoscaling::group::behaviour::GroupBehaviour;
use crate::services::autoscaling::group::carried_tags::GroupTags;
use crate::services::autoscaling::group::hooks::Hook;
use crate::services::ec2::disk::Disk;
use crate::services::ec2::launch_options::LaunchOptions;
use crate::services::ec2::template_fields;
use crate::services::operation;

use image::GroupImage;

/// An Auto Scaling group of the primary, with its launch template or launch configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupFact {
    /// Its image.
    pub image: GroupImage,
    /// Instance types, best first.
    pub types: Vec<String>,
    /// Desired capacity; in a stored fact, the highest that counts.
    pub capacity: u32,
    /// The current capacity, if it is lower.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<Lower>,
    /// The highest capacity that its scheduled actions set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<u32>,
    /// Maximum size.
    pub max: u32,
    /// SHA-256 of its user data; the text is never stored.
    pub user_data_sha256: Option<String>,
    /// Name of its instance profile; IAM is global, so it serves in the standby region too.
    pub profile: Option<String>,
    /// Its disks, if they differ from the image's.
    pub disks: Vec<Disk>,
    /// What the group does by itself; none if an older version captured the fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behaviour: Option<GroupBehaviour>,
    /// Its lifecycle hooks that notify nobody; none if they could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hooks: Option<Vec<Hook>>,
    /// Its tags, except those of AWS.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: GroupTags,
    /// Options of its template that the standby's template carries.
    #[serde(default, skip_serializing_if = "LaunchOptions::is_default")]
    pub options: LaunchOptions,
    /// What is set on the group and its template and not carried.
    #[serde(default, skip_serializing_if = "NotCarried::is_empty")]
    pub not_carried: NotCarried,
}

/// The tables of the group and its template, what matters most first.
pub const LEDGERS: &[&Ledger] = &[
    &fields::BESIDE,
    &fields::HOOK,
    &fields::GROUP,
    &fields::DISTRIBUTION,
    &fields::OVERRIDES,
    &template_fields::TEMPLATE,
    &template_fields::METADATA,
    &template_fields::INTERFACE,
    &template_fields::DISK,
    &template_fields::VOLUME,
    &configuration_fields::CONFIGURATION,
    &configuration_fields::CONFIGURATION_DISK,
    &configuration_fields::CONFIGURATION_VOLUME,
    &configuration_fields::CONFIGURATION_METADATA,
];

/// The current capacity of a group that is below the capacity that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lower {
    /// Desired capacity at the last capture.
    pub now: u32,
    /// The time at which it was last seen as high as the capacity that counts.
    pub peak_at: Timestamp,
}

/// Returns the instance types that a group launches: those of its overrides, else the template's.
///
/// A group with instance requirements chooses its types by them. The type of its template is then
/// not what it launches.
pub fn types(overrides: Vec<String>, has_requirements: bool, of_template: Option<&str>) -> Vec<String> {
    match (overrides.is_empty(), has_requirements) {
        (true, false) => of_template.map(str::to_owned).into_iter().collect(),
        _ => overrides,
    }
}

impl GroupFact {
    /// Returns the instances for the whole load: the highest capacity observed or set by a
    /// schedule.
    pub fn whole(&self) -> u32 {
        self.capacity.max(self.scheduled.unwrap_or(0))
    }

    /// Returns the maximum size of a pool with this many instances.
    pub fn most(&self, capacity: u32) -> u32 {
        if self.counted_in().is_some() { capacity } else { self.max.max(capacity) }
    }

    /// Returns what its sizes count, if that is not instances: `vcpu`, or the weights of its types.
    pub fn counted_in(&self) -> Option<String> {
        let unit = self.not_carried.get(&fields::GROUP, "DesiredCapacityType");
        let weights = self.not_carried.get(&fields::OVERRIDES, "WeightedCapacity");
        match (unit, weights) {
            (Some(FieldSetting::Value(unit)), _) => Some(format!("`{unit}`")),
            (_, Some(FieldSetting::Count(_))) => Some("the weights of its instance types".to_owned()),
            _ => None,
        }
    }

    /// Returns a warning if the group is far below the size that a failover starts, or if that size
    /// is 0.
    pub fn warning(&self, group: &str) -> Option<(String, String)> {
        let whole = self.whole();
        if whole == 0 {
            let message = format!(
                "Auto Scaling group `{group}` has a desired capacity of 0: a failover starts 0 instances"
            );
            return Some((message, "write how many serve the whole load: `capacity = 4`".to_owned()));
        }
        let Lower { now, peak_at } = self.lower.as_ref()?;
        let is_fallen = u64::from(*now) * 2 < u64::from(self.capacity);
        is_fallen.then(|| {
            let message = format!(
                "Auto Scaling group `{group}` fell to a desired capacity of {now}, from {} on {peak_at:.0}: a failover starts {whole}",
                self.capacity
            );
            let help = format!("write `capacity = {now}` if it stays low; else the highest of the last {DAYS} days counts");
            (message, help)
        })
    }
}

impl FactKind for GroupFact {
    const NAME: &'static str = "group";
    const PLACE: Place = Place::Primary;
    const OPERATIONS: &'static [Operation] = &[
        operation("autoscaling", "DescribeAutoScalingGroups"),
        operation("autoscaling", "DescribeLaunchConfigurations"),
        operation("autoscaling", "DescribeLifecycleHooks"),
        operation("autoscaling", "DescribeNotificationConfigurations"),
        operation("autoscaling", "DescribePolicies"),
        operation("autoscaling", "DescribeScheduledActions"),
        operation("ec2", "DescribeImages"),
        operation("ec2", "DescribeLaunchTemplateVersions"),
        operation("ssm", "GetParameters"),
    ];

    /// Keeps the highest capacity that counts.
    fn keep(before: Option<&Fact>, fact: Fact) -> Fact {
        let group = |fact: &Fact| GroupFact::deserialize(&fact.value).ok();
        let Some(mut found) = group(&fact) else { return fact };
        let levels = before.map(|before| match (&before.levels[..], group(before)) {
            // A version that stored no levels saw one level and stored it as the capacity.
            ([], Some(group)) => vec![Level { at: before.captured_at, value: group.capacity }],
            (levels, _) => levels.to_vec(),
        });
        let now = Level { at: fact.captured_at, value: found.capacity };
        let (peak, levels) = remember(&levels.unwrap_or_default(), now);
        found.capacity = peak.value;
        found.lower = (peak.value > now.value).then_some(Lower { now: now.value, peak_at: peak.at });
        match serde_json::to_value(found) {
            Ok(value) => Fact { value, levels, ..fact },
            Err(_) => fact,
        }
    }
}

#[cfg(feature = "aws")]
mod aws;
pub mod configuration_fields;
pub mod fields;
pub mod image;

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use serde_json::{Value, json};

    use super::*;
    use crate::facts::{BucketFact, keep};

    fn value(capacity: u32) -> Value {
        json!({
            "image": {"id": "ami-1", "name": "base", "owned": true, "standby": null}, "types": ["g5.xlarge"],
            "capacity": capacity, "max": 40, "user_data_sha256": null, "profile": null, "disks": [],
        })
    }

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    /// Returns the fact stored after captures at these hours, and the group that a pool reads from
    /// it.
    fn asked(looks: &[(i64, u32)]) -> (Fact, GroupFact) {
        let query = GroupFact::about("web");
        let next = |before: Option<Fact>, (hour, capacity): &(i64, u32)| {
            Some(keep(&query, before.as_ref(), Fact::new(at(*hour), value(*capacity))))
        };
        let fact = looks.iter().fold(None, next).unwrap();
        let group = GroupFact::deserialize(&fact.value).unwrap();
        (fact, group)
    }

    #[test]
    fn a_group_that_is_scaled_down_for_the_night_keeps_the_capacity_of_the_day() {
        let (_, group) = asked(&[(12, 24), (27, 2)]);
        assert_eq!((group.whole(), group.lower.clone().unwrap().now), (24, 2));
        let (message, _) = group.warning("web").unwrap();
        assert!(message.contains("of 2, from 24 on 1970-01-01T12:00:00Z"), "{message}");
    }

    #[test]
    fn a_fall_by_half_is_not_warned_of_and_one_by_more_is() {
        let is_warned_of = |now| asked(&[(12, 24), (27, now)]).1.warning("web").is_some();
        assert_eq!([24, 12, 11, 0].map(is_warned_of), [false, false, true, true]);
    }

    #[test]
    fn a_group_of_no_instances_is_warned_of_unless_its_schedule_has_some() {
        let (_, group) = asked(&[(1, 0)]);
        assert!(group.warning("web").unwrap().0.contains("a failover starts 0 instances"));
        let scheduled = GroupFact { scheduled: Some(24), ..group };
        assert_eq!((scheduled.whole(), scheduled.warning("web")), (24, None));
    }

    /// E3
    #[test]
    fn the_type_of_the_template_is_not_followed_beside_requirements() {
        let template = Some("t3.micro");
        assert_eq!(types(Vec::new(), true, template), [""; 0]);
        assert_eq!(types(Vec::new(), false, template), ["t3.micro"]);
        assert_eq!(types(Vec::new(), false, None), [""; 0]);
        for has_requirements in [true, false] {
            let overrides = vec!["g5.xlarge".to_owned(), "g6.xlarge".to_owned()];
            assert_eq!(types(overrides, has_requirements, template), ["g5.xlarge", "g6.xlarge"]);
        }
    }

    #[test]
    fn a_group_at_its_highest_is_kept_as_it_was_answered() {
        let (fact, group) = asked(&[(12, 24), (36, 24)]);
        assert_eq!((fact.value, group.lower), (value(24), None));
    }

    #[test]
    fn a_fact_that_an_older_version_kept_is_read_and_counts() {
        let older = json!({"captured_at": "1970-01-01T12:00:00Z", "value": value(24)});
        let older = Fact::deserialize(&older).unwrap();
        let fact = keep(&GroupFact::about("web"), Some(&older), Fact::new(at(27), value(2)));
        assert_eq!(fact.value["capacity"], 24);
    }

    #[test]
    fn other_facts_are_kept_as_they_were_answered() {
        let query = BucketFact::about("acme");
        let fact = |capacity| Fact::new(at(1), json!({ "capacity": capacity }));
        assert_eq!(keep(&query, Some(&fact(24)), fact(2)), fact(2));
    }
}
