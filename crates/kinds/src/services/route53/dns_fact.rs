//! The fact of a DNS name and its records.

use drstack_core::facts::FactQuery;
use drstack_core::kind::{Operation, Place};
use serde::{Deserialize, Serialize};

use crate::facts::FactKind;
use crate::ledger::{Ledger, NotCarried};
use crate::services::operation;

/// A DNS name and its records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DnsFact {
    /// Ids of the public hosted zones of the name; normally one.
    pub zones: Vec<String>,
    /// The record's full name.
    pub record: String,
    /// A record that is the only one of its name, has no alias and is not the stack's.
    pub simple: Option<SimpleRecord>,
    /// Type and value of all other records of that name that are not the stack's.
    pub others: Vec<String>,
    /// What is set on the simple record and not carried.
    #[serde(default, skip_serializing_if = "NotCarried::is_empty")]
    pub not_carried: NotCarried,
}

/// The tables of a record and its health check.
pub const LEDGERS: &[&Ledger] = &[&fields::RECORD, &fields::ALIAS, &fields::HEALTH_CHECK];

/// A record that points to one name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimpleRecord {
    /// The name that it points to.
    pub target: String,
    /// Seconds for which resolvers cache it.
    pub ttl: i64,
    /// The zone of the load balancer, if the record is an alias of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

impl FactKind for DnsFact {
    const NAME: &'static str = "dns";
    const PLACE: Place = Place::Global;
    const OPERATIONS: &'static [Operation] = &[
        operation("route53", "GetHostedZone"),
        operation("route53", "ListHostedZonesByName"),
        operation("route53", "ListResourceRecordSets"),
    ];
}

/// Returns the query for `record` in a zone, which is given by name or id.
pub fn dns(zone: &str, record: &str) -> FactQuery {
    DnsFact::about(&format!("{zone}/{record}"))
}

/// True if `text` is a zone's id: `Z` followed by capitals and digits.
pub fn is_zone_id(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    text.starts_with('Z') && text.len() > 1 && text.chars().all(inner)
}

#[cfg(feature = "aws")]
mod aws;
pub mod fields;
