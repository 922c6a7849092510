use drstack_core::cloud::CloudError;

use super::{DeadLetters, QueueFact};
use crate::aws::{Ask, Target};
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
        Ok(Some(QueueFact {
            attributes: followed(&told),
            encryption: encryption(&told),
            has_policy: told.get("Policy").is_some_and(|it| !it.is_empty()),
            dead_letters,
        }))
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
