//! Calls and values of EC2 that several kinds share.

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use drstack_core::cloud::CloudError;

use crate::aws::Target;
use crate::aws::tags::{STACK, Tags};

/// Builds a filter: one name, some values.
pub(crate) fn filter<S: Into<String>>(name: &str, values: impl IntoIterator<Item = S>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().map(Into::into).collect())).build()
}

/// Builds the filter for objects with this stack's tag.
pub(crate) fn owned(at: &Target<'_>) -> Filter {
    filter(&format!("tag:{STACK}"), [&*at.scope.stack])
}

/// Builds the tags of a resource that is being created.
pub(crate) fn tagged(kind: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).set_tags(Some(tag_list(tags))).build()
}

/// Converts tags to EC2's type.
pub(crate) fn tag_list(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Converts tags from EC2's type.
pub(crate) fn tag_map(tags: Option<Vec<Tag>>) -> Tags {
    tags.unwrap_or_default().into_iter().filter_map(|tag| Some((tag.key?, tag.value?))).collect()
}

/// Adds these tags to a resource and keeps its others.
pub(crate) async fn tag(at: &Target<'_>, id: &str, tags: &Tags) -> Result<(), CloudError> {
    let put = at.ec2().create_tags().resources(id).set_tags(Some(tag_list(tags))).send().await;
    put.map(drop).map_err(|error| at.failed("ec2:CreateTags", error))
}

/// Returns the object from the answer of a create call, or an error if the answer lacks it.
pub(crate) fn made<T>(operation: &str, answer: Option<T>) -> Result<T, CloudError> {
    answer.ok_or_else(|| CloudError::Other {
        operation: operation.to_owned(),
        message: "the answer does not name what was made".to_owned(),
    })
}
