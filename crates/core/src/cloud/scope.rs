//! What a call needs to know about the stack it serves, and what of it is never written down.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kind::Place;

/// What a call needs to know about the stack it serves.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Name of the stack, the value of the tag `drstack:stack`.
    pub stack: Arc<str>,
    /// The primary region.
    pub primary: Arc<str>,
    /// The standby region.
    pub standby: Arc<str>,
    /// Values that must never be written down, by their SHA-256 in hex.
    pub secrets: Arc<Secrets>,
}

impl Scope {
    /// The region that `place` means here. Global services are called through the standby's view of them.
    pub fn region(&self, place: Place) -> &str {
        match place {
            Place::Primary => &self.primary,
            Place::Standby | Place::Global => &self.standby,
        }
    }
}

/// Secret values by their SHA-256 in lower-case hex: user data above all. Has no `Serialize` and prints nothing.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// Keeps `value` and returns its hash.
    pub fn keep(&mut self, value: String) -> String {
        let hash = sha256(value.as_bytes());
        self.0.insert(hash.clone(), value);
        hash
    }

    /// The value with this hash, if it was seen in this run.
    pub fn get(&self, hash: &str) -> Option<&str> {
        self.0.get(hash).map(String::as_str)
    }

    /// Fails over all of `other`.
    pub fn extend(&mut self, other: Secrets) {
        self.0.extend(other.0);
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

/// Says that `bucket` was refused to a caller who expects `account` to own it: S3 does not tell which of the two is why.
pub fn not_of_account(bucket: &str, account: &str) -> String {
    format!("bucket `{bucket}` may belong to another account than {account}")
}

/// SHA-256 in lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    sha2::Sha256::digest(bytes).iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
