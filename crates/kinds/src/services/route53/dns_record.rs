//! The DNS record kind: a pair of records of one name, changed in one batch, so that the name
//! always has an answer.
//!
//! Route 53 answers with the primary record while its check is healthy. The secondary has no check:
//! Route 53 answers with such a record whenever the primary's check is unhealthy, whatever the
//! health of its target (Route 53 API, `ResourceRecordSet`, `Failover`), and with weight 0 too
//! (developer guide, weighted routing and health checks). The two are therefore never off at once.
//! Records carry no tags: the set identifiers are the mark of ownership.

use std::time::Duration;

use drstack_core::address::ComponentAddress;
use drstack_core::kind::{Action, Capabilities, FieldChange, Kind, Lookup, Operation, Place};
use drstack_core::link::Link;
use serde::{Deserialize, Serialize};

use crate::services::operation;

/// Seconds for which resolvers cache an answer; AWS recommends 60 or less for records with checks.
const TTL: i64 = 60;
/// Maximum length of a set identifier, by the API reference.
pub const MARK_LIMIT: usize = 128;
/// Suffixes of the set identifiers.
pub const SIDES: [&str; 2] = ["-primary", "-secondary"];

/// The desired state of a DNS record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DnsRecordSpec {
    /// Id of the zone.
    pub zone: String,
    /// The full name, without a dot at its end.
    pub record: String,
    /// Prefix of the set identifiers: `drstack-STACK-COMPONENT`.
    pub mark: String,
    /// DNS name of the primary.
    pub primary: String,
    /// DNS name of the standby region.
    pub secondary: String,
    /// Hosted zones of the targets if both are load balancers, reached by alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aliases: Option<AliasZones>,
    /// The check that decides if Route 53 answers with the primary.
    pub check: Link,
    /// True to adopt a simple record that points to the primary.
    pub adopt: bool,
    /// The primary's initial share of 100 answers by weight; none to answer with the primary while
    /// it is healthy.
    ///
    /// Later weights are those of [`DnsWeights`](crate::resources::DnsWeights).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weighted: Option<u32>,
}

/// Hosted zones of load balancers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasZones {
    /// Zone of the primary's load balancer.
    pub primary: String,
    /// Zone of the standby's load balancer.
    pub secondary: String,
}

impl From<(&str, &str)> for AliasZones {
    fn from((primary, secondary): (&str, &str)) -> Self {
        Self { primary: primary.to_owned(), secondary: secondary.to_owned() }
    }
}

/// A DNS record as Route 53 reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DnsRecordLive {
    /// The record that Route 53 answers with while its check is healthy.
    pub primary: Option<Side>,
    /// The record that Route 53 answers with otherwise.
    pub secondary: Option<Side>,
    /// True if Route 53 answers with both, by weight.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub weighted: bool,
}

/// One record of the pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// The DNS name that it points to.
    pub target: String,
    /// Its check.
    pub check: Option<String>,
    /// Seconds for which resolvers cache it; 0 for an alias, which has those of its target.
    pub ttl: i64,
    /// The target of an alias, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<AliasOf>,
}

/// The target of an alias, beside its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AliasOf {
    /// The hosted zone of the load balancer.
    pub zone: String,
    /// True if Route 53 evaluates the health of the load balancer's targets.
    ///
    /// It must not: a standby that is still small would count as unhealthy, and if both are
    /// unhealthy Route 53 answers with the dead primary.
    pub evaluates: bool,
}

/// Returns the id of a pair: zone and name.
pub fn record_id(zone: &str, record: &str) -> String {
    format!("{zone}/{record}")
}

/// Returns the prefix of the set identifiers: the mark of ownership, in the same form as in
/// replication rules.
pub fn mark(stack: &str, component: &ComponentAddress) -> String {
    format!("drstack-{stack}-{}", component.as_str().replace("[\"", "=").replace("\"]", "="))
}

/// The DNS record kind.
pub struct DnsRecord;

impl Kind for DnsRecord {
    const NAME: &'static str = "dns-record";
    const SUMMARY: &'static str = "pair of Route 53 records, primary and standby, by failover or by weight";
    const LOOKUP: Lookup = Lookup::Name;
    const PLACES: &'static [Place] = &[Place::Global];
    const CAPABILITIES: Capabilities = Capabilities { leads_users: true, ..Capabilities::NONE };
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
