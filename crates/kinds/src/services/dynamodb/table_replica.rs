//! The table replica kind: a replica of a primary table in the standby region (global tables,
//! version 2019.11.21), with its own settings.

use std::collections::BTreeMap;
use std::time::Duration;

use drstack_core::kind::{
    Action, Capabilities, Erased, FieldChange, Halfway, Kind, Lookup, Operation, Readiness, Replication,
    Role, Side, Staged, Wait,
};
use drstack_core::sides::Copied;
use serde::{Deserialize, Serialize};

use super::standby_table::{Settings, StandbyTable};
use crate::services::{key, operation};

/// The desired state of a table replica.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableReplicaSpec {
    /// The table; a replica has the same name.
    pub table: String,
    /// Key, recovery and protection.
    #[serde(flatten)]
    pub settings: Settings,
}

/// Returns what DynamoDB demands in the region of a replica, for the update of the primary's table that creates or deletes
/// it (DynamoDB Developer Guide, "DynamoDB global tables security").
const fn through_primary(action: &'static str) -> Operation {
    operation("dynamodb", action).on(Side::ThroughPrimary)
}

/// The table replica kind.
pub struct TableReplica;

impl Kind for TableReplica {
    const NAME: &'static str = "table-replica";
    const SUMMARY: &'static str = "global-table replica in the standby region, with recovery and protection";
    const LOOKUP: Lookup = Lookup::Name;
    const ROLE: Role = Role::Data;
    const WAIT: Wait = Wait::LONG;
    const OPERATIONS: &'static [Operation] = &[
        through_primary("BatchWriteItem"),
        through_primary("CreateTable"),
        through_primary("CreateTableReplica"),
        through_primary("DeleteItem").only_creates(),
        operation("dynamodb", "DeleteTable"),
        through_primary("DeleteTableReplica"),
        operation("dynamodb", "DescribeContinuousBackups"),
        operation("dynamodb", "DescribeTable").on(Side::AlsoPrimary),
        through_primary("GetItem"),
        operation("dynamodb", "ListTables"),
        operation("dynamodb", "ListTagsOfResource"),
        through_primary("PutItem"),
        through_primary("Query"),
        through_primary("Scan"),
        operation("dynamodb", "TagResource"),
        operation("dynamodb", "UpdateContinuousBackups"),
        through_primary("UpdateItem"),
        operation("dynamodb", "UpdateTable").on(Side::AlsoPrimary),
        operation("iam", "CreateServiceLinkedRole").implied(),
        key("CreateGrant"),
        key("Decrypt"),
        key("DescribeKey"),
        key("Encrypt"),
        key("GenerateDataKey"),
        key("ReEncryptFrom"),
        key("ReEncryptTo"),
    ];
    const CAPABILITIES: Capabilities = Capabilities {
        replication: Some(&Erased::<Self>::NEW),
        staged: Some(&Erased::<Self>::NEW),
        adopted_by: Some("adopt = true"),
        ..Capabilities::NONE
    };
    type Spec = TableReplicaSpec;
    type Live = StandbyTable;

    fn diff(spec: &TableReplicaSpec, live: &StandbyTable) -> Vec<FieldChange> {
        live.differences(&spec.settings)
    }

    fn expect(spec: &TableReplicaSpec, id: &str) -> StandbyTable {
        StandbyTable::expect(&spec.settings, id)
    }

    fn ready(spec: &TableReplicaSpec, live: &StandbyTable) -> Readiness {
        match live.status.as_str() {
            "ACTIVE" => Readiness::Ready,
            "CREATION_FAILED" | "INACCESSIBLE_ENCRYPTION_CREDENTIALS" => {
                Readiness::Failed(format!("the replica of `{}` is {}", spec.table, live.status))
            }
            other => Readiness::Waiting(format!("the replica of `{}` is {other}", spec.table)),
        }
    }

    fn outputs(id: &str, live: &StandbyTable) -> BTreeMap<String, String> {
        live.outputs(id)
    }

    fn prior(action: Action) -> Duration {
        // AWS fills a replica in minutes for small tables, in hours for large ones.
        if action == Action::Update { Duration::from_secs(5) } else { Duration::from_secs(300) }
    }
}

/// Returns why a replica with this status cannot serve; `None` if it can (Amazon DynamoDB API reference, `TableStatus`).
pub(crate) fn unwell(status: &str) -> Option<String> {
    match status {
        "ACTIVE" | "UPDATING" => None,
        "CREATING" => Some("the replica is still being made: it may never get all of its items".to_owned()),
        other => Some(format!("the replica is {other}: it does not serve")),
    }
}

impl Replication for TableReplica {
    fn copied(spec: &TableReplicaSpec) -> Option<Copied> {
        Some(copied_items(Self::NAME, &spec.table))
    }

    fn unwell(live: &StandbyTable) -> Option<String> {
        unwell(&live.status)
    }
}

/// Returns what is compared of a table that exists in both regions.
pub(super) fn copied_items(kind: &'static str, table: &str) -> Copied {
    Copied {
        kind,
        name: table.to_owned(),
        copy: table.to_owned(),
        unit: "item",
        both_write: true,
        deletions: true,
        is_dated: false,
        shows_keys: false,
        means: "Items are compared whole; when one was written is not known.",
        metrics: None,
    }
}

impl Staged for TableReplica {
    /// The replica is created without tags and settings, which it gets once it exists.
    fn halfway(spec: &TableReplicaSpec, id: &str) -> Vec<Halfway<StandbyTable>> {
        let whole = Self::expect(spec, id);
        vec![Halfway::untagged(whole.bare()), Halfway::tagged(StandbyTable { tagged: true, ..whole.bare() })]
    }
}

#[cfg(feature = "aws")]
mod aws;
