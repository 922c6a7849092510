//! Fields of a table, and what becomes of each.
//!
//! What a replica has without asking is in the DynamoDB Developer Guide, "Global tables: settings
//! synchronization".

use crate::ledger::Fate::{Carried, Irrelevant, Mapped, NotYet, Refused, Unasked};
use crate::ledger::{Ledger, Model};

/// What hangs on a table and is read apart from it.
pub const BESIDE: Ledger = Ledger {
    object: "What hangs on a table",
    service: "dynamodb",
    model: Model::Operations(&["Describe", "Get", "List"]),
    fields: &[
        ("GetResourcePolicy", NotYet("resource policy")),
        ("ListTagsOfResource", NotYet("tag")),
        ("DescribeContinuousBackups", NotYet("recovery period")),
        ("DescribeKinesisStreamingDestination", NotYet("Kinesis destination")),
        ("DescribeContributorInsights", Unasked("it watches keys, and serves nothing")),
        ("ListContributorInsights", Unasked("it watches keys, and serves nothing")),
        ("DescribeTable", Mapped("the fields below")),
        ("GetItem", Mapped("replicated, or restored from an export")),
        ("DescribeTimeToLive", Mapped(REPLICA)),
        ("DescribeTableReplicaAutoScaling", Mapped("what you register for the replica; a note asks for it")),
        ("DescribeGlobalTable", Refused("DR212")),
        ("DescribeGlobalTableSettings", Refused("DR212")),
        ("ListGlobalTables", Refused("DR212")),
        ("DescribeBackup", Irrelevant(HISTORY)),
        ("DescribeBulkOperation", Irrelevant(HISTORY)),
        ("DescribeExport", Irrelevant(HISTORY)),
        ("DescribeImport", Irrelevant(HISTORY)),
        ("ListBackups", Irrelevant(HISTORY)),
        ("ListBulkOperations", Irrelevant(HISTORY)),
        ("ListExports", Irrelevant(HISTORY)),
        ("ListImports", Irrelevant(HISTORY)),
        ("DescribeEndpoints", Irrelevant(ACCOUNT)),
        ("DescribeLimits", Irrelevant(ACCOUNT)),
        ("ListTables", Irrelevant(ACCOUNT)),
    ],
};

/// The table itself.
pub const TABLE: Ledger = Ledger {
    object: "Table",
    service: "dynamodb",
    model: Model::Members("TableDescription"),
    fields: &[
        ("MultiRegionConsistency", NotYet("consistency")),
        ("DisassociationProtectionEnabled", NotYet("disassociation protection")),
        ("VectorIndexes", NotYet("vector index")),
        ("AttributeDefinitions", Carried),
        ("KeySchema", Carried),
        ("TableName", Carried),
        ("BillingModeSummary", Carried),
        ("GlobalSecondaryIndexes", Carried),
        (
            "LocalSecondaryIndexes",
            Mapped("a replica has the same; a restored table has none, and a note says so"),
        ),
        (
            "ProvisionedThroughput",
            Mapped("auto scaling of the replica's own; a fixed write capacity is refused (DR212)"),
        ),
        ("OnDemandThroughput", Mapped(REPLICA)),
        ("WarmThroughput", Mapped(REPLICA)),
        ("TableClassSummary", Mapped(REPLICA)),
        ("StreamSpecification", Mapped("new and old images; another view is refused (DR217)")),
        ("SSEDescription", Mapped("`kms_key`; a key of one's own without it is refused (DR213)")),
        ("DeletionProtectionEnabled", Mapped("`deletion_protection`")),
        ("Replicas", Mapped("the stack's own replica, beside those of others")),
        ("GlobalTableVersion", Refused("DR212")),
        ("GlobalTableSettingsReplicationMode", Irrelevant("belongs to the replicas of several accounts")),
        ("GlobalTableWitnesses", Irrelevant("belongs to strong consistency, which is named above")),
        ("ArchivalSummary", Irrelevant(STATE)),
        ("CreationDateTime", Irrelevant(STATE)),
        ("ItemCount", Irrelevant(STATE)),
        ("LatestStreamArn", Irrelevant(STATE)),
        ("LatestStreamLabel", Irrelevant(STATE)),
        ("RestoreSummary", Irrelevant(STATE)),
        ("TableArn", Irrelevant(STATE)),
        ("TableId", Irrelevant(STATE)),
        ("TableSizeBytes", Irrelevant(STATE)),
        ("TableStatus", Irrelevant(STATE)),
    ],
};

/// What a replica has and no export brings.
const REPLICA: &str = "a replica has the same; a restored table has none";
/// Reason of what AWS reports and nobody sets.
const STATE: &str = "a state or a name that AWS gives";
/// Reason of earlier operations on a table.
const HISTORY: &str = "an operation on the primary's table";
/// Reason of what belongs to the account.
const ACCOUNT: &str = "belongs to the account and the region";
