//! How an address is written in a stack file.

/// Returns the address as a TOML string; keys of `for_each` have quotes of
/// their own, and may have any other character.
pub(super) fn literal(address: &str) -> String {
    let is_plain = |c: char| c != '"' && c != '\\' && !c.is_control();
    let is_literal = |c: char| c != '\'' && !c.is_control();
    if address.chars().all(is_plain) {
        return format!("\"{address}\"");
    }
    if address.chars().all(is_literal) {
        return format!("'{address}'");
    }
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", address.chars().map(escaped).collect::<String>())
}
