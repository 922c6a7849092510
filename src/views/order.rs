//! Shows what traffic waits for in a failover, with one line for all traffic that waits for the
//! same.

use std::collections::{BTreeMap, BTreeSet};

use drstack_core::address::{Address, ComponentAddress};
use drstack_core::kind::KindRegistry;
use drstack_core::part::{Moves, Sequence};
use drstack_core::plan::waits::Part;
use drstack_core::plan::{Plan, Step, StepId};

use super::listed;
use crate::lines::{Line, OrderLine};
use crate::ui::Ui;

/// Shows what traffic waits for, for people and programs.
pub(crate) fn show(ui: Ui, sequence: &Sequence) {
    ui.result(&text(sequence));
    lines(sequence).iter().for_each(|line| ui.line(line));
}

/// Writes the order for people; nothing for a stack that moves no traffic.
fn text(sequence: &Sequence) -> String {
    let mut out = String::new();
    for (moves, traffic) in alike(sequence) {
        let of = |part: Part| -> Vec<&str> {
            let before = sequence.before(moves).filter(|(_, parts)| parts.contains(&part));
            before.map(|(address, _)| address.as_str()).collect()
        };
        let said = [(Part::Data, "restored "), (Part::Capacity, ""), (Part::Check, "checks of ")];
        let said = said.into_iter().map(|(part, what)| (what, of(part))).filter(|(_, all)| !all.is_empty());
        let said: Vec<String> = said.map(|(what, all)| format!("{what}{}", listed(&all))).collect();
        let verb = if traffic.len() == 1 { "moves" } else { "move" };
        let after = match said.is_empty() {
            true => "at once in a failover: it waits for nothing".to_owned(),
            false => format!("after: {}", said.join("; ")),
        };
        out.push_str(&format!("{} {verb} {after}.\n", listed(&traffic)));
    }
    out
}

/// Writes the order for programs: one line for each component that moves traffic.
fn lines(sequence: &Sequence) -> Vec<Line<'_>> {
    let line = |(moves, traffic)| {
        let after = sequence.before(moves).map(|(address, _)| address.as_str()).collect();
        Line::Order(OrderLine { traffic, after })
    };
    alike(sequence).into_iter().map(line).collect()
}

/// Describes the traffic that a failover held back, because something it waits for failed, and the
/// command that goes on. Traffic does not go on without a pool that is `empty`.
pub(crate) fn held(
    plan: &Plan,
    kinds: &KindRegistry,
    (held, empty): (&[(StepId, StepId)], &BTreeSet<ComponentAddress>),
    again: &str,
) -> Vec<String> {
    let moves = |step: &Step| kinds.get(&step.kind).is_some_and(|kind| kind.traffic().is_some());
    let held = held.iter().map(|(held, failed)| (&plan.steps[*held], &plan.steps[*failed]));
    // A user does not tell the step that moves traffic in shares from the one that switches it.
    let held = held.filter(|(it, failed)| moves(it) && it.address.component() != failed.address.component());
    let mut by_traffic: BTreeMap<String, BTreeSet<&Address>> = BTreeMap::new();
    for (it, failed) in held {
        by_traffic.entry(it.address.component().to_string()).or_default().insert(&failed.address);
    }
    let line = |(traffic, failed): (String, BTreeSet<&Address>)| {
        let names: Vec<&str> = failed.iter().map(|it| it.as_str()).collect();
        let components: BTreeSet<ComponentAddress> = failed.iter().map(|it| it.component()).collect();
        let waits = format!("{traffic} has not moved: it waits for {}, which failed", names.join(" and "));
        let without: Vec<String> =
            components.iter().map(|it| format!("--not-waiting-for {}", it.typed())).collect();
        match components.iter().any(|it| empty.contains(it)) {
            true => format!("{waits} and has nothing in service; fix that and run `{again}` again"),
            false => format!(
                "{waits}; fix that and run `{again}` again, or go without: `{again} {}`",
                without.join(" ")
            ),
        }
    };
    by_traffic.into_iter().map(line).collect()
}

/// Groups the traffic that waits for the same, in the order of the first of each group.
fn alike(sequence: &Sequence) -> Vec<(&Moves, Vec<&str>)> {
    let mut alike: BTreeMap<_, (&Moves, Vec<&str>)> = BTreeMap::new();
    for (traffic, moves) in &sequence.moves {
        let tier = if moves.named.is_some() { 0 } else { moves.tier };
        alike.entry((tier, &moves.named)).or_insert((moves, Vec::new())).1.push(traffic.as_str());
    }
    let mut alike: Vec<_> = alike.into_values().collect();
    alike.sort_by_key(|(_, traffic)| traffic[0]);
    alike
}
