//! The fact of a primary table, with what a replica or a restored table needs to know.

use std::collections::BTreeMap;

use drstack_core::kind::{Operation, Place};
use serde::{Deserialize, Serialize};

use crate::facts::FactKind;
use crate::ledger::{Ledger, NotCarried};
use crate::services::operation;

/// A table of the primary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableFact {
    /// True for pay per request; else the capacity is provisioned.
    pub on_demand: bool,
    /// True if write capacity scales automatically (provisioned tables only).
    pub autoscaled: bool,
    /// Global secondary indexes whose write capacity is fixed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed_indexes: Vec<String>,
    /// The customer-managed key that encrypts it.
    pub kms_key: Option<String>,
    /// View type of its stream; none if it has no stream.
    pub stream: Option<String>,
    /// True for a global table of version 2017, which accepts no replica of the current version.
    #[serde(default)]
    pub legacy: bool,
    /// Regions of its replicas, without its own; none if an older version captured the fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Vec<String>>,
    /// The shape for a new table; none if an older version captured the fact.
    #[serde(default)]
    pub shape: Option<TableShape>,
    /// What is set on it and not carried.
    #[serde(default, skip_serializing_if = "NotCarried::is_empty")]
    pub not_carried: NotCarried,
}

/// The tables of a table, what matters most first.
pub const LEDGERS: &[&Ledger] = &[&fields::BESIDE, &fields::TABLE];

/// Keys, indexes and capacity of a table, as a restore needs them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableShape {
    /// Types of the attributes that keys name: `S`, `N` or `B`.
    pub attributes: BTreeMap<String, String>,
    /// Its key.
    pub key: Vec<KeyPart>,
    /// Its global secondary indexes.
    pub indexes: Vec<TableIndex>,
    /// Names of its local secondary indexes, which an import cannot create.
    pub local_indexes: Vec<String>,
    /// Its fixed capacity; none if it pays per request or scales automatically.
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
    /// Included attributes beside the keys.
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

/// Units per second.
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
        operation("dynamodb", "DescribeContinuousBackups"),
        operation("dynamodb", "DescribeKinesisStreamingDestination"),
        operation("dynamodb", "DescribeTable"),
        operation("dynamodb", "GetResourcePolicy"),
        operation("dynamodb", "ListTagsOfResource"),
    ];
}

#[cfg(feature = "aws")]
mod aws;
pub mod fields;
