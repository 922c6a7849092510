//! The place of a record: zone and name, if no other owner has them.

use drstack_core::component::{CompileCx, Problem, ResourceSet};
use drstack_core::facts::Known;

use super::TrafficTable;
use super::target::{APEX, StandbyTarget};
use crate::components::{goes_on_without, unknown};
use crate::facts::{self, DnsFact, SimpleRecord};
use crate::services::route53::dns_fact::LEDGERS;
use crate::services::route53::dns_record::{MARK_LIMIT, SIDES, mark};

/// Prefixes of described records that answer the same questions as an alias.
const ADDRESSES: [&str; 3] = ["A ", "AAAA ", "CNAME "];

/// Returns the zone's name, the end of the full name of a `record` in it.
fn zone_of<'a>(full: &'a str, record: &str) -> Option<&'a str> {
    if record == APEX {
        return Some(full);
    }
    let (record, rest) =
        full.split_at_checked(record.len()).filter(|(it, _)| it.eq_ignore_ascii_case(record))?;
    rest.strip_prefix('.').filter(|_| !record.is_empty())
}

/// Reports names that do not fit the `zone` of this name: a record that repeats it, and a side that
/// is the record itself.
pub(super) fn check(spec: &TrafficTable, zone: &str, report: &mut dyn FnMut(Problem)) {
    let lower = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    let (zone, record) = (lower(zone), lower(&spec.record));
    let below = match record.strip_suffix(&zone) {
        Some("") => Some(""),
        Some(rest) => rest.strip_suffix('.'),
        None => None,
    };
    if let Some(below) = below.filter(|_| !zone.is_empty()) {
        let message = format!("`{record}` repeats the zone: the name would be `{record}.{zone}`");
        let help = format!("write what stands before the zone: `record = \"{below}\"`");
        return report(Problem::error("DR250", "record", message, help));
    }
    let full = if record.is_empty() { zone } else { format!("{record}.{zone}") };
    let standby = match &spec.standby_target {
        StandbyTarget::Of(standby) => Some(("standby_target", standby)),
        StandbyTarget::Pool(_) => None,
    };
    for (field, target) in [Some(("primary_target", &spec.primary_target)), standby].into_iter().flatten() {
        if lower(&target.name()) == full {
            let message = format!("`{full}` would lead to itself");
            let help = "write the name of what answers there: a load balancer's";
            report(Problem::error("DR250", field, message, help));
        }
    }
}

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
            let message = format!("nothing is known of the hosted zone `{zone}`");
            // What moves the traffic is in the standby region, and needs no answer from a zone.
            if goes_on_without(cx, out, ("DR251", "zone"), &message, &why) {
                let full = if spec.record == APEX { zone.clone() } else { format!("{}.{zone}", spec.record) };
                return Some((zone.clone(), full));
            }
            unknown(out, ("DR251", "zone"), message, &why, why.hint());
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
    // The stack says the id of the zone, and the fact its name.
    if let Some(name) = zone_of(record, &spec.record).filter(|_| facts::is_zone_id(zone)) {
        let mut problems = Vec::new();
        check(spec, name, &mut |problem| problems.push(problem));
        if !problems.is_empty() {
            out.problems.extend(problems);
            return None;
        }
    }
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
            let help = way_on(fact.simple.as_ref().filter(|_| is_alone), &target, alias);
            out.error("DR252", "record", message, help);
            return None;
        }
    }
    Some((id.clone(), record.clone()))
}

/// Returns what to do about a record that leads elsewhere, or is of another form: `simple` if it is one
/// that could be adopted.
fn way_on(simple: Option<&SimpleRecord>, target: &str, alias: Option<&str>) -> String {
    let Some(SimpleRecord { target: there, zone, .. }) = simple else {
        let form = if alias.is_some() { "an alias of" } else { "a CNAME to" };
        return format!("make it {form} `{target}` and write `adopt = true`, or choose another record");
    };
    let written = match zone {
        Some(zone) => format!("{{ alias = \"{there}\", zone = \"{zone}\" }}"),
        None => format!("\"{there}\""),
    };
    format!(
        "if it leads to the primary, write it as it stands there, `primary_target = {written}`, and `adopt = true`; else choose another record"
    )
}
