//! Diagnostics of `[queue.NAME]`.

use drstack_core::diagnostic::codes::Code;

pub(super) const CODES: &[Code] = &[
    (
        "DR280",
        "not a queue of the primary",
        "`name` is a queue of the primary region: 1 to 80 letters, digits, `_` and `-`, with `.fifo` behind them for a FIFO queue.",
    ),
    (
        "DR281",
        "the primary's key encrypts the queue",
        "KMS keys belong to a region. Name one of the standby region, `kms_key`, or a multi-Region key's replica.",
    ),
    (
        "DR282",
        "dead letters go elsewhere",
        "`dead_letters` names the component of a dead-letter queue that several queues share. The primary's queue sends its dead letters to another queue, or nowhere.",
    ),
];
