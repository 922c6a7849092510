//! Fact kinds: the queries to the live regions, and the shapes of their answers.
//!
//! The registry lists them; the calling half of each is under feature `aws`.

use drstack_core::facts::{Fact, FactQuery};
use drstack_core::kind::{Operation, Place};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::registry::facts::*;
pub use crate::services::dynamodb::table_fact::{KeyPart, TableIndex, TableShape, Throughput};
pub use crate::services::ec2::disk::Disk;
pub use crate::services::ec2::network_fact::network;
pub use crate::services::route53::dns_fact::{SimpleRecord, dns, is_zone_id};
pub use crate::services::sts::account_fact::SIMULATED_ACCOUNT;

/// A query to the live regions: the type is the shape of its answer.
pub trait FactKind: Serialize + DeserializeOwned {
    /// Its name in the keys of facts: `group`.
    const NAME: &'static str;
    /// The region that answers.
    const PLACE: Place;
    /// Calls that a capture may make.
    const OPERATIONS: &'static [Operation];

    /// Returns the query about `name`.
    fn about(name: &str) -> FactQuery {
        FactQuery { kind: Self::NAME.to_owned(), name: name.to_owned(), place: Self::PLACE }
    }

    /// Returns the fact to store, given the stored one `before` it.
    fn keep(_before: Option<&Fact>, fact: Fact) -> Fact {
        fact
    }
}

/// Returns the fact to store for an answer to `query`, given the stored one `before` it.
pub fn keep(query: &FactQuery, before: Option<&Fact>, fact: Fact) -> Fact {
    kept(&query.kind, before, fact)
}
