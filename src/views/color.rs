//! Colour. Views always write it; `ui.rs` strips it where a terminal, `NO_COLOR` or `--no-color`
//! does not want it.

use anstyle::{AnsiColor, Style};

/// Created, recovered, complete.
pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
/// Changed, or with less than the stack wants.
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default();
/// Deleted, failed, blocked.
pub(crate) const RED: Style = AnsiColor::Red.on_default();
/// What to do next.
const CYAN: Style = AnsiColor::Cyan.on_default();

/// Words that say at the beginning of a line what the line is about.
const LABELS: [(&str, Style); 10] = [
    ("error:", RED.bold()),
    ("warning:", YELLOW.bold()),
    ("hint:", CYAN),
    ("BLOCKED", RED),
    ("Blocked:", RED),
    ("FAILED", RED),
    ("STOPPED", YELLOW),
    ("DEGRADED", YELLOW),
    ("NOT COMPARED", YELLOW),
    ("NOT LOOKED AT", YELLOW),
];

/// Writes `text` in a colour.
pub(crate) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Colours the labels that lines of `text` begin with.
pub(crate) fn labels(text: &str) -> String {
    text.split_inclusive('\n').map(label).collect()
}

fn label(line: &str) -> String {
    let begin = line.len() - line.trim_start().len();
    // The number of a step stands before its label.
    let number = line[begin..].starts_with('[').then(|| line.find("] ")).flatten();
    let (before, rest) = line.split_at(number.map_or(begin, |at| at + "] ".len()));
    let found = LABELS.iter().find(|(label, _)| rest.starts_with(label));
    match found.and_then(|(label, style)| Some((label, *style, rest.strip_prefix(label)?))) {
        Some((label, style, rest)) => format!("{before}{}{rest}", paint(style, label)),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_coloured_at_the_beginning_of_a_line_alone() {
        let red = |text: &str| paint(RED, text);
        for plain in ["", "\n", "no error: here\n", "a FAILED b", "[1/2] created it", "[not a number"] {
            assert_eq!(labels(plain), plain);
        }
        assert_eq!(labels("  FAILED a: b\nrest"), format!("  {} a: b\nrest", red("FAILED")));
        assert_eq!(labels("  [ 3/12] FAILED a"), format!("  [ 3/12] {} a", red("FAILED")));
        assert_eq!(labels("a\n\nhint: b\n"), format!("a\n\n{} b\n", paint(CYAN, "hint:")));
    }
}
