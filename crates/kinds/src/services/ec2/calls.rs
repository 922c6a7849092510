//! What several kinds do with EC2.

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use drstack_core::cloud::CloudError;

use crate::aws::Target;
use crate::aws::tags::{STACK, Tags};

/// What is filtered for: one name, some values.
pub(crate) fn filter<S: Into<String>>(name: &str, values: impl IntoIterator<Item = S>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().map(Into::into).collect())).build()
}

/// What the stack owns.
pub(crate) fn owned(at: &Target<'_>) -> Filter {
    filter(&format!("tag:{STACK}"), [&*at.scope.stack])
}

/// Tags for a resource that is being made.
pub(crate) fn tagged(kind: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).set_tags(Some(tag_list(tags))).build()
}

/// Tags as EC2 takes them.
pub(crate) fn tag_list(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Tags as EC2 gives them.
pub(crate) fn tag_map(tags: Option<Vec<Tag>>) -> Tags {
    tags.unwrap_or_default().into_iter().filter_map(|tag| Some((tag.key?, tag.value?))).collect()
}

/// Gives a resource these tags, beside those it has.
pub(crate) async fn tag(at: &Target<'_>, id: &str, tags: &Tags) -> Result<(), CloudError> {
    let put = at.ec2().create_tags().resources(id).set_tags(Some(tag_list(tags))).send().await;
    put.map(drop).map_err(|error| at.failed("ec2:CreateTags", error))
}

/// The answer of a call that just made something, which must be there.
pub(crate) fn made<T>(operation: &str, answer: Option<T>) -> Result<T, CloudError> {
    answer.ok_or_else(|| CloudError::Other {
        operation: operation.to_owned(),
        message: "the answer does not name what was made".to_owned(),
    })
}
