//! What exists, and what a failover would bring back of it.

use std::collections::BTreeMap;
use std::fmt::Write;

use drstack_core::text::plain;
use drstack_kinds::discover::{Fate, Target, Thing, fate};

use super::count;
use crate::lines::{DiscoveredLine, DiscoveredState, Line};
use crate::ui::Ui;

/// Names of one type that a row lists before it only counts them.
const NAMED: usize = 3;

/// Shows the fate of each of `things`, and how many there are `elsewhere`.
pub(crate) fn show(ui: Ui, things: &[Thing], elsewhere: &[Thing], target: &Target) {
    let known: Vec<(&Thing, Fate)> = things.iter().filter_map(|it| Some((it, fate(it)?))).collect();
    for (thing, fate) in &known {
        let (state, why) = (state(*fate), why(*fate));
        let (address, of, name) = (&thing.address, &thing.kind, thing.name.as_deref());
        ui.line(&Line::Discovered(DiscoveredLine { address, of, name, state, why }));
    }
    ui.result(&table(&known));
    let with = |state: DiscoveredState| known.iter().filter(|(_, it)| self::state(*it) == state).count();
    let [protected, partly, not, along, aside] = DiscoveredState::ALL.map(with);
    let mut out = format!(
        "\n{}: {protected} protected, {partly} partly, {not} not; {} need nothing of their own.\n",
        count(known.len(), "object"),
        along + aside
    );
    let others = things.len() - known.len();
    if others > 0 {
        let _ = writeln!(out, "{} of other providers than AWS: not looked at.", count(others, "object"));
    }
    if !elsewhere.is_empty() {
        let _ = writeln!(
            out,
            "{} in other regions than {}: not looked at.",
            count(elsewhere.len(), "object"),
            target.primary
        );
    }
    let _ = match not {
        0 => writeln!(
            out,
            "Would it serve in {}? Add checks to the stack, and try: `drstack status` and a failover say so.",
            target.standby
        ),
        _ => writeln!(
            out,
            "Would it serve in {}? Not by drstack alone: what is not protected has to be there by other means.",
            target.standby
        ),
    };
    ui.result(&out);
}

/// Draws one row for each type and fate, what is not protected last.
fn table(known: &[(&Thing, Fate)]) -> String {
    let mut rows: BTreeMap<(DiscoveredState, &str, &str), Vec<&str>> = BTreeMap::new();
    for (thing, fate) in known {
        let state = state(*fate);
        if !matches!(state, DiscoveredState::Along | DiscoveredState::Aside) {
            let of = rows.entry((state, &thing.kind, why(*fate))).or_default();
            of.push(thing.name.as_deref().unwrap_or(&thing.address));
        }
    }
    let mut lines = vec![["AFTER A FAILOVER", "WHAT", "NAMES", "WHY"].map(str::to_owned)];
    for ((state, of, why), names) in rows {
        let mut said: Vec<String> = names.iter().take(NAMED).map(|it| plain(it).into_owned()).collect();
        if names.len() > NAMED {
            said.push(format!("{} more", names.len() - NAMED));
        }
        lines.push([state.name().to_owned(), plain(of).into_owned(), said.join(", "), why.to_owned()]);
    }
    let width = |at: usize| lines.iter().map(|row| row[at].chars().count()).max().unwrap_or_default();
    let [state, of, names] = [0, 1, 2].map(width);
    let row = |[s, o, n, why]: &[String; 4]| {
        format!("{s:<state$}  {o:<of$}  {n:<names$}  {why}").trim_end().to_owned() + "\n"
    };
    lines.iter().map(row).collect()
}

fn state(fate: Fate) -> DiscoveredState {
    match fate {
        Fate::Protected(_) => DiscoveredState::Protected,
        Fate::Partly(..) => DiscoveredState::Partly,
        Fate::Not(_) => DiscoveredState::Not,
        Fate::Along(_) => DiscoveredState::Along,
        Fate::Aside => DiscoveredState::Aside,
    }
}

fn why(fate: Fate) -> &'static str {
    match fate {
        Fate::Protected(kind) => kind,
        Fate::Partly(_, why) | Fate::Not(why) | Fate::Along(why) => why,
        Fate::Aside => "nothing that serves needs it",
    }
}
