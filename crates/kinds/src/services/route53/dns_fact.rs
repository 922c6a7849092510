//! A name in DNS, and what stands there.

use drstack_core::facts::FactQuery;
use drstack_core::kind::{Operation, Place};
use serde::{Deserialize, Serialize};

use crate::facts::FactKind;
use crate::services::operation;

/// A name in DNS, and what stands there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DnsFact {
    /// Ids of the public hosted zones of the name; one, unless somebody made two.
    pub zones: Vec<String>,
    /// The record's name, in full.
    pub record: String,
    /// A record of that name that is all by itself, has no alias and is not the stack's.
    pub simple: Option<SimpleRecord>,
    /// Type and value of all others of that name that are not the stack's.
    pub others: Vec<String>,
}

/// A record that leads to one name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimpleRecord {
    /// The name it leads to.
    pub target: String,
    /// Seconds that resolvers keep it.
    pub ttl: i64,
    /// The zone of the load balancer that it is an alias of, if it is one.
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

/// The question for `record` in a zone, which is given by name or id.
pub fn dns(zone: &str, record: &str) -> FactQuery {
    DnsFact::about(&format!("{zone}/{record}"))
}

/// Whether `text` is a zone's id: `Z` with capitals and digits after it.
pub fn is_zone_id(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    text.starts_with('Z') && text.len() > 1 && text.chars().all(inner)
}

#[cfg(feature = "aws")]
mod aws;
