//! Diagnostics: what is wrong, where, and the way out, as data.

pub mod codes;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::ops::Range;
use std::path::PathBuf;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It blocks.
    Error,
    /// It travels along with success.
    Warning,
}

/// Index of a file in [`Sources`].
pub type FileId = usize;

/// A stretch of a source file, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Which file.
    pub file: FileId,
    /// Bytes of it.
    pub range: Range<usize>,
}

/// A span with a remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// The remark beside the caret; may be empty.
    pub text: String,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code, explained by `drstack explain DR012`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// Where; the first is the primary place, the others say how it came to be used.
    pub labels: Vec<Label>,
    /// The way out, as an imperative sentence.
    pub help: Option<String>,
}

/// The files a stack was read from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Path as the user would type it, and text.
    pub files: Vec<(PathBuf, String)>,
}

/// The part of `range` that is shown: its first line. What follows says no more, and may be user data.
fn shown(text: &str, range: &Range<usize>) -> Range<usize> {
    let (start, end) = (range.start.min(text.len()), range.end.min(text.len()));
    let line = text.get(start..end).and_then(|it| it.trim_end().find('\n')).map(|it| start + it);
    // A carriage return belongs to the line's end.
    let line = line.map(|end| if text[..end].ends_with('\r') { end - 1 } else { end });
    start..line.filter(|end| *end > start).unwrap_or(end)
}

/// The diagnostics as rustc would print them: code, message, file, line, column, caret, help.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
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
            let range = shown(text, &label.span.range);
            let mut annotation = kind.span(range);
            if !label.text.is_empty() {
                annotation = annotation.label(&label.text);
            }
            group =
                group.element(Snippet::source(text).path(path.display().to_string()).annotation(annotation));
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(help));
        }
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    out
}
