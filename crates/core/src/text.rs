//! Text that is not drstack's own: answers of AWS, lock records and bundles, which others can write.
//!
//! What a terminal would obey is escaped: control characters, and marks that turn the direction of
//! writing or are invisible.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

/// Returns `text` on one line, with everything escaped that a terminal would obey.
///
/// A line end could make text of others look like a line of drstack.
pub fn plain(text: &str) -> Cow<'_, str> {
    escaped(text, is_unprintable)
}

/// Returns `text` as [`plain`] does, with its lines.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_unprintable(c) && !matches!(c, '\n' | '\t'))
}

/// True if a terminal would obey `c`, or show nothing.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn escaped(text: &str, is_bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_bad) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_bad(c) { out.extend(c.escape_debug()) } else { out.push(c) }
    }
    out.into()
}

/// Deserializes a text that others can write, and makes it [`plain`].
pub(crate) fn plain_text<'de, D: Deserializer<'de>, T: From<String>>(from: D) -> Result<T, D::Error> {
    let text = String::deserialize(from)?;
    Ok(match plain(&text) {
        Cow::Borrowed(_) => text.into(),
        Cow::Owned(plain) => plain.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left_of_a_text() {
        let hostile = "a\u{1b}[2J\u{7}b\r\nc\td\u{202e}e\u{9b}1m\u{2066}f\u{200b}\u{7f}g";
        let said = plain(hostile);
        assert!(!said.contains(is_unprintable), "{said}");
        assert_eq!(said, r"a\u{1b}[2J\u{7}b\r\nc\td\u{202e}e\u{9b}1m\u{2066}f\u{200b}\u{7f}g");
        let said = lines(hostile);
        assert_eq!(said.matches(is_unprintable).collect::<String>(), "\n\t", "{said}");
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        let text = "Größe von `modèles`: 日本 \u{1f600} \\u{1b}";
        assert!(matches!(plain(text), Cow::Borrowed(it) if it == text));
    }
}
