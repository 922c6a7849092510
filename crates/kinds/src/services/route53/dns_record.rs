//! A pair of records of one name, made, changed and removed in one batch, so that the name is always answered.
//!
//! The primary record is answered while its check is healthy. The secondary has no check: such a record is answered
//! whenever the primary's check is unhealthy, whatever the health of what it leads to (Route 53 API, `ResourceRecordSet`,
//! `Failover`), and with weight 0 too (developer guide, weighted routing and health checks), so that the two are never off
//! at once. Records carry no tags: the set identifiers are the mark.

use std::time::Duration;

use drstack_core::address::ComponentAddress;
use drstack_core::kind::{Action, FieldChange, Kind, Lookup, Operation, Place};
use drstack_core::link::Link;
use serde::{Deserialize, Serialize};

use crate::services::operation;

/// Seconds that resolvers keep an answer; AWS recommends 60 or less for records with checks.
const TTL: i64 = 60;
/// Longest set identifier, by the API reference.
pub const MARK_LIMIT: usize = 128;
/// Ends of the set identifiers.
pub const SIDES: [&str; 2] = ["-primary", "-secondary"];

/// What is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DnsRecordSpec {
    /// Id of the zone.
    pub zone: String,
    /// The name, in full and without a dot at its end.
    pub record: String,
    /// How the set identifiers begin: `drstack-STACK-COMPONENT`.
    pub mark: String,
    /// DNS name that answers for the primary.
    pub primary: String,
    /// DNS name that answers for the standby region.
    pub secondary: String,
    /// Both are load balancers, led to by alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aliases: Option<AliasZones>,
    /// The check that says whether the primary is answered.
    pub check: Link,
    /// A simple record that leads to the primary is adopted.
    pub adopt: bool,
    /// Both are answered by weight, at first the primary in so many of 100 cases; else the primary while it is healthy. From
    /// then on the weights are those of [`DnsWeights`](crate::resources::DnsWeights).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weighted: Option<u32>,
}

/// Hosted zones of load balancers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasZones {
    /// Of the primary's.
    pub primary: String,
    /// Of the standby's.
    pub secondary: String,
}

impl From<(&str, &str)> for AliasZones {
    fn from((primary, secondary): (&str, &str)) -> Self {
        Self { primary: primary.to_owned(), secondary: secondary.to_owned() }
    }
}

/// What Route 53 reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DnsRecordLive {
    /// The record that is answered while its check is healthy.
    pub primary: Option<Side>,
    /// The record that is answered otherwise.
    pub secondary: Option<Side>,
    /// Both are answered, by weight.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub weighted: bool,
}

/// One record of the pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// The DNS name it leads to.
    pub target: String,
    /// Its check.
    pub check: Option<String>,
    /// Seconds that resolvers keep it; 0 for an alias, which has those of what it leads to.
    pub ttl: i64,
    /// Where it is an alias, of what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<AliasOf>,
}

/// What an alias leads to, beside the name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AliasOf {
    /// The hosted zone of the load balancer.
    pub zone: String,
    /// Route 53 asks the load balancer for the health of its targets. It must not: a standby that is still small would count as
    /// unhealthy, and where both are Route 53 answers the dead primary.
    pub evaluates: bool,
}

/// Zone and name: how a pair is looked up.
pub fn record_id(zone: &str, record: &str) -> String {
    format!("{zone}/{record}")
}

/// How the set identifiers begin: the mark of ownership, written as in replication rules.
pub fn mark(stack: &str, component: &ComponentAddress) -> String {
    format!("drstack-{stack}-{}", component.as_str().replace("[\"", "=").replace("\"]", "="))
}

/// See the module.
pub struct DnsRecord;

impl Kind for DnsRecord {
    const NAME: &'static str = "dns-record";
    const SUMMARY: &'static str = "pair of Route 53 records, primary and standby, by failover or by weight";
    const LOOKUP: Lookup = Lookup::Name;
    const PLACES: &'static [Place] = &[Place::Global];
    const OPERATIONS: &'static [Operation] = &[
        operation("route53", "ChangeResourceRecordSets"),
        operation("route53", "ListHealthChecks"),
        operation("route53", "ListResourceRecordSets"),
        operation("route53", "ListTagsForResources"),
    ];
    type Spec = DnsRecordSpec;
    type Live = DnsRecordLive;

    fn diff(spec: &DnsRecordSpec, live: &DnsRecordLive) -> Vec<FieldChange> {
        let wanted = Self::expect(spec, "");
        let changes = [
            FieldChange::of("primary", &live.primary, &wanted.primary),
            FieldChange::of("secondary", &live.secondary, &wanted.secondary),
            FieldChange::of("weighted", &live.weighted, &wanted.weighted),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &DnsRecordSpec, _id: &str) -> DnsRecordLive {
        let side = |target: &str, check, zone: Option<&String>| {
            let alias = zone.map(|zone| AliasOf { zone: zone.clone(), evaluates: false });
            let ttl = if alias.is_some() { 0 } else { TTL };
            Some(Side { target: target.to_owned(), check, ttl, alias })
        };
        let zones = spec.aliases.as_ref();
        let check = Some(spec.check.text().to_owned());
        DnsRecordLive {
            primary: side(&spec.primary, check, zones.map(|it| &it.primary)),
            secondary: side(&spec.secondary, None, zones.map(|it| &it.secondary)),
            weighted: spec.weighted.is_some(),
        }
    }

    fn links(live: &DnsRecordLive) -> Vec<String> {
        let sides = [&live.primary, &live.secondary].into_iter().flatten();
        sides.filter_map(|side| side.check.clone()).collect()
    }

    fn prior(_action: Action) -> Duration {
        Duration::from_secs(3)
    }
}

#[cfg(feature = "aws")]
mod aws;

#[cfg(feature = "aws")]
pub(crate) use aws::{share, side_of, simple, weigh};
