//! The control store: the bucket in the standby region with lock, facts and journals, as conditional reads and writes.

pub mod doubt;
pub mod failover_stack;
pub mod in_flight;
pub mod journal;
pub mod lease;
pub mod lock;
#[cfg(test)]
pub(crate) mod memory;
pub mod mode;
pub mod patient;
pub mod published;
pub mod record;
pub mod records;
pub mod runs;
pub mod undo;
pub mod unkept;
pub mod witness;

use std::fmt::Display;

use futures_util::future::BoxFuture;

use crate::answer::Unread;
use crate::cloud::CloudError;
use crate::text::plain;

/// Version of a stored object; S3's ETag.
pub type Version = String;

/// An object's body and its version.
pub type Stored = (Vec<u8>, Version);

/// Condition of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Always.
    Always,
    /// Only if nothing is stored under the key.
    Absent,
    /// Only if what is stored has this version.
    Matches(Version),
}

/// Why a write did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The condition did not hold: another writer was first.
    #[error("another run wrote `{key}` first")]
    Refused {
        /// The key.
        key: String,
    },
    /// The control bucket does not exist yet.
    #[error("control bucket `{bucket}` does not exist")]
    NoBucket {
        /// Its name.
        bucket: String,
    },
    /// The stored object is damaged, or another version wrote it.
    #[error("`{key}` cannot be read: {}", plain(.message))]
    Broken {
        /// The key.
        key: String,
        /// The parse error.
        message: String,
    },
    /// The stored object has a format that this build does not know.
    #[error("`{key}` cannot be read: {}", plain(.message))]
    Newer {
        /// The key.
        key: String,
        /// The reason.
        message: String,
    },
    /// The call failed.
    #[error(transparent)]
    Cloud(#[from] CloudError),
}

impl StoreError {
    /// Returns the error for an object under `key` that was not read to its end, in `region`.
    ///
    /// One that is too large will stay so; any other may be read later.
    pub fn unread<E: Display>(why: &Unread<E>, key: &str, operation: &str, region: &str) -> Self {
        match why {
            Unread::Large(_) => Self::Broken { key: key.to_owned(), message: why.to_string() },
            Unread::Slow { .. } | Unread::Broken(_) => {
                let (operation, region) = (operation.to_owned(), region.to_owned());
                CloudError::Unreachable { operation, region, message: format!("`{key}`: {why}") }.into()
            }
        }
    }
}

/// Objects under keys, with conditional writes.
///
/// Guarantees: of any number of writers with `Condition::Absent` on one key exactly one succeeds; a
/// write that returned an error either happened or did not, and reading shows which.
pub trait ControlStore: Send + Sync {
    /// Creates the bucket (versioned, encrypted, closed to the public, tagged) if it is missing,
    /// and restores these settings if they differ.
    ///
    /// A bucket of that name in another account or region is an error.
    fn ensure(&self) -> BoxFuture<'_, Result<(), StoreError>>;
    /// Reads the object under `key`.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>>;
    /// Stores `body` under `key` if `condition` holds.
    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Vec<u8>,
        condition: Condition,
    ) -> BoxFuture<'a, Result<Version, StoreError>>;
    /// Deletes `key`; deleting an absent key is a success.
    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;
    /// Lists the keys that start with `prefix`, sorted.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>>;
    /// Deletes the bucket and everything in it, including old versions.
    fn destroy(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}
