//! User data: base64 in requests; in memory text, or bytes that are not text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use drstack_core::cloud::sha256;

/// Prefix of user data that is not text and is kept in base64.
const RAW: &str = "\0base64:";

/// Encodes user data for EC2.
pub(crate) fn encode(text: &str) -> String {
    text.strip_prefix(RAW).map_or_else(|| STANDARD.encode(text), str::to_owned)
}

/// Decodes user data from EC2, to text if it is text.
pub(crate) fn decode(wire: &str) -> Option<String> {
    let bytes = STANDARD.decode(wire.trim()).ok()?;
    Some(String::from_utf8(bytes).unwrap_or_else(|_| format!("{RAW}{}", wire.trim())))
}

/// Returns the hash that identifies the text.
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
