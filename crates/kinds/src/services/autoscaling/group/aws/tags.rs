//! Tags of a group. Its instances get them too.

use aws_sdk_autoscaling::types::{AutoScalingGroup, Tag};

use drstack_core::cloud::Call;

use crate::aws::tags::{HOOKS, Tags, named};
use crate::services::autoscaling::group::GroupSpec;
use crate::services::autoscaling::group::carried_tags::{GroupTag, GroupTags, carried};

/// The mode that the group is sized for.
pub(super) const SIZED_FOR: &str = "drstack:mode";

/// Returns the stack's tags of a group. One with hooks says so, or each look at a group would ask for
/// its hooks.
pub(super) fn own(call: &Call, spec: &GroupSpec) -> Tags {
    let mut tags = named(call, spec);
    tags.extend(spec.sized_for.map(|it| (SIZED_FOR.to_owned(), it.text())));
    if spec.hooks.iter().flatten().next().is_some() {
        tags.insert(HOOKS.to_owned(), "carried".to_owned());
    }
    tags
}

pub(super) fn tags(name: &str, tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| tag(name, key, value, true)).collect()
}

/// Returns the carried tags that `live` has not.
pub(super) fn missing(name: &str, wanted: &GroupTags, live: &GroupTags) -> Vec<Tag> {
    let other = wanted.iter().filter(|(key, tag)| live.get(*key) != Some(*tag));
    other.map(|(key, it)| tag(name, key, &it.value, it.at_launch)).collect()
}

fn tag(name: &str, key: &str, value: &str, at_launch: bool) -> Tag {
    Tag::builder()
        .key(key)
        .value(value)
        .resource_id(name)
        .resource_type("auto-scaling-group")
        .propagate_at_launch(at_launch)
        .build()
}

/// Returns the tags of a group that a pool carries.
pub(crate) fn carried_of(group: &AutoScalingGroup) -> GroupTags {
    let all = group.tags.iter().flatten();
    carried(all.filter_map(|tag| {
        let at_launch = tag.propagate_at_launch == Some(true);
        Some((tag.key.clone()?, GroupTag { value: tag.value.clone().unwrap_or_default(), at_launch }))
    }))
}

pub(super) fn tags_of(group: &AutoScalingGroup) -> Tags {
    let all = group.tags.iter().flatten();
    all.filter_map(|tag| Some((tag.key.clone()?, tag.value.clone()?))).collect()
}
