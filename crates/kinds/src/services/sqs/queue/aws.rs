use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::types::QueueAttributeName;
use drstack_core::cloud::{Call, CloudError, Owner};
use drstack_core::kind::FieldChange;
use serde::Deserialize;
use serde_json::json;

use super::{FOLLOWED, Queue, QueueLive, QueueSpec, RedriveLive};
use crate::aws::tags::{Tags, owned, owner};
use crate::aws::{Driver, Looked, Seen, Target, absent, each, each_of};

const CREATE: &str = "sqs:CreateQueue";
const DELETE: &str = "sqs:DeleteQueue";
/// Attribute that every answer has.
const ARN: &str = "QueueArn";
/// Queues in one answer of `ListQueues`, the maximum by its API reference.
const PAGE: i32 = 1000;
/// Error codes of SQS for a missing queue, by either of its protocols.
const NONE: &[&str] = &["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"];
/// Message counts of a queue, as far as SQS knows: waiting, in process, and delayed.
const COUNTS: [&str; 3] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
];

impl Driver for Queue {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<QueueLive> {
        each(ids, |name| async move { look(at, &name).await }).await
    }

    async fn list_owned(at: &Target<'_>, except: &[String]) -> Result<Vec<Seen<QueueLive>>, CloudError> {
        let mut queues = Vec::new();
        // Without a page size SQS answers the first 1,000 queues and no token for the next ones.
        let mut pages = at.sqs().list_queues().into_paginator().page_size(PAGE).send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| at.failed("sqs:ListQueues", error))?;
            let named = |url: String| Some((url.rsplit('/').next()?.to_owned(), url));
            queues.extend(page.queue_urls.unwrap_or_default().into_iter().filter_map(named));
        }
        queues.retain(|(name, _)| !except.contains(name));
        let all = each_of(queues, |(name, url)| async move {
            let Some(owner) = owner_of(at, &url).await?.filter(Owner::claims) else { return Ok(None) };
            seen(at, name, &url, owner).await
        });
        all.await.into_iter().filter_map(Result::transpose).collect()
    }

    /// Reads the queue first: SQS answers a create of a queue with the same attributes as a
    /// success.
    async fn create(at: &Target<'_>, call: &Call, spec: &QueueSpec) -> Result<Seen<QueueLive>, CloudError> {
        if let Some(found) = look(at, &spec.name).await? {
            return match found.owner.is_ours() {
                true => Ok(found),
                false => Err(CloudError::Invalid {
                    operation: CREATE.to_owned(),
                    code: "QueueNameExists".to_owned(),
                    message: format!("queue `{}` exists and is not this stack's", spec.name),
                }),
            };
        }
        let mut attributes = attributes(spec);
        if spec.name.ends_with(".fifo") {
            attributes.insert(QueueAttributeName::FifoQueue, "true".to_owned());
        }
        let made = at.sqs().create_queue().queue_name(&spec.name).set_attributes(Some(attributes));
        let made = made.set_tags(Some(owned(call, spec).into_iter().collect())).send().await;
        made.map_err(|error| at.failed(CREATE, error))?;
        let gone = || CloudError::Conflict {
            operation: CREATE.to_owned(),
            message: format!("`{}` is not to be seen yet", spec.name),
        };
        look(at, &spec.name).await?.ok_or_else(gone)
    }

    async fn update(
        at: &Target<'_>,
        call: &Call,
        name: &str,
        spec: &QueueSpec,
        changes: &[FieldChange],
    ) -> Result<(), CloudError> {
        const SET: &str = "sqs:SetQueueAttributes";
        let gone =
            || CloudError::Conflict { operation: SET.to_owned(), message: format!("`{name}` went away") };
        let url = url(at, name).await?.ok_or_else(gone)?;
        let mut attributes = attributes(spec);
        if changes.iter().any(|it| it.field == "redrive") && spec.redrive.is_none() {
            attributes.insert(QueueAttributeName::RedrivePolicy, String::new());
        }
        let set = at.sqs().set_queue_attributes().queue_url(&url).set_attributes(Some(attributes));
        set.send().await.map_err(|error| at.failed(SET, error))?;
        let tag = at.sqs().tag_queue().queue_url(&url);
        let tag = tag.set_tags(Some(owned(call, spec).into_iter().collect())).send().await;
        tag.map(drop).map_err(|error| at.failed("sqs:TagQueue", error))
    }

    /// Deletes an empty queue only: drstack does not discard messages of the application.
    async fn delete(at: &Target<'_>, _: &Call, name: &str) -> Result<(), CloudError> {
        let Some(url) = url(at, name).await? else { return Ok(()) };
        let Some(told) = told(at, &url).await? else { return Ok(()) };
        let number = |it: &str| told.get(it)?.parse::<u64>().ok();
        // A count that SQS does not answer is not 0.
        let count: Option<u64> = COUNTS.iter().map(|it| number(it)).sum();
        let count = count.ok_or_else(|| unreadable(name, "its number of messages"))?;
        if count > 0 {
            return Err(CloudError::Invalid {
                // The operator empties it, not the stack's author.
                operation: "queue".to_owned(),
                code: "QueueNotEmpty".to_owned(),
                message: format!("`{name}` holds {count} messages: process or purge them first"),
            });
        }
        let gone = at.sqs().delete_queue().queue_url(url).send().await;
        absent(at, DELETE, NONE, gone).map(drop)
    }
}

/// Returns the attributes to set.
fn attributes(spec: &QueueSpec) -> HashMap<QueueAttributeName, String> {
    let name = |(name, value): (&String, &String)| (QueueAttributeName::from(name.as_str()), value.clone());
    let mut all: HashMap<_, _> = spec.attributes.iter().map(name).collect();
    match &spec.kms_key {
        Some(key) => all.insert(QueueAttributeName::KmsMasterKeyId, key.clone()),
        None => all.insert(QueueAttributeName::SqsManagedSseEnabled, "true".to_owned()),
    };
    if let Some(redrive) = &spec.redrive {
        let policy = json!({
            "deadLetterTargetArn": redrive.dead_letters.text(),
            "maxReceiveCount": redrive.max_receive_count,
        });
        all.insert(QueueAttributeName::RedrivePolicy, policy.to_string());
    }
    all
}

async fn look(at: &Target<'_>, name: &str) -> Result<Option<Seen<QueueLive>>, CloudError> {
    let Some(url) = url(at, name).await? else { return Ok(None) };
    let Some(owner) = owner_of(at, &url).await? else { return Ok(None) };
    seen(at, name.to_owned(), &url, owner).await
}

async fn owner_of(at: &Target<'_>, url: &str) -> Result<Option<Owner>, CloudError> {
    let tags = at.sqs().list_queue_tags().queue_url(url).send().await;
    let tags = absent(at, "sqs:ListQueueTags", NONE, tags)?;
    let tags = tags.map(|it| it.tags.unwrap_or_default().into_iter().collect::<Tags>());
    Ok(tags.map(|tags| owner(&tags, at.scope)))
}

async fn seen(
    at: &Target<'_>,
    name: String,
    url: &str,
    owner: Owner,
) -> Result<Option<Seen<QueueLive>>, CloudError> {
    let Some(told) = told(at, url).await? else { return Ok(None) };
    let live = QueueLive {
        arn: told.get(ARN).cloned().unwrap_or_default(),
        attributes: followed(&told),
        encryption: encryption(&told),
        redrive: redrive(&name, &told)?,
    };
    Ok(Some(Seen { id: name, owner, live }))
}

/// The error of an answer that lacks something: it is never taken for a default.
fn unreadable(name: &str, what: &str) -> CloudError {
    CloudError::Other {
        operation: "sqs:GetQueueAttributes".to_owned(),
        message: format!("the answer for `{name}` does not show {what}"),
    }
}

pub(crate) async fn url(at: &Target<'_>, name: &str) -> Result<Option<String>, CloudError> {
    let answer = at.sqs().get_queue_url().queue_name(name).send().await;
    Ok(absent(at, "sqs:GetQueueUrl", NONE, answer)?.and_then(|it| it.queue_url))
}

/// Reads all attributes, by name; `None` if the queue does not exist.
pub(crate) async fn told(at: &Target<'_>, url: &str) -> Result<Option<BTreeMap<String, String>>, CloudError> {
    let ask = at.sqs().get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
    let answer = absent(at, "sqs:GetQueueAttributes", NONE, ask.send().await)?;
    let text = |it: HashMap<QueueAttributeName, String>| {
        it.into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect()
    };
    let told: Option<BTreeMap<String, String>> = answer.map(|it| it.attributes.map(text).unwrap_or_default());
    if told.as_ref().is_some_and(|it| !it.contains_key(ARN)) {
        return Err(unreadable(url, "its attributes"));
    }
    Ok(told)
}

pub(crate) fn followed(told: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let value = |name: &&str| Some(((*name).to_owned(), told.get(*name)?.clone()));
    FOLLOWED.iter().filter_map(value).collect()
}

/// Returns the KMS key that encrypts it; empty for keys that SQS manages, none if it is not
/// encrypted.
pub(crate) fn encryption(told: &BTreeMap<String, String>) -> Option<String> {
    let key = told.get("KmsMasterKeyId").filter(|it| !it.is_empty()).cloned();
    let is_managed = told.get("SqsManagedSseEnabled").is_some_and(|it| it == "true");
    key.or_else(|| is_managed.then(String::new))
}

/// Returns the dead-letter queue of the queue `name`; none if it has no redrive policy.
pub(crate) fn redrive(
    name: &str,
    told: &BTreeMap<String, String>,
) -> Result<Option<RedriveLive>, CloudError> {
    let Some(text) = told.get("RedrivePolicy").filter(|it| !it.is_empty()) else { return Ok(None) };
    parsed(text).map(Some).ok_or_else(|| unreadable(name, "a redrive policy that can be read"))
}

fn parsed(text: &str) -> Option<RedriveLive> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Policy {
        dead_letter_target_arn: String,
        max_receive_count: serde_json::Value,
    }
    let policy: Policy = serde_json::from_str(text).ok()?;
    // A number, or a number as text: SQS returns what was written.
    let count = policy.max_receive_count;
    let count = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
    Some(RedriveLive {
        dead_letters: policy.dead_letter_target_arn,
        max_receive_count: u32::try_from(count).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::redrive;

    #[test]
    fn a_redrive_policy_that_cannot_be_read_is_not_taken_for_none() {
        let of = |text: &str| redrive("q", &BTreeMap::from([("RedrivePolicy".to_owned(), text.to_owned())]));
        assert_eq!(redrive("q", &BTreeMap::new()), Ok(None));
        assert_eq!(of(""), Ok(None), "what a removed policy leaves");
        for count in ["3", "\"3\""] {
            let text = format!("{{\"deadLetterTargetArn\": \"a:dead\", \"maxReceiveCount\": {count}}}");
            assert_eq!(of(&text).unwrap().map(|it| it.max_receive_count), Some(3));
        }
        assert!(of("{}").is_err() && of("nonsense").is_err());
    }
}
