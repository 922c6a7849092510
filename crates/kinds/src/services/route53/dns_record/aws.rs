//! The driver of the DNS record kind.

use std::collections::BTreeSet;

use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet,
    ResourceRecordSetFailover, RrType,
};
use drstack_core::address::Address;
use drstack_core::cloud::{Call, CloudError, Owner, Scope};
use drstack_core::kind::{FieldChange, Kind};

use super::{AliasOf, DnsRecord, DnsRecordLive, DnsRecordSpec, SIDES, Side, record_id};
use crate::aws::built;
use crate::aws::tags::decode;
use crate::aws::{Driver, Looked, Seen, Target, each};
use crate::facts::SimpleRecord;
use crate::services::route53::calls::{RECORD, owned_checks, plain, records};

const CHANGE: &str = "route53:ChangeResourceRecordSets";

impl Driver for DnsRecord {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<DnsRecordLive> {
        each(ids, |id| async move { look(at, &id).await }).await
    }

    /// Lists pairs through their checks: a check names its pair in a tag, and exists as long as the
    /// pair.
    async fn list_owned(at: &Target<'_>, except: &[String]) -> Result<Vec<Seen<DnsRecordLive>>, CloudError> {
        let except: BTreeSet<&String> = except.iter().collect();
        let checks = owned_checks(at).await?;
        let ids: BTreeSet<String> = checks.into_iter().filter_map(|mut it| it.tags.remove(RECORD)).collect();
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

    /// Replaces the pair with a simple record to the primary's target, so that the name still has
    /// an answer.
    async fn delete(at: &Target<'_>, _: &Call, id: &str) -> Result<(), CloudError> {
        let ours = pair(at, id).await?;
        let Some(stays) = ours.iter().find(|set| is_primary(set)).or(ours.first()).cloned() else {
            return Ok(());
        };
        let mut changes = Vec::new();
        for set in ours {
            changes.push(change(ChangeAction::Delete, set)?);
        }
        let simple = ResourceRecordSet::builder()
            .name(stays.name)
            .r#type(stays.r#type)
            .set_ttl(stays.ttl)
            .set_alias_target(stays.alias_target)
            .set_resource_records(stays.resource_records);
        changes.push(change(ChangeAction::Create, built(CHANGE, simple.build())?)?);
        send(at, split(id).0, changes).await
    }
}

fn split(id: &str) -> (&str, &str) {
    id.split_once('/').unwrap_or((id, ""))
}

/// Reads a pair of the stack, or records of others that are not simple; none otherwise.
///
/// A simple record is not a pair: `put` adopts it if the stack allows that.
async fn look(at: &Target<'_>, id: &str) -> Result<Option<Seen<DnsRecordLive>>, CloudError> {
    let (zone, record) = split(id);
    let sets = records(at, zone, record).await?.unwrap_or_default();
    let mut live = DnsRecordLive { primary: None, secondary: None, weighted: false };
    let mut owner = None;
    for set in &sets {
        let Some(address) = side_of(at.scope, set) else { continue };
        owner = Some(Owner::Ours(address));
        live.weighted |= set.weight.is_some();
        let side = Side {
            target: target(set),
            check: set.health_check_id.clone().filter(|it| !it.is_empty()),
            ttl: set.ttl.unwrap_or_default(),
            alias: set
                .alias_target()
                .map(|it| AliasOf { zone: it.hosted_zone_id.clone(), evaluates: it.evaluate_target_health }),
        };
        *if is_primary(set) { &mut live.primary } else { &mut live.secondary } = Some(side);
    }
    let foreign = |set: &ResourceRecordSet| {
        side_of(at.scope, set).is_none() && simple(set).is_none() && is_address(set)
    };
    let owner = owner.or_else(|| sets.iter().any(foreign).then_some(Owner::Foreign));
    Ok(owner.map(|owner| Seen { id: id.to_owned(), owner, live }))
}

/// Reads the stack's records of one name.
async fn pair(at: &Target<'_>, id: &str) -> Result<Vec<ResourceRecordSet>, CloudError> {
    let (zone, record) = split(id);
    let sets = records(at, zone, record).await?.unwrap_or_default();
    Ok(sets.into_iter().filter(|set| side_of(at.scope, set).is_some()).collect())
}

/// Returns the primary's share of 100 while both are healthy; none if the pair has no weights.
pub(crate) async fn share(at: &Target<'_>, id: &str) -> Result<Option<u32>, CloudError> {
    Ok(share_of(&pair(at, id).await?))
}

fn share_of(pair: &[ResourceRecordSet]) -> Option<u32> {
    let weight = |primary: bool| {
        let side = pair.iter().find(|set| is_primary(set) == primary)?;
        u32::try_from(side.weight?).ok()
    };
    let (primary, secondary) = (weight(true)?, weight(false)?);
    // If all weights are 0, Route 53 answers with both equally.
    Some((100 * primary).checked_div(primary + secondary).unwrap_or(50))
}

/// Sets the primary's share of a pair, and the secondary's to the rest, in one batch.
pub(crate) async fn weigh(at: &Target<'_>, id: &str, share: u32) -> Result<(), CloudError> {
    let mut changes = Vec::new();
    for mut set in pair(at, id).await? {
        set.weight = Some(weight(&set, share));
        changes.push(change(ChangeAction::Upsert, set)?);
    }
    send(at, split(id).0, changes).await
}

/// Returns one side's part of 100.
fn weight(set: &ResourceRecordSet, share: u32) -> i64 {
    i64::from(if is_primary(set) { share } else { 100 - share })
}

fn is_primary(set: &ResourceRecordSet) -> bool {
    set.set_identifier().is_some_and(|it| it.ends_with(SIDES[0]))
}

/// Returns the address of a record of this stack.
///
/// Stack names may hold hyphens, so the rest has to be a component's address.
pub(crate) fn side_of(scope: &Scope, set: &ResourceRecordSet) -> Option<Address> {
    let rest = set.set_identifier()?.strip_prefix(&format!("drstack-{}-", scope.stack))?;
    let component = SIDES.iter().find_map(|side| rest.strip_suffix(side))?;
    let is_ours = component.starts_with("traffic.") || component.starts_with("module.");
    is_ours.then(|| decode(&format!("{component}/{}", DnsRecord::NAME))).flatten()
}

fn target(set: &ResourceRecordSet) -> String {
    match set.alias_target() {
        Some(alias) => plain(&alias.dns_name),
        None => set.resource_records().first().map(|it| plain(&it.value)).unwrap_or_default(),
    }
}

/// True if the record has a type that a pair answers. A zone's own name has records of other types
/// too.
fn is_address(set: &ResourceRecordSet) -> bool {
    matches!(set.r#type, RrType::A | RrType::Aaaa | RrType::Cname)
}

/// Returns a record that is the only one of its name and points to one name.
pub(crate) fn simple(set: &ResourceRecordSet) -> Option<SimpleRecord> {
    let zone = set.alias_target().map(|it| it.hosted_zone_id.clone());
    let leads = match (&set.r#type, &zone) {
        (RrType::A, Some(_)) => true,
        (RrType::Cname, None) => set.ttl.is_some(),
        _ => false,
    };
    let alone = set.set_identifier.is_none() && leads;
    alone.then(|| SimpleRecord { target: target(set), ttl: set.ttl.unwrap_or_default(), zone })
}

/// Writes both records in one batch, which also replaces a simple record to the primary if the
/// stack adopts it.
async fn put(at: &Target<'_>, spec: &DnsRecordSpec) -> Result<(), CloudError> {
    let sets = records(at, &spec.zone, &spec.record).await?.unwrap_or_default();
    let mut changes = Vec::new();
    let (ours, others): (Vec<_>, Vec<_>) = sets.into_iter().partition(|set| side_of(at.scope, set).is_some());
    let zone = spec.aliases.as_ref().map(|it| &it.primary);
    for set in others.into_iter().filter(|set| spec.aliases.is_none() || is_address(set)) {
        match simple(&set) {
            Some(found) if spec.adopt && found.target == spec.primary && found.zone.as_ref() == zone => {
                changes.push(change(ChangeAction::Delete, set)?);
            }
            _ => {
                let message = format!(
                    "{} `{}` exists and is not drstack's; `adopt = true` adopts a CNAME that leads to `{}`",
                    set.r#type.as_str(),
                    spec.record,
                    spec.primary
                );
                let code = "RecordExists".to_owned();
                return Err(CloudError::Invalid { operation: CHANGE.to_owned(), code, message });
            }
        }
    }
    // Records of one name share one policy, and a record of another type or mark is a different
    // one: those are deleted and created in this batch.
    let marks = SIDES.map(|side| format!("{}{side}", spec.mark));
    let stays = ours.iter().all(|set| {
        let is_alias = set.alias_target.is_some();
        let is_marked = marks.iter().any(|mark| set.set_identifier() == Some(mark.as_str()));
        set.weight.is_some() == spec.weighted.is_some() && is_alias == spec.aliases.is_some() && is_marked
    });
    let action = if stays { ChangeAction::Upsert } else { ChangeAction::Create };
    let share = spec.weighted.map(|first| share_of(&ours).unwrap_or(first));
    for set in ours.into_iter().filter(|_| !stays) {
        changes.push(change(ChangeAction::Delete, set)?);
    }
    let wanted = DnsRecord::expect(spec, "");
    let sides = [
        (wanted.primary, ResourceRecordSetFailover::Primary),
        (wanted.secondary, ResourceRecordSetFailover::Secondary),
    ];
    for ((side, failover), end) in sides.into_iter().zip(SIDES) {
        let Some(side) = side else { continue };
        let set = ResourceRecordSet::builder()
            .name(&spec.record)
            .set_identifier(format!("{}{end}", spec.mark))
            .set_health_check_id(side.check);
        let set = match side.alias {
            None => {
                let value = built(CHANGE, ResourceRecord::builder().value(side.target).build())?;
                set.r#type(RrType::Cname).ttl(side.ttl).resource_records(value)
            }
            Some(alias) => {
                let of = AliasTarget::builder().dns_name(side.target).hosted_zone_id(alias.zone);
                let of = of.evaluate_target_health(alias.evaluates);
                set.r#type(RrType::A).alias_target(built(CHANGE, of.build())?)
            }
        };
        let mut set = built(CHANGE, set.build())?;
        match share {
            Some(share) => set.weight = Some(weight(&set, share)),
            None => set.failover = Some(failover),
        }
        changes.push(change(action.clone(), set)?);
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
