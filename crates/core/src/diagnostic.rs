//! Diagnostics: what is wrong, where, and the way out, as data.

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
