//! The queue kind: a queue of the standby region. It is empty until the application writes to it.

use std::collections::BTreeMap;

use drstack_core::kind::{FieldChange, Kind, Lookup, Operation};
use drstack_core::link::Link;
use serde::{Deserialize, Serialize};

use crate::services::operation;

/// Attributes that are followed, as `SetQueueAttributes` names them.
///
/// The access policy and the redrive permissions are not among them: they name ARNs of their
/// region.
pub const FOLLOWED: &[&str] = &[
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoThroughputLimit",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "VisibilityTimeout",
];

/// The desired state of a queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueueSpec {
    /// Its name, the same as in the primary; that of a FIFO queue ends with `.fifo`.
    pub name: String,
    /// Values of [`FOLLOWED`].
    pub attributes: BTreeMap<String, String>,
    /// The KMS key that encrypts it; default: keys that SQS manages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Dead-letter queue for messages that were received too often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redrive: Option<Redrive>,
}

/// The dead-letter queue and its limit, as specified.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Redrive {
    /// ARN of the dead-letter queue.
    pub dead_letters: Link,
    /// Maximum number of times a message is received before it moves there.
    pub max_receive_count: u32,
}

/// A queue as SQS reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueLive {
    /// Its ARN.
    pub arn: String,
    /// Values of [`FOLLOWED`].
    pub attributes: BTreeMap<String, String>,
    /// The KMS key that encrypts it; empty for keys that SQS manages, null if it is not encrypted.
    pub encryption: Option<String>,
    /// Dead-letter queue for messages that were received too often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redrive: Option<RedriveLive>,
}

/// The dead-letter queue and its limit as SQS reports them, like [`Redrive`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RedriveLive {
    /// ARN of the dead-letter queue.
    pub dead_letters: String,
    /// Maximum number of times a message is received before it moves there.
    pub max_receive_count: u32,
}

impl QueueSpec {
    fn encryption(&self) -> Option<&str> {
        Some(self.kms_key.as_deref().unwrap_or_default())
    }

    fn redrive(&self) -> Option<RedriveLive> {
        let live = |it: &Redrive| RedriveLive {
            dead_letters: it.dead_letters.text().to_owned(),
            max_receive_count: it.max_receive_count,
        };
        self.redrive.as_ref().map(live)
    }
}

/// The queue kind.
pub struct Queue;

impl Kind for Queue {
    const NAME: &'static str = "queue";
    const SUMMARY: &'static str =
        "SQS queue in the standby region; it holds nothing until the application writes to it";
    const LOOKUP: Lookup = Lookup::Name;
    const OPERATIONS: &'static [Operation] = &[
        operation("sqs", "CreateQueue"),
        operation("sqs", "DeleteQueue"),
        operation("sqs", "GetQueueAttributes"),
        operation("sqs", "GetQueueUrl"),
        operation("sqs", "ListQueueTags"),
        operation("sqs", "ListQueues"),
        operation("sqs", "SetQueueAttributes"),
        operation("sqs", "TagQueue"),
    ];
    type Spec = QueueSpec;
    type Live = QueueLive;

    fn diff(spec: &QueueSpec, live: &QueueLive) -> Vec<FieldChange> {
        let attribute = |(name, wanted): (&String, &String)| {
            FieldChange::of(&format!("attributes.{name}"), &live.attributes.get(name), &Some(wanted))
        };
        let rest = [
            FieldChange::of("encryption", &live.encryption.as_deref(), &spec.encryption()),
            FieldChange::of("redrive", &live.redrive, &spec.redrive()),
        ];
        spec.attributes.iter().filter_map(attribute).chain(rest.into_iter().flatten()).collect()
    }

    fn expect(spec: &QueueSpec, id: &str) -> QueueLive {
        QueueLive {
            arn: format!("arn:aws:sqs:standby:000000000000:{id}"),
            attributes: spec.attributes.clone(),
            encryption: spec.encryption().map(str::to_owned),
            redrive: spec.redrive(),
        }
    }

    fn outputs(id: &str, live: &QueueLive) -> BTreeMap<String, String> {
        [("id", id), ("arn", live.arn.as_str())]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn links(live: &QueueLive) -> Vec<String> {
        live.redrive.iter().filter_map(|it| Some(it.dead_letters.rsplit(':').next()?.to_owned())).collect()
    }
}

#[cfg(feature = "aws")]
pub(crate) mod aws;
