//! The moment that restored data dates from: later writes are lost with the primary.

use drstack_core::component::StackFacts;
use drstack_core::copies;
use drstack_core::kind::KindRegistry;
use drstack_core::objective::{Mode, Standing};
use drstack_core::plan::{Intent, Options, Plan, PlanReport, Remark};
use drstack_core::restored::{self, Export, Restored};
use jiff::Timestamp;

use crate::text::duration;

/// Returns one remark for each table that `plan` restores or finds restored, as of `now`.
pub(crate) fn restored(plan: &Plan, kinds: &KindRegistry, now: Timestamp) -> Vec<Remark> {
    let all = restored::restored(plan, kinds).into_iter();
    all.map(|it| Remark { address: it.address.to_string(), text: said(&it, now) }).collect()
}

/// Returns the remarks beside a plan: what it restores, and in a failover also what it finds
/// restored, with the way to newer data as long as the primary serves.
pub(crate) fn planned(
    plan: &Plan,
    kinds: &KindRegistry,
    options: &Options,
    standing: &Standing,
    now: Timestamp,
) -> Vec<Remark> {
    let is_in_part = |it: &Restored| {
        options.targets.is_empty() || options.targets.iter().any(|target| it.address.is_within(target))
    };
    let mut all = restored::restored(plan, kinds);
    all.retain(|it| !it.before || options.intent.fails_over() && is_in_part(it));
    let text = |it: &Restored| {
        let serves = standing.mode_of(&it.address.component()) == Mode::Active;
        if it.before && !serves { format!("{}; {}", said(it, now), way_on(it, now)) } else { said(it, now) }
    };
    all.iter().map(|it| Remark { address: it.address.to_string(), text: text(it) }).collect()
}

/// Says what restored data holds.
fn said(of: &Restored, now: Timestamp) -> String {
    match (of.before, of.from.as_of) {
        (true, _) => format!(
            "an earlier failover restored it from {}: it holds that, and what was written to it since",
            named(&of.from, now)
        ),
        (false, Some(at)) => format!(
            "it holds what was there at {at:.0}, {} before: what was written after that is lost",
            age(at, now)
        ),
        (false, None) => {
            format!("it is restored from export `{}`, which does not say of which moment it is", of.from.id)
        }
    }
}

/// Says what becomes of data that exists already, and how to get newer data.
fn way_on(of: &Restored, now: Timestamp) -> String {
    let Some(newer) = &of.newer else {
        return "it is served as it is: there is no newer export".to_owned();
    };
    format!(
        "it is served as it is: to restore {} in its place, run `drstack apply STACK --delete-data {}` before the failover",
        named(newer, now),
        of.address.typed()
    )
}

/// Names an export, and its moment if that is known.
fn named(Export { id, as_of }: &Export, now: Timestamp) -> String {
    match as_of {
        _ if id.is_empty() => "an export that is no longer known".to_owned(),
        Some(at) => format!("export `{id}` of {at:.0} ({} before)", age(*at, now)),
        None => format!("export `{id}`"),
    }
}

fn age(at: Timestamp, now: Timestamp) -> String {
    duration(now.duration_since(at).unsigned_abs())
}

/// Returns one remark for each restored table that exists while the primary serves, or is about to.
pub(crate) fn left(
    report: &PlanReport,
    kinds: &KindRegistry,
    stack: &StackFacts,
    intent: Intent,
) -> Vec<Remark> {
    let text = match intent {
        Intent::Failback => {
            format!(
                "a failover restored it, and it is not compared: what was written to it is in {} alone: the failback does not copy it",
                stack.standby
            )
        }
        _ => {
            format!(
                "a failover restored it, and what was written to it since is in {} alone: copy what you need, then delete it; until then the next failover serves it as it is, and restores nothing newer",
                stack.standby
            )
        }
    };
    let kept = restored::kept(report, kinds).into_iter();
    let mut all: Vec<Remark> =
        kept.map(|address| Remark { address: address.to_owned(), text: text.clone() }).collect();
    if intent == Intent::Failback {
        all.extend(copies::kept(report, kinds).into_iter().map(|address| Remark {
            address: address.to_owned(),
            text: format!(
                "the stack no longer names this copy, and it is not compared: what was written to it may be in {} alone",
                stack.standby
            ),
        }));
    }
    all
}

#[cfg(test)]
mod tests {
    use drstack_core::address::Address;

    use super::*;

    #[test]
    fn what_is_known_of_an_export_is_said() {
        let now: Timestamp = "2026-01-03T00:00:00Z".parse().unwrap();
        let said_of = |id: &str, as_of: Option<&str>, before| {
            let from = Export { id: id.to_owned(), as_of: as_of.map(|it| it.parse().unwrap()) };
            let address = Address::parse("table.a/table-import").unwrap();
            said(&Restored { address, from, before, newer: None }, now)
        };
        let (known, unknown) = (Some("2026-01-01T12:00:00Z"), None);
        assert!(said_of("e1", known, true).contains("export `e1` of 2026-01-01T12:00:00Z (36h 0m before):"));
        assert!(said_of("e1", unknown, true).contains("from export `e1`: it holds that"));
        assert!(said_of("", unknown, true).contains("from an export that is no longer known: it holds that"));
        assert!(said_of("e1", known, false).contains("there at 2026-01-01T12:00:00Z, 36h 0m before: what"));
        assert!(said_of("e1", unknown, false).contains("`e1`, which does not say of which moment it is"));
    }
}
