//! Diagnostics: problem, place and help, as data.

pub mod codes;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

/// Problems shown of one stack; more than this say nothing new.
pub const MOST_SHOWN: usize = 100;

/// Severity of a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// An error, which blocks.
    Error,
    /// A warning, which does not block.
    Warning,
}

/// True if the stack is wrong, and not only a region without an answer.
pub fn is_invalid(problems: &[Diagnostic]) -> bool {
    problems.iter().any(|it| it.severity == Severity::Error && it.code != codes::UNANSWERED)
}

/// Index of a file in [`Sources`].
pub type FileId = usize;

/// A stretch of a source file, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// Range of bytes.
    pub range: Range<usize>,
}

/// A span with a remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The span.
    pub span: Span,
    /// The remark beside the caret; may be empty.
    pub text: String,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code, explained by `drstack explain DR012`.
    pub code: &'static str,
    /// Severity.
    pub severity: Severity,
    /// The problem, in one line.
    pub message: String,
    /// Places; the first is the primary one, the others show how it came to be used.
    pub labels: Vec<Label>,
    /// Help, as an imperative sentence.
    pub help: Option<String>,
}

/// The files that a stack was read from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Path as the operator would type it, and text.
    pub files: Vec<(PathBuf, String)>,
}

/// One line of a file, with the part that a label is about.
struct Stretch<'a> {
    /// Line number, from 1.
    line: usize,
    text: &'a str,
    range: Range<usize>,
}

/// Returns the offsets of the line ends in `text`.
fn ends_of(text: &str) -> Vec<usize> {
    text.match_indices('\n').map(|(end, _)| end).collect()
}

/// Returns the first line of `range`.
///
/// The other lines add nothing and may be user data, and all of a large file takes long to show.
fn stretch<'a>(text: &'a str, ends: &[usize], range: &Range<usize>) -> Stretch<'a> {
    let start = range.start.min(text.len());
    // What is missing at the end of a file is shown at the end of its last line.
    let start = if start == text.len() && start > 0 && text.ends_with('\n') { start - 1 } else { start };
    let before = ends.partition_point(|end| *end < start);
    let begin = before.checked_sub(1).map_or(0, |last| ends[last] + 1);
    let end = ends.get(before).copied().unwrap_or(text.len());
    // A carriage return belongs to the line's end.
    let visible = begin + text[begin..end].trim_end_matches('\r').len();
    let stop = range.end.clamp(start, visible.max(start));
    Stretch { line: before + 1, text: &text[begin..visible.max(stop)], range: start - begin..stop - begin }
}

/// Renders the diagnostics as rustc would: code, message, file, line, column, caret, help.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    let mut ends = BTreeMap::new();
    for diagnostic in diagnostics {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(&diagnostic.message).id(diagnostic.code));
        let mut primary = true;
        for label in &diagnostic.labels {
            let Some((path, text)) = sources.files.get(label.span.file) else { continue };
            let kind = if primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            primary = false;
            let ends = ends.entry(label.span.file).or_insert_with(|| ends_of(text));
            let Stretch { line, text, range } = stretch(text, ends, &label.span.range);
            let mut annotation = kind.span(range);
            if !label.text.is_empty() {
                annotation = annotation.label(&label.text);
            }
            group = group.element(
                Snippet::source(text)
                    .line_start(line)
                    .path(path.display().to_string())
                    .annotation(annotation),
            );
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(help));
        }
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    out
}
