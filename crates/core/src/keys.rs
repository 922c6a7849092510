//! Keys that sign bundles: ed25519, in hexadecimal, which needs no quotes in a shell or escapes in
//! TOML.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Prefix of a public key.
const PUBLIC: &str = "ed25519:";
/// Prefix of a private key: it cannot be mistaken for a public one.
const PRIVATE: &str = "drstack-private-key:ed25519:";
/// Length of a key in bytes.
const KEY: usize = 32;
/// Length of a signature in bytes.
const SIGNATURE: usize = 64;

/// Help text on how to write a public key.
pub const PUBLIC_KEY_HELP: &str =
    "write the public key as `drstack keys show FILE` prints it: `ed25519:` and 64 hexadecimal digits";

/// Why a text is not a key. It does not contain the text, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not a public key.
    #[error("this is not a public key")]
    Public,
    /// It is a private key where a public one belongs.
    #[error("this is a private key, and a public one belongs here")]
    Exposed,
    /// It is not a private key.
    #[error("this is not a private key of drstack")]
    Private,
}

/// Why a signature check failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// There is no signature.
    #[error("it is not signed, and a signature by {0} is required")]
    Unsigned(PublicKey),
    /// No signature is by this key.
    #[error("it has no valid signature by {0}")]
    Invalid(PublicKey),
}

/// A public key, which checks signatures; it is not secret.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Box<VerifyingKey>); // errors name it, and it is large

/// A private key, which makes signatures. It has no `Serialize`, prints nothing, and is wiped from
/// memory on drop.
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// Creates the key from these bytes, which must be random.
    pub fn from_random(bytes: &[u8; KEY]) -> Self {
        Self(SigningKey::from_bytes(bytes))
    }

    /// Parses the text of a key file.
    ///
    /// # Errors
    /// [`KeyError::Private`].
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        let digits = text.trim().strip_prefix(PRIVATE).ok_or(KeyError::Private)?;
        unhex(digits).map(|bytes| Self(SigningKey::from_bytes(&bytes))).ok_or(KeyError::Private)
    }

    /// Returns the text of a key file.
    pub fn to_text(&self) -> String {
        format!("{PRIVATE}{}\n", hex(self.0.as_bytes()))
    }

    /// Returns the public key.
    pub fn public(&self) -> PublicKey {
        PublicKey(Box::new(self.0.verifying_key()))
    }

    /// Signs `bytes`.
    pub fn sign(&self, bytes: &[u8]) -> String {
        hex(&self.0.sign(bytes).to_bytes())
    }
}

impl PublicKey {
    /// Checks that one of `signatures`, one per line, is this key's signature of `bytes`.
    ///
    /// # Errors
    /// [`NotSigned`].
    pub fn check(&self, bytes: &[u8], signatures: &str) -> Result<(), NotSigned> {
        let mut lines = signatures.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
        if lines.peek().is_none() {
            return Err(NotSigned::Unsigned(self.clone()));
        }
        let is_ours = |line: &str| {
            let signature = unhex::<SIGNATURE>(line).map(|it| Signature::from_bytes(&it));
            signature.is_some_and(|it| self.0.verify_strict(bytes, &it).is_ok())
        };
        match lines.any(is_ours) {
            true => Ok(()),
            false => Err(NotSigned::Invalid(self.clone())),
        }
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.starts_with(PRIVATE) {
            return Err(KeyError::Exposed);
        }
        let bytes = text.strip_prefix(PUBLIC).and_then(unhex).ok_or(KeyError::Public)?;
        // A weak key accepts signatures that no private key made.
        let key = VerifyingKey::from_bytes(&bytes).ok().filter(|key| !key.is_weak());
        key.map(|key| Self(Box::new(key))).ok_or(KeyError::Public)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC}{}", hex(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public())
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Decodes exactly `N` bytes of lower-case digits: a key has one spelling.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |c: &u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let digits: Vec<u8> = text.as_bytes().iter().map(digit).collect::<Option<_>>()?;
    if digits.len() != 2 * N {
        return None;
    }
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written() {
        let private = PrivateKey::from_random(&[7; 32]);
        let again = PrivateKey::from_text(&private.to_text()).unwrap();
        assert_eq!(again.public(), private.public());
        assert_eq!(again.public().to_string().parse(), Ok(private.public()));
        let json = serde_json::to_string(&private.public()).unwrap();
        assert_eq!(serde_json::from_str::<PublicKey>(&json).unwrap(), private.public());
        assert!(!format!("{private:?}").contains(private.to_text().trim().rsplit(':').next().unwrap()));
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        let private = PrivateKey::from_random(&[7; 32]);
        assert_eq!(private.to_text().parse::<PublicKey>(), Err(KeyError::Exposed));
        let public = private.public().to_string();
        let weak = format!("{PUBLIC}01{}", "0".repeat(62));
        for text in ["", "ed25519:", &public[..public.len() - 1], &public.to_uppercase(), &weak] {
            assert_eq!(text.parse::<PublicKey>(), Err(KeyError::Public), "{text}");
        }
        for text in ["", public.as_str(), "drstack-private-key:ed25519:00"] {
            assert!(matches!(PrivateKey::from_text(text), Err(KeyError::Private)), "{text}");
        }
    }
}
