//! The global table kind: a replica in the standby region that exists already. drstack reads it, and
//! never changes or deletes it.

use std::collections::BTreeMap;

use drstack_core::kind::{
    Capabilities, Erased, FieldChange, Kind, Lookup, Operation, Readiness, Replication, Role,
};
use drstack_core::sides::Copied;
use serde::{Deserialize, Serialize};

use super::table_replica::{TableReplica, copied_items};
use crate::services::operation;

/// The desired state of a global table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GlobalTableSpec {
    /// The table; all its replicas have the same name.
    pub table: String,
}

/// A replica of the standby region as DynamoDB reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GlobalTableLive {
    /// `ACTIVE` when it serves.
    pub status: String,
    /// Its ARN.
    pub arn: String,
}

/// The global table kind.
pub struct GlobalTable;

impl Kind for GlobalTable {
    const NAME: &'static str = "global-table";
    const SUMMARY: &'static str = "replica that exists in the standby region already; read, never changed";
    const LOOKUP: Lookup = Lookup::Name;
    const ROLE: Role = Role::Setting;
    const OPERATIONS: &'static [Operation] =
        &[operation("dynamodb", "DescribeTable"), operation("dynamodb", "Scan")];
    const CAPABILITIES: Capabilities = Capabilities {
        replication: Some(&Erased::<Self>::NEW),
        adopts: Some(TableReplica::NAME),
        ..Capabilities::NONE
    };
    type Spec = GlobalTableSpec;
    type Live = GlobalTableLive;

    fn diff(_spec: &GlobalTableSpec, _live: &GlobalTableLive) -> Vec<FieldChange> {
        Vec::new()
    }

    fn expect(_spec: &GlobalTableSpec, id: &str) -> GlobalTableLive {
        let arn = format!("arn:aws:dynamodb:standby:000000000000:table/{id}");
        GlobalTableLive { status: "ACTIVE".to_owned(), arn }
    }

    fn ready(spec: &GlobalTableSpec, live: &GlobalTableLive) -> Readiness {
        match live.status.as_str() {
            "ACTIVE" => Readiness::Ready,
            other => Readiness::Waiting(format!("the replica of `{}` is {other}", spec.table)),
        }
    }

    fn outputs(id: &str, live: &GlobalTableLive) -> BTreeMap<String, String> {
        [("id", id), ("arn", live.arn.as_str())]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }
}

impl Replication for GlobalTable {
    fn copied(spec: &GlobalTableSpec) -> Option<Copied> {
        Some(copied_items(Self::NAME, &spec.table))
    }
}

#[cfg(feature = "aws")]
mod aws;
