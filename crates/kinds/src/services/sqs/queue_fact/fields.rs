//! Attributes of a queue, and what becomes of each.

use crate::ledger::Fate::{Carried, Irrelevant, Mapped, NotYet};
use crate::ledger::{Ledger, Model};

/// What hangs on a queue and is read apart from it.
pub const BESIDE: Ledger = Ledger {
    object: "What hangs on a queue",
    service: "sqs",
    model: Model::Operations(&["Get", "List"]),
    fields: &[
        ("ListQueueTags", NotYet("tag")),
        ("GetQueueAttributes", Mapped("the attributes below")),
        ("GetQueueUrl", Mapped("the address in the standby region")),
        ("ListDeadLetterSourceQueues", Mapped("the queues of the stack that name it")),
        ("ListMessageMoveTasks", Irrelevant("an operation on the primary's queue")),
        ("ListQueues", Irrelevant("belongs to the account and the region")),
    ],
};

/// The attributes.
pub const QUEUE: Ledger = Ledger {
    object: "Queue",
    service: "sqs",
    model: Model::Values("QueueAttributeName"),
    fields: &[
        ("Policy", NotYet("access policy, which names ARNs of its region")),
        ("RedriveAllowPolicy", NotYet("redrive permissions, which name ARNs of their region")),
        ("KmsDataKeyReusePeriodSeconds", NotYet("data key reuse period")),
        ("ContentBasedDeduplication", Carried),
        ("DeduplicationScope", Carried),
        ("DelaySeconds", Carried),
        ("FifoQueue", Carried),
        ("FifoThroughputLimit", Carried),
        ("MaximumMessageSize", Carried),
        ("MessageRetentionPeriod", Carried),
        ("ReceiveMessageWaitTimeSeconds", Carried),
        ("VisibilityTimeout", Carried),
        ("KmsMasterKeyId", Mapped("`kms_key`; a key of one's own without it is refused (DR281)")),
        ("SqsManagedSseEnabled", Mapped("on, unless there is a KMS key")),
        ("RedrivePolicy", Mapped("a dead-letter queue of the standby region, with the same limit")),
        ("QueueArn", Mapped("the ARN in the standby region")),
        ("All", Irrelevant("a word of the API")),
        ("ApproximateNumberOfMessages", Irrelevant(MESSAGES)),
        ("ApproximateNumberOfMessagesDelayed", Irrelevant(MESSAGES)),
        ("ApproximateNumberOfMessagesNotVisible", Irrelevant(MESSAGES)),
        ("CreatedTimestamp", Irrelevant("a state")),
        ("LastModifiedTimestamp", Irrelevant("a state")),
    ],
};

/// Reason of what counts messages.
const MESSAGES: &str = "counts messages, which are not replicated";
