//! Views: data into text.

pub(crate) mod data;
pub(crate) mod gantt;
pub(crate) mod graph;
pub(crate) mod order;
pub(crate) mod plan;
pub(crate) mod progress;
pub(crate) mod report;
pub(crate) mod svg;

pub(crate) use drstack_app::text::{count, duration, listed};
use drstack_core::diagnostic::{Diagnostic, Severity, Sources};
use serde_json::{Value, json};

/// Returns a diagnostic as JSON, with line and column.
pub(crate) fn diagnostic(diagnostic: &Diagnostic, sources: &Sources) -> Value {
    let place = diagnostic.labels.first().and_then(|label| {
        let (path, text) = sources.files.get(label.span.file)?;
        let before = text.get(..label.span.range.start)?;
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(1, |it| it.chars().count() + 1);
        Some(json!({"file": path.display().to_string(), "line": line, "column": column}))
    });
    let severity = if diagnostic.severity == Severity::Error { "error" } else { "warning" };
    json!({"code": diagnostic.code, "severity": severity, "message": diagnostic.message, "at": place, "help": diagnostic.help})
}
