//! Amazon SQS.

pub mod queue;
pub mod queue_fact;

#[cfg(feature = "aws")]
crate::aws::client!(aws_sdk_sqs, "sqs", sqs);

/// Error codes of SQS. A name is free again a minute after its queue was deleted.
#[cfg(feature = "aws")]
pub(crate) const CODES: crate::aws::Codes = crate::aws::Codes {
    throttled: &[],
    no_capacity: &[],
    quota: &[],
    conflict: &["AWS.SimpleQueueService.QueueDeletedRecently", "QueueDeletedRecently"],
};
