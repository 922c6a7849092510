//! Both sides of data that is kept in both regions, for people and programs.

use std::collections::BTreeSet;
use std::fmt::Write;

use drstack_app::report::data::Data;
use jiff::Timestamp;

use crate::lines::{BacklogLine, Line};

/// Returns the JSON line about the backlog of `data`.
pub(crate) fn backlog_line(data: &Data, now: Timestamp) -> Line<'_> {
    Line::Backlog(BacklogLine { at: now, data })
}

/// Describes the backlog of replication, for people.
pub(crate) fn backlog(all: &[Data], now: Timestamp) -> String {
    let lines: Vec<String> = all.iter().map(|it| format!("  {}\n", it.backlog(now))).collect();
    format!("\nWhat replication has yet to bring:\n{}", lines.concat())
}

/// Says that nothing is left to arrive, beside the data that was `left` out.
pub(crate) fn drained(standby: &str, left: &[String], now: Timestamp) -> String {
    let besides = match left {
        [] => String::new(),
        _ => format!(" beside {}, which was not waited for", left.join(", ")),
    };
    format!("Replication has drained: nothing is left to arrive in {standby}{besides}, as of {now:.0}.\n")
}

/// Describes the differences between the regions, for people.
pub(crate) fn divergence(all: &[Data], apart: &[String], primary: &str, standby: &str) -> String {
    let mut out = String::new();
    for data in all {
        let _ = writeln!(out, "  {}", data.divergence(primary, standby));
    }
    // Restored tables have no copy, so they are not in `all`.
    for data in apart {
        let _ = writeln!(out, "  {data}");
    }
    if all.is_empty() && apart.is_empty() {
        out.push_str("The stack keeps no data in both regions.\n");
    }
    let means: BTreeSet<&str> = all.iter().map(|it| it.means).collect();
    for sentence in means {
        let _ = writeln!(out, "{sentence}");
    }
    out
}

#[cfg(test)]
mod tests {
    use drstack_core::sides::{Changed, Sides};

    use super::*;

    fn data(sides: Sides) -> Data {
        let (address, name) = ("bucket.models".to_owned(), "acme-models".to_owned());
        Data { address, name, unit: "object".into(), means: "By version.", sides: Some(sides), error: None }
    }

    #[test]
    fn divergence_says_both_sides_and_what_was_not_looked_at() {
        let sides = Sides {
            standby_only: 3,
            differ: 1,
            changed: Some(Changed { primary: 0, standby: 4 }),
            compared: 9,
            ..Sides::default()
        };
        let apart = ["table.cold/table-import: not compared".to_owned()];
        let text = divergence(&[data(sides)], &apart, "us-east-1", "us-west-2");
        assert!(text.contains("  table.cold/table-import: not compared\n"), "{text}");
        let said = "bucket.models: 3 objects only in us-west-2, 0 only in us-east-1, 1 on both sides and not the same (9 objects compared); \
                    written since the failover: 4 in us-west-2, 0 in us-east-1; `acme-models` has more, which was not looked at";
        assert!(text.contains(said) && text.ends_with("By version.\n"), "{text}");
    }
}
