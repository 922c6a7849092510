//! Views: data into text.

pub(crate) mod annotation;
mod bars;
pub(crate) mod color;
pub(crate) mod data;
pub(crate) mod discover;
pub(crate) mod escape;
pub(crate) mod forecast;
pub(crate) mod gantt;
pub(crate) mod graph;
pub(crate) mod head;
pub(crate) mod markdown;
pub(crate) mod order;
pub(crate) mod plan;
mod policy;
pub(crate) mod progress;
pub(crate) mod report;
pub(crate) mod runs;
pub(crate) mod status;
mod step;
pub(crate) mod svg;
pub(crate) mod sync;
mod values;

pub(crate) use drstack_app::text::{about, count, duration, listed};
use drstack_core::diagnostic::{Diagnostic, Sources};

use crate::lines::{DiagnosticLine, Line, SourcePlace};

/// Returns the JSON line of a diagnostic, with line and column.
pub(crate) fn diagnostic<'a>(diagnostic: &'a Diagnostic, sources: &Sources) -> Line<'a> {
    let at = diagnostic.labels.first().and_then(|label| {
        let (path, text) = sources.files.get(label.span.file)?;
        let before = text.get(..label.span.range.start)?;
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(1, |it| it.chars().count() + 1);
        Some(SourcePlace { file: path.display().to_string(), line, column })
    });
    let Diagnostic { code, severity, message, help, .. } = diagnostic;
    Line::Diagnostic(DiagnosticLine { code, severity: *severity, message, at, help: help.as_deref() })
}
