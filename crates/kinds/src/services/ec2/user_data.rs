//! User data: base64 on the wire; text, or bytes that are no text, in memory.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use drstack_core::cloud::sha256;

/// Marks what is no text: such user data is kept as it came, in base64.
const RAW: &str = "\0base64:";

/// What EC2 takes.
pub(crate) fn encode(text: &str) -> String {
    text.strip_prefix(RAW).map_or_else(|| STANDARD.encode(text), str::to_owned)
}

/// What EC2 gave, as text where it is text.
pub(crate) fn decode(wire: &str) -> Option<String> {
    let bytes = STANDARD.decode(wire.trim()).ok()?;
    Some(String::from_utf8(bytes).unwrap_or_else(|_| format!("{RAW}{}", wire.trim())))
}

/// The hash under which the text is known.
pub(crate) fn hash(wire: &str) -> Option<String> {
    decode(wire).map(|text| sha256(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_come_back_as_they_were() {
        for wire in [STANDARD.encode("#!/bin/sh\n"), STANDARD.encode([0x1f, 0x8b, 0xff])] {
            assert_eq!(encode(&decode(&wire).unwrap()), wire);
            assert!(hash(&wire).is_some());
        }
        assert_eq!(decode("not base64!"), None);
    }
}
