//! A table of the primary, as a replica or a restored table has to know it.

use std::collections::BTreeMap;

use drstack_core::kind::{Operation, Place};
use serde::{Deserialize, Serialize};

use crate::facts::FactKind;
use crate::services::operation;

/// A table of the primary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableFact {
    /// Pay per request; else provisioned.
    pub on_demand: bool,
    /// Write capacity scales by itself (provisioned tables only).
    pub autoscaled: bool,
    /// The customer-managed key that encrypts it.
    pub kms_key: Option<String>,
    /// What its stream shows of each change; none where there is no stream.
    pub stream: Option<String>,
    /// It is a global table of the version from 2017, which takes no replica of today's.
    #[serde(default)]
    pub legacy: bool,
    /// What a table has to be made with; none where an older version asked.
    #[serde(default)]
    pub shape: Option<TableShape>,
}

/// Keys, indexes and capacity of a table: what restoring it has to be told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableShape {
    /// Types of the attributes that keys name: `S`, `N` or `B`.
    pub attributes: BTreeMap<String, String>,
    /// Its key.
    pub key: Vec<KeyPart>,
    /// Its global secondary indexes.
    pub indexes: Vec<TableIndex>,
    /// Names of its local secondary indexes, which an import cannot make.
    pub local_indexes: Vec<String>,
    /// Its fixed capacity; none where it pays per request or scales by itself.
    pub capacity: Option<Throughput>,
}

/// A global secondary index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableIndex {
    /// Its name.
    pub name: String,
    /// Its key.
    pub key: Vec<KeyPart>,
    /// `ALL`, `KEYS_ONLY` or `INCLUDE`.
    pub projection: String,
    /// What it includes beside keys.
    pub attributes: Vec<String>,
    /// Its fixed capacity.
    pub capacity: Option<Throughput>,
}

/// One attribute of a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyPart {
    /// The attribute.
    pub attribute: String,
    /// `HASH` or `RANGE`.
    pub role: String,
}

/// Units a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throughput {
    /// Reads.
    pub read: i64,
    /// Writes.
    pub write: i64,
}

impl FactKind for TableFact {
    const NAME: &'static str = "table";
    const PLACE: Place = Place::Primary;
    const OPERATIONS: &'static [Operation] = &[
        operation("application-autoscaling", "DescribeScalableTargets"),
        operation("dynamodb", "DescribeTable"),
    ];
}

#[cfg(feature = "aws")]
mod aws;
