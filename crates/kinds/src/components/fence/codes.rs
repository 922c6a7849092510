//! Diagnostics of `[fence.NAME]`.

use drstack_core::diagnostic::codes::Code;

pub(super) const CODES: &[Code] = &[
    (
        "DR270",
        "not a role's name",
        "`deny_writers` names IAM roles of the account, each once and without its path: up to 64 letters, digits and `_+=,.@-`.",
    ),
    (
        "DR271",
        "a fence that denies nothing, or nobody",
        "`deny_writers` goes with `buckets` or `tables`: the roles are denied to write these in the primary region while the standby region serves. docs/guide/fence.md shows it.",
    ),
];
