use std::collections::BTreeMap;

use drstack_core::cloud::CloudError;

use super::fields::{BESIDE, QUEUE};
use super::{DeadLetters, QueueFact};
use crate::aws::{Ask, Target};
use crate::ledger::{FieldSetting, NotCarried};
use crate::services::sqs::queue::RedriveLive;
use crate::services::sqs::queue::aws::{encryption, followed, redrive, told, url};

impl Ask for QueueFact {
    async fn ask(at: &Target<'_>, name: &str) -> Result<Option<QueueFact>, CloudError> {
        let Some(url) = url(at, name).await? else { return Ok(None) };
        let Some(told) = told(at, &url).await? else { return Ok(None) };
        let dead_letters = match redrive(name, &told)? {
            Some(redrive) => Some(dead_letters(at, &redrive).await?),
            None => None,
        };
        let mut not_carried = NotCarried::default();
        not_carried.add(&QUEUE, itself(&told));
        not_carried.add(&BESIDE, [("ListQueueTags", own_tags(at, &url).await)]);
        Ok(Some(QueueFact {
            attributes: followed(&told),
            encryption: encryption(&told),
            has_policy: told.get("Policy").is_some_and(|it| !it.is_empty()),
            dead_letters,
            not_carried,
        }))
    }
}

/// Seconds for which SQS uses a data key by default (`KmsDataKeyReusePeriodSeconds` of the API
/// reference).
const REUSE: &str = "300";
/// Prefixes of the tags that AWS and drstack put on queues by themselves.
const OTHERS: [&str; 2] = ["aws:", "drstack:"];

/// Fields of [`QUEUE`] that are set.
fn itself(told: &BTreeMap<String, String>) -> [(&'static str, Option<FieldSetting>); 3] {
    let is_set = |name: &str| told.get(name).is_some_and(|it| !it.is_empty());
    let reuse = told.get("KmsDataKeyReusePeriodSeconds").filter(|it| *it != REUSE);
    // Queues without a KMS key report the period too.
    let reuse = reuse.filter(|_| is_set("KmsMasterKeyId"));
    [
        ("Policy", FieldSetting::flag(is_set("Policy"))),
        ("RedriveAllowPolicy", FieldSetting::flag(is_set("RedriveAllowPolicy"))),
        ("KmsDataKeyReusePeriodSeconds", reuse.map(|it| FieldSetting::Value(format!("{it} s")))),
    ]
}

/// Counts the tags that the primary's owner gave a queue.
async fn own_tags(at: &Target<'_>, url: &str) -> Option<FieldSetting> {
    let answer = at.sqs().list_queue_tags().queue_url(url).send().await;
    match answer.map_err(|error| at.failed("sqs:ListQueueTags", error)) {
        Ok(answer) => {
            let tags = answer.tags.unwrap_or_default();
            FieldSetting::count(
                tags.keys().filter(|key| !OTHERS.iter().any(|it| key.starts_with(it))).count(),
            )
        }
        Err(error) => Some(FieldSetting::unseen(&error)),
    }
}

async fn dead_letters(at: &Target<'_>, redrive: &RedriveLive) -> Result<DeadLetters, CloudError> {
    // It has the account and region of the queue (SQS Developer Guide, "Using dead-letter queues").
    let name = redrive.dead_letters.rsplit(':').next().unwrap_or_default().to_owned();
    let told = match url(at, &name).await? {
        Some(url) => told(at, &url).await?,
        None => None,
    };
    let told = told.ok_or_else(|| CloudError::Invalid {
        operation: "queue".to_owned(),
        code: "CannotFollow".to_owned(),
        message: format!("the dead-letter queue `{name}` does not exist"),
    })?;
    let (attributes, encryption) = (followed(&told), encryption(&told));
    Ok(DeadLetters { name, max_receive_count: redrive.max_receive_count, attributes, encryption })
}
