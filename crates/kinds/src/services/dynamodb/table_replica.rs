//! The table replica kind: a replica of a primary table in the standby region (global tables,
//! version 2019.11.21), with its own settings.

use std::collections::BTreeMap;
use std::time::Duration;

use drstack_core::kind::{
    Action, Capabilities, Erased, FieldChange, Halfway, Kind, Lookup, Operation, Readiness, Replication,
    Role, Staged, Wait,
};
use drstack_core::sides::Copied;
use serde::{Deserialize, Serialize};

use super::standby_table::{Settings, StandbyTable};
use crate::services::operation;

/// The desired state of a table replica.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableReplicaSpec {
    /// The table; a replica has the same name.
    pub table: String,
    /// Key, recovery and protection.
    #[serde(flatten)]
    pub settings: Settings,
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
        operation("dynamodb", "CreateTable"),
        operation("dynamodb", "CreateTableReplica"),
        operation("dynamodb", "DeleteItem"),
        operation("dynamodb", "DeleteTable"),
        operation("dynamodb", "DeleteTableReplica"),
        operation("dynamodb", "DescribeContinuousBackups"),
        operation("dynamodb", "DescribeTable"),
        operation("dynamodb", "GetItem"),
        operation("dynamodb", "ListTables"),
        operation("dynamodb", "ListTagsOfResource"),
        operation("dynamodb", "PutItem"),
        operation("dynamodb", "Query"),
        operation("dynamodb", "Scan"),
        operation("dynamodb", "TagResource"),
        operation("dynamodb", "UpdateContinuousBackups"),
        operation("dynamodb", "UpdateItem"),
        operation("dynamodb", "UpdateTable"),
        operation("iam", "CreateServiceLinkedRole").implied(),
    ];
    const CAPABILITIES: Capabilities = Capabilities {
        replication: Some(&Erased::<Self>::NEW),
        staged: Some(&Erased::<Self>::NEW),
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

impl Replication for TableReplica {
    fn copied(spec: &TableReplicaSpec) -> Option<Copied> {
        Some(Copied {
            kind: Self::NAME,
            name: spec.table.clone(),
            copy: spec.table.clone(),
            unit: "item",
            both_write: true,
            deletions: true,
            is_dated: false,
            shows_keys: false,
            means: "Items are compared whole; when one was written is not known.",
            metrics: None,
        })
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
