//! Diagnostics of `[table.NAME]`.

use drstack_core::diagnostic::codes::Code;

pub(super) const CODES: &[Code] = &[
    (
        "DR211",
        "the primary table does not exist",
        "drstack replicates tables that exist; it makes none in the primary region.",
    ),
    (
        "DR212",
        "a table cannot have a replica",
        "Provisioned tables need auto scaling of writes, for themselves and for each global secondary index, before a replica can be added; on-demand tables need nothing.",
    ),
    (
        "DR213",
        "a replica needs a key",
        "A table under a customer-managed key needs `kms_key`, a key of the standby region.",
    ),
    (
        "DR217",
        "the stream shows too little",
        "A replica needs a stream with new and old images. A stream's view cannot be changed; it has to be switched off and on, and its readers start over.",
    ),
    (
        "DR218",
        "a cold table is only exported",
        "Each apply exports a cold table to `exports/STACK/TABLE` in the control bucket, unless an export of the last 24 hours (or of its RPO, where that is less) is there. A failover imports the newest complete export into a table of the same name, with the keys and global indexes that the primary's table had when it was last asked. What was written since that export is lost with the primary.",
    ),
    (
        "DR244",
        "a table that is not adopted so",
        "`adopt = true` uses a replica that exists in the standby region as it is: drstack makes none, changes no setting of it and never deletes it. Without a replica there, leave `adopt` out.",
    ),
];
