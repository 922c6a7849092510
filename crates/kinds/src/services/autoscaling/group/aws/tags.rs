//! Tags of a group. Its instances get them too.

use aws_sdk_autoscaling::types::{AutoScalingGroup, Tag};

use crate::aws::tags::Tags;

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
