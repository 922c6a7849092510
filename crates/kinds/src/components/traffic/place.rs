//! The place of a record: zone and name, if no other owner has them.

use drstack_core::component::{CompileCx, ResourceSet};
use drstack_core::facts::Known;

use super::TrafficTable;
use crate::facts::{self, DnsFact, SimpleRecord};
use crate::services::route53::dns_fact::LEDGERS;
use crate::services::route53::dns_record::{MARK_LIMIT, SIDES, mark};

/// Prefixes of described records that answer the same questions as an alias.
const ADDRESSES: [&str; 3] = ["A ", "AAAA ", "CNAME "];

/// Returns zone id and full name of the record, if both are known and the name is free, owned, or
/// to be adopted.
pub(super) fn place(
    spec: &TrafficTable,
    cx: &CompileCx<'_>,
    out: &mut ResourceSet,
) -> Option<(String, String)> {
    let zone = &spec.zone;
    let fact = match cx.facts.get::<DnsFact>(&facts::dns(zone, &spec.record)) {
        Known::Yes(fact) => fact,
        Known::Absent => {
            let message = format!("there is no public hosted zone for `{zone}` in this account");
            out.error("DR251", "zone", message, "make it in Route 53, or correct the name");
            return None;
        }
        Known::Unknown(why) => {
            let message = format!("nothing is known of the hosted zone `{zone}`: {why}");
            out.error("DR251", "zone", message, why.hint());
            return None;
        }
    };
    let [id] = &fact.zones[..] else {
        let message = format!("{} public hosted zones are called `{zone}`", fact.zones.len());
        let help =
            format!("write the id of the one that is meant: `zone = \"{}\"`", fact.zones.join("`, or `"));
        out.error("DR251", "zone", message, help);
        return None;
    };
    let longest = SIDES.iter().map(|side| side.len()).max().unwrap_or_default();
    if mark(&cx.stack.name, cx.address).len() + longest > MARK_LIMIT {
        let message =
            format!("the address is too long to mark records with: they take {MARK_LIMIT} characters");
        out.error("DR250", "", message, "give the component or its module a shorter name");
        return None;
    }
    let record = &fact.record;
    let (target, alias) = (spec.primary_target.name(), spec.primary_target.zone());
    let mine = fact.simple.as_ref().is_some_and(|it| it.target == target && it.zone.as_deref() == alias);
    let kind = |simple: &SimpleRecord| if simple.zone.is_some() { "alias of" } else { "CNAME" };
    let says = fact.simple.iter().map(|simple| format!("{} {}", kind(simple), simple.target));
    // Records of other types stay beside an alias: a zone's own name has some.
    let others =
        fact.others.iter().filter(|it| alias.is_none() || ADDRESSES.iter().any(|of| it.starts_with(of)));
    let others: Vec<String> = others.cloned().collect();
    let is_alone = others.is_empty();
    let found: Vec<String> = says.chain(others).collect();
    match (is_alone && mine, found.first()) {
        (_, None) => {}
        (true, Some(found)) if spec.adopt => {
            out.not_carried = fact.not_carried.sentences(&format!("record {record}"), LEDGERS);
            out.notes.push(format!("`{record}` ({found}) is adopted in one change; destroying puts it back"));
        }
        (true, Some(found)) => {
            let message = format!("`{record}` exists and is not drstack's: {found}");
            out.error("DR252", "record", message, "write `adopt = true` to adopt it");
            return None;
        }
        (false, Some(found)) => {
            let message = format!("`{record}` exists and is not drstack's: {found}");
            let form = if alias.is_some() { "an alias of" } else { "a CNAME to" };
            let help =
                format!("make it {form} `{target}` and write `adopt = true`, or choose another record");
            out.error("DR252", "record", message, help);
            return None;
        }
    }
    Some((id.clone(), record.clone()))
}
