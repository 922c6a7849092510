//! Diagnostics of checks.

use drstack_core::diagnostic::codes::Code;

pub(super) const CODES: &[Code] = &[
    (
        "DR260",
        "a check looks at nothing, or at several things",
        "A check has one of `http`, `table`, `object` and `command`; docs/guide/checks.md shows each.",
    ),
    (
        "DR261",
        "fields of a check that do not go together",
        "`status` and `contains` go with `http`, `item` and `writable` with `table`, `key` and `sha256` with `object`.",
    ),
    (
        "DR262",
        "a check that could never hold",
        "An address, a status, a key, a hash, a command or a time of a check is not one.",
    ),
    (
        "DR263",
        "a check of a copy that does not exist",
        "A cold table is in the standby region once a failover has restored it, which needs the keys that the primary's table had when it was last asked. Of this table nobody knows them.",
    ),
];
