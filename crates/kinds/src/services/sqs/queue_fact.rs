//! The fact of a queue of the primary.

use std::collections::BTreeMap;

use drstack_core::kind::{Operation, Place};
use serde::{Deserialize, Serialize};

use crate::facts::FactKind;
use crate::ledger::{Ledger, NotCarried};
use crate::services::operation;

/// A queue of the primary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueFact {
    /// Values of [`super::queue::FOLLOWED`].
    pub attributes: BTreeMap<String, String>,
    /// The KMS key that encrypts it; empty for keys that SQS manages, none if it is not encrypted.
    pub encryption: Option<String>,
    /// True if it has its own access policy.
    pub has_policy: bool,
    /// Its dead-letter queue.
    pub dead_letters: Option<DeadLetters>,
    /// What is set on it and not carried.
    #[serde(default, skip_serializing_if = "NotCarried::is_empty")]
    pub not_carried: NotCarried,
}

/// The tables of a queue, what matters most first.
pub const LEDGERS: &[&Ledger] = &[&fields::QUEUE, &fields::BESIDE];

/// The dead-letter queue of a queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadLetters {
    /// Its name.
    pub name: String,
    /// Maximum number of times a message is received before it moves there.
    pub max_receive_count: u32,
    /// Values of [`super::queue::FOLLOWED`].
    pub attributes: BTreeMap<String, String>,
    /// Encryption of the queue, as in [`QueueFact`].
    pub encryption: Option<String>,
}

impl FactKind for QueueFact {
    const NAME: &'static str = "queue";
    const PLACE: Place = Place::Primary;
    const OPERATIONS: &'static [Operation] = &[
        operation("sqs", "GetQueueAttributes"),
        operation("sqs", "GetQueueUrl"),
        operation("sqs", "ListQueueTags"),
    ];
}

#[cfg(feature = "aws")]
mod aws;
pub mod fields;
