//! Tags of a group. Its instances get them too.

use aws_sdk_autoscaling::types::{AutoScalingGroup, Tag};

use drstack_core::cloud::Call;

use crate::aws::tags::{Tags, named};
use crate::services::autoscaling::group::GroupSpec;

/// The mode that the group is sized for.
pub(super) const SIZED_FOR: &str = "drstack:mode";

/// Returns the tags of the group that `call` creates or updates to `spec`.
pub(super) fn wanted(call: &Call, spec: &GroupSpec) -> Tags {
    let mut tags = named(call, spec);
    tags.extend(spec.sized_for.map(|it| (SIZED_FOR.to_owned(), it.text())));
    tags
}

pub(super) fn tags(name: &str, tags: &Tags) -> Vec<Tag> {
    let tag = |(key, value): (&String, &String)| {
        Tag::builder()
            .key(key)
            .value(value)
            .resource_id(name)
            .resource_type("auto-scaling-group")
            .propagate_at_launch(true)
            .build()
    };
    tags.iter().map(tag).collect()
}

pub(super) fn tags_of(group: &AutoScalingGroup) -> Tags {
    let all = group.tags.iter().flatten();
    all.filter_map(|tag| Some((tag.key.clone()?, tag.value.clone()?))).collect()
}
