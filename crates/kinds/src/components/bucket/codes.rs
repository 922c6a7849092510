//! Diagnostics of `[bucket.NAME]`.

use drstack_core::diagnostic::codes::Code;

pub(super) const CODES: &[Code] = &[
    (
        "DR210",
        "the primary bucket cannot be replicated",
        "drstack replicates buckets that exist; it makes none in the primary region. Locked objects are copied only into a bucket with Object Lock, which drstack does not make.",
    ),
    (
        "DR215",
        "objects under a KMS key are not copied",
        "S3 copies objects under KMS keys only where a rule says under which key the copies are kept. Objects under the primary's key cannot be read in the standby region anyway.",
    ),
    (
        "DR216",
        "the bucket has replication rules of others",
        "S3 has one role for all replication rules of a bucket. The rules of others stay, and so does their role, which has to be allowed to write to the standby bucket too. A rule without a filter is of an older form, and S3 takes no other rule beside it.",
    ),
];
