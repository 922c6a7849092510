//! What a sync found, as text.

use std::fmt::Write;

use drstack_core::facts::Moved;
use drstack_core::plan::ForAPerson;
use drstack_core::text::plain;
use serde_json::Value;

use super::step::Symbol;

/// Longest value that is shown whole, in characters.
const LONGEST: usize = 120;

/// Describes what moved in the primary since it was last captured, field by field.
pub(crate) fn moved(primary: &str, moved: &[Moved]) -> String {
    let mut out = String::new();
    if moved.is_empty() {
        return out;
    }
    let _ = writeln!(out, "Changed in {primary} since it was last captured:");
    out.push_str(&fields(moved));
    out.push('\n');
    out
}

/// Lists what moved, field by field.
pub(super) fn fields(moved: &[Moved]) -> String {
    let mut out = String::new();
    for it in moved {
        let _ = writeln!(out, "  {} (last captured {:.0})", name(&it.fact), it.last_captured);
        for field in &it.fields {
            let label = if field.field.is_empty() { String::new() } else { format!("{}: ", field.field) };
            let _ = writeln!(out, "      {}{} -> {}", plain(&label), value(&field.from), value(&field.to));
        }
    }
    out
}

/// Describes the steps that a sync leaves to a person.
pub(crate) fn for_a_person(left: &[ForAPerson]) -> String {
    let mut out = String::new();
    if left.is_empty() {
        return out;
    }
    out.push_str("\nLeft to a person:\n");
    for it in left {
        let _ = writeln!(out, "{} {:<40} {}", Symbol::of(it.action, it.replaces).text(), it.address, it.why);
    }
    out
}

/// Returns the name of a fact: `group serve` of `primary/group/serve`.
pub(super) fn name(fact: &str) -> String {
    let name = fact.split_once('/').map_or(fact, |(_, name)| name);
    plain(name.replacen('/', " ", 1).trim_end()).into_owned()
}

pub(super) fn value(value: &Value) -> String {
    let text = match value {
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", plain(&text[..end])),
        None => plain(&text).into_owned(),
    }
}
