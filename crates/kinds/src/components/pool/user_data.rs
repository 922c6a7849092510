//! Looks for names of the primary in the user data of a pool, which runs in the standby region.

use drstack_core::component::{CompileCx, Problem};
use drstack_core::facts::Known;
use drstack_core::objective::Mode;

use super::PoolTable;
use crate::components::PRIMARY;
use crate::facts::{FactKind, GroupFact};

/// Lines that are reported one by one before the rest is counted.
const LINES: usize = 10;

/// A name of the primary, and what to write in its place.
struct Name {
    text: String,
    instead: String,
}

/// Warns of each line that names the primary region, or the primary's side of a component.
///
/// Only the numbers of the lines are said: user data may hold secrets.
pub(super) fn review(spec: &PoolTable, cx: &CompileCx<'_>, out: &mut Vec<Problem>) {
    if cx.mode == Mode::Active {
        return;
    }
    let (hash, of, field) = match (&spec.user_data_sha256, &spec.follows) {
        (Some(hash), _) => (Some(hash.clone()), String::new(), "user_data"),
        (None, Some(group)) => (followed(group, cx), format!(" of group `{group}`"), "follows"),
        (None, None) => return,
    };
    let Some(text) = hash.and_then(|hash| cx.secrets.get(&hash)) else { return };
    let names = names(cx);
    let found = mentions(text, &names);
    for (line, names) in found.iter().take(LINES) {
        let texts: Vec<String> = names.iter().map(|name| format!("`{}`", name.text)).collect();
        let instead: Vec<String> = names.iter().map(|name| format!("`{}`", name.instead)).collect();
        let message = format!("line {line} of the user data{of} names the primary's {}", texts.join(" and "));
        let where_to = if field == "follows" { "give the pool `user_data_file`, and " } else { "" };
        let help = format!("{where_to}write {} there", instead.join(" and "));
        out.push(Problem::warning("DR242", field, message, help));
    }
    if let Some(more) = found.len().checked_sub(LINES + 1) {
        let message = format!("{} more lines of the user data{of} name the primary", more + 1);
        out.push(Problem::warning("DR242", field, message, "write the standby's names there, too"));
    }
}

/// Returns the hash of the user data of a followed group.
fn followed(group: &str, cx: &CompileCx<'_>) -> Option<String> {
    match cx.facts.get::<GroupFact>(&GroupFact::about(group)) {
        Known::Yes(fact) => fact.user_data_sha256,
        Known::Absent | Known::Unknown(_) => None,
    }
}

/// Returns the names of the primary: its region, and those of components that differ between the
/// regions.
fn names(cx: &CompileCx<'_>) -> Vec<Name> {
    let region = Name { text: cx.stack.primary.clone(), instead: "${standby.region}".to_owned() };
    let components = cx.exports.values().filter_map(|exports| {
        let first = |name: &str| Some(exports.get(name)?.first()?.text().to_owned());
        let (text, instead) = (first(PRIMARY)?, first("name")?);
        (text != instead).then_some(Name { text, instead })
    });
    std::iter::once(region).chain(components).collect()
}

/// Returns the lines that have one of `names` as a whole, with these, from line 1.
fn mentions<'n>(text: &str, names: &'n [Name]) -> Vec<(usize, Vec<&'n Name>)> {
    let lines = (1..).zip(text.lines()).map(|(number, line)| {
        let of_line = names.iter().filter(|name| has(line, name));
        (number, of_line.collect::<Vec<_>>())
    });
    lines.filter(|(_, names)| !names.is_empty()).collect()
}

/// True if `line` has this name and not a longer one, such as the standby's `models-us-west-2` for
/// `models`. A zone counts as its region: `us-east-1a`.
fn has(line: &str, Name { text, instead }: &Name) -> bool {
    let in_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    line.match_indices(text.as_str()).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + text.len()..]);
        let is_zone = instead.starts_with("${") && after.starts_with(|c: char| c.is_ascii_lowercase());
        !before.ends_with(in_name) && (is_zone || !after.starts_with(in_name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_as_a_whole() {
        let name = |text: &str, instead: &str| Name { text: text.to_owned(), instead: instead.to_owned() };
        let names = [name("us-east-1", "${standby.region}"), name("acme", "acme-us-west-2")];
        let text = "#!/bin/sh\nexport AWS_REGION=us-east-1\naws s3 cp s3://acme/x .\nzone=us-east-1a\n\
            ok s3://acme-us-west-2 my-acme us-east-11\nhttps://s3.us-east-1.amazonaws.com/acme\n";
        let found: Vec<(usize, usize)> =
            mentions(text, &names).iter().map(|(line, names)| (*line, names.len())).collect();
        assert_eq!(found, [(2, 1), (3, 1), (4, 1), (6, 2)]);
    }
}
