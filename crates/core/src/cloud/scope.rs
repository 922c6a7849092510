//! Scope of cloud calls: the stack that they serve, and its secrets, which are never stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kind::Place;

/// What a call needs to know about its stack.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Name of the stack, the value of the tag `drstack:stack`.
    pub stack: Arc<str>,
    /// The primary region.
    pub primary: Arc<str>,
    /// The standby region.
    pub standby: Arc<str>,
    /// Values that must never be stored, by their SHA-256 in hex.
    pub secrets: Arc<Secrets>,
}

impl Scope {
    /// Returns the region of `place`. Global services are called through the standby region's
    /// endpoints.
    pub fn region(&self, place: Place) -> &str {
        match place {
            Place::Primary => &self.primary,
            Place::Standby | Place::Global => &self.standby,
        }
    }
}

/// Secret values by their SHA-256 in lower-case hex, above all user data. Has no `Serialize` and
/// prints nothing.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// Stores `value` and returns its hash.
    pub fn keep(&mut self, value: String) -> String {
        let hash = sha256(value.as_bytes());
        self.0.insert(hash.clone(), value);
        hash
    }

    /// Returns the value with this hash, if this run has seen it.
    pub fn get(&self, hash: &str) -> Option<&str> {
        self.0.get(hash).map(String::as_str)
    }

    /// Adds all values of `other`.
    pub fn extend(&mut self, other: Secrets) {
        self.0.extend(other.0);
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

/// Formats that `bucket` was refused to a caller who expects `account` to own it.
///
/// S3 does not tell whether the access or the owner is the reason.
pub fn not_of_account(bucket: &str, account: &str) -> String {
    format!("bucket `{bucket}` may belong to another account than {account}")
}

/// Returns the SHA-256 in lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    sha2::Sha256::digest(bytes).iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
