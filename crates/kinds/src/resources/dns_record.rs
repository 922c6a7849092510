//! A failover pair of records of one name, made, changed and removed in one batch, so that the name is always answered.
//!
//! The primary record is answered while its check is healthy. The secondary has no check: such a record is answered
//! whenever the primary's check is unhealthy, whatever the health of what it leads to (Route 53 API, `ResourceRecordSet`,
//! `Failover`), so that the two are never off at once. Records carry no tags: the set identifiers are the mark.

use std::time::Duration;

use drstack_core::address::ComponentAddress;
use drstack_core::kind::{Action, FieldChange, Kind, Lookup, Operation, Place};
use drstack_core::link::Link;
use serde::{Deserialize, Serialize};

use super::operation;

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
    /// The check that says whether the primary is answered.
    pub check: Link,
    /// A simple record that leads to the primary is taken over.
    pub adopt: bool,
}

/// What Route 53 reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DnsRecordLive {
    /// The record that is answered while its check is healthy.
    pub primary: Option<Side>,
    /// The record that is answered otherwise.
    pub secondary: Option<Side>,
}

/// One record of the pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// The DNS name it leads to.
    pub target: String,
    /// Its check.
    pub check: Option<String>,
    /// Seconds that resolvers keep it.
    pub ttl: i64,
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
    const SUMMARY: &'static str = "failover pair of Route 53 records, primary and standby";
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
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &DnsRecordSpec, _id: &str) -> DnsRecordLive {
        let side = |target: &str, check| Some(Side { target: target.to_owned(), check, ttl: TTL });
        DnsRecordLive {
            primary: side(&spec.primary, Some(spec.check.text().to_owned())),
            secondary: side(&spec.secondary, None),
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
mod aws {
    use std::collections::BTreeSet;

    use aws_sdk_route53::types::{
        Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, ResourceRecordSetFailover,
        RrType,
    };
    use drstack_core::address::Address;
    use drstack_core::cloud::{Call, CloudError, Owner, Scope};
    use drstack_core::kind::{FieldChange, Kind};

    use super::{DnsRecord, DnsRecordLive, DnsRecordSpec, SIDES, Side, record_id};
    use crate::aws::route53::{RECORD, owned_checks, plain, records};
    use crate::aws::s3::built;
    use crate::aws::tags::decode;
    use crate::aws::{Driver, Looked, Seen, Target, each};
    use crate::facts::SimpleRecord;

    const CHANGE: &str = "route53:ChangeResourceRecordSets";

    impl Driver for DnsRecord {
        async fn read(at: &Target<'_>, ids: &[String]) -> Looked<DnsRecordLive> {
            each(ids, |id| async move { look(at, &id).await }).await
        }

        /// The check that decides on a pair names it in a tag, and stays as long as the pair does.
        async fn list_owned(
            at: &Target<'_>,
            except: &[String],
        ) -> Result<Vec<Seen<DnsRecordLive>>, CloudError> {
            let except: BTreeSet<&String> = except.iter().collect();
            let checks = owned_checks(at).await?;
            let ids: BTreeSet<String> =
                checks.into_iter().filter_map(|mut it| it.tags.remove(RECORD)).collect();
            let ids: Vec<String> = ids.into_iter().filter(|id| !except.contains(id)).collect();
            let found = Self::read(at, &ids).await.into_iter().filter_map(Result::transpose);
            let mut found = found.collect::<Result<Vec<_>, _>>()?;
            found.retain(|pair| matches!(pair.owner, Owner::Ours(_)));
            Ok(found)
        }

        async fn create(
            at: &Target<'_>,
            _: &Call,
            spec: &DnsRecordSpec,
        ) -> Result<Seen<DnsRecordLive>, CloudError> {
            put(at, spec).await?;
            let id = record_id(&spec.zone, &spec.record);
            let gone = || CloudError::Conflict {
                operation: CHANGE.to_owned(),
                message: format!("`{id}` is not to be seen yet"),
            };
            look(at, &id).await?.ok_or_else(gone)
        }

        async fn update(
            at: &Target<'_>,
            _: &Call,
            _: &str,
            spec: &DnsRecordSpec,
            _: &[FieldChange],
        ) -> Result<(), CloudError> {
            put(at, spec).await
        }

        /// The name goes on being answered, by a simple record to where the primary record led.
        async fn delete(at: &Target<'_>, _: &Call, id: &str) -> Result<(), CloudError> {
            let (zone, record) = split(id);
            let sets = records(at, zone, record).await?.unwrap_or_default();
            let ours: Vec<_> = sets.into_iter().filter(|set| side_of(at.scope, set).is_some()).collect();
            let is_primary =
                |set: &&ResourceRecordSet| set.failover() == Some(&ResourceRecordSetFailover::Primary);
            let Some(stays) = ours.iter().find(is_primary).or(ours.first()).cloned() else { return Ok(()) };
            let mut changes = Vec::new();
            for set in ours {
                changes.push(change(ChangeAction::Delete, set)?);
            }
            let simple = ResourceRecordSet::builder()
                .name(stays.name)
                .r#type(RrType::Cname)
                .set_ttl(stays.ttl)
                .set_resource_records(stays.resource_records);
            changes.push(change(ChangeAction::Create, built(CHANGE, simple.build())?)?);
            send(at, zone, changes).await
        }
    }

    fn split(id: &str) -> (&str, &str) {
        id.split_once('/').unwrap_or((id, ""))
    }

    /// A pair of the stack; something of somebody else that is no simple record; or nothing. A simple record is not a pair:
    /// `put` takes it over where it may.
    async fn look(at: &Target<'_>, id: &str) -> Result<Option<Seen<DnsRecordLive>>, CloudError> {
        let (zone, record) = split(id);
        let sets = records(at, zone, record).await?.unwrap_or_default();
        let mut live = DnsRecordLive { primary: None, secondary: None };
        let mut owner = None;
        for set in &sets {
            let Some(address) = side_of(at.scope, set) else { continue };
            owner = Some(Owner::Ours(address));
            let side = Side {
                target: target(set),
                check: set.health_check_id.clone().filter(|it| !it.is_empty()),
                ttl: set.ttl.unwrap_or_default(),
            };
            match set.failover() {
                Some(ResourceRecordSetFailover::Primary) => live.primary = Some(side),
                _ => live.secondary = Some(side),
            }
        }
        let foreign = |set: &ResourceRecordSet| side_of(at.scope, set).is_none() && simple(set).is_none();
        let owner = owner.or_else(|| sets.iter().any(foreign).then_some(Owner::Foreign));
        Ok(owner.map(|owner| Seen { id: id.to_owned(), owner, live }))
    }

    /// The address that a record of this stack was made for. Stack names may hold hyphens, so what follows has to be a
    /// component's address.
    pub(crate) fn side_of(scope: &Scope, set: &ResourceRecordSet) -> Option<Address> {
        let rest = set.set_identifier()?.strip_prefix(&format!("drstack-{}-", scope.stack))?;
        let component = SIDES.iter().find_map(|side| rest.strip_suffix(side))?;
        let is_ours = component.starts_with("traffic.") || component.starts_with("module.");
        is_ours.then(|| decode(&format!("{component}/{}", DnsRecord::NAME))).flatten()
    }

    fn target(set: &ResourceRecordSet) -> String {
        set.resource_records().first().map(|it| plain(&it.value)).unwrap_or_default()
    }

    /// What a record says that is all by itself and leads to one name.
    pub(crate) fn simple(set: &ResourceRecordSet) -> Option<SimpleRecord> {
        let alone = set.set_identifier.is_none() && set.r#type == RrType::Cname;
        let ttl = set.ttl.filter(|_| alone && set.alias_target.is_none())?;
        Some(SimpleRecord { target: target(set), ttl })
    }

    /// Both records in one batch; a simple record that leads to the primary goes with it, where the stack says so.
    async fn put(at: &Target<'_>, spec: &DnsRecordSpec) -> Result<(), CloudError> {
        let sets = records(at, &spec.zone, &spec.record).await?.unwrap_or_default();
        let mut changes = Vec::new();
        for set in sets.into_iter().filter(|set| side_of(at.scope, set).is_none()) {
            match simple(&set) {
                Some(found) if spec.adopt && found.target == spec.primary => {
                    changes.push(change(ChangeAction::Delete, set)?);
                }
                _ => {
                    let message = format!(
                        "{} `{}` exists and is not drstack's; `adopt = true` takes over a CNAME that leads to `{}`",
                        set.r#type.as_str(),
                        spec.record,
                        spec.primary
                    );
                    let code = "RecordExists".to_owned();
                    return Err(CloudError::Invalid { operation: CHANGE.to_owned(), code, message });
                }
            }
        }
        let wanted = DnsRecord::expect(spec, "");
        let sides = [
            (wanted.primary, ResourceRecordSetFailover::Primary),
            (wanted.secondary, ResourceRecordSetFailover::Secondary),
        ];
        for ((side, failover), end) in sides.into_iter().zip(SIDES) {
            let Some(side) = side else { continue };
            let value = built(CHANGE, ResourceRecord::builder().value(side.target).build())?;
            let set = ResourceRecordSet::builder()
                .name(&spec.record)
                .r#type(RrType::Cname)
                .set_identifier(format!("{}{end}", spec.mark))
                .failover(failover)
                .set_health_check_id(side.check)
                .ttl(side.ttl)
                .resource_records(value);
            changes.push(change(ChangeAction::Upsert, built(CHANGE, set.build())?)?);
        }
        send(at, &spec.zone, changes).await
    }

    fn change(action: ChangeAction, set: ResourceRecordSet) -> Result<Change, CloudError> {
        built(CHANGE, Change::builder().action(action).resource_record_set(set).build())
    }

    async fn send(at: &Target<'_>, zone: &str, changes: Vec<Change>) -> Result<(), CloudError> {
        let batch = ChangeBatch::builder().comment("drstack").set_changes(Some(changes)).build();
        let send = at.route53().change_resource_record_sets().hosted_zone_id(zone);
        let sent = send.change_batch(built(CHANGE, batch)?).send().await;
        sent.map(drop).map_err(|error| at.failed(CHANGE, error))
    }
}

#[cfg(feature = "aws")]
pub(crate) use aws::{side_of, simple};
