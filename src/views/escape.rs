//! Text of others in Markdown.

use drstack_core::text::plain;

/// Escapes what Markdown would read as markup: names and errors are other people's.
pub(crate) fn escaped(line: &str) -> String {
    let line = plain(line);
    let mut out = String::with_capacity(line.len());
    for (at, c) in line.char_indices() {
        // `://` alone makes a link of what stands around it.
        let is_link = c == '/' && line[..at].ends_with(':');
        if is_link || "\\`*_[]<>&!#|~@".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
