//! Answers that are used once more: what a fact was made of is not asked again by the look that follows it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::SystemTime;

use aws_sdk_dynamodb::types::TableDescription;
use aws_sdk_s3::types::ReplicationRule;

/// Answers by name, each handed out once: whoever asks a second time asks AWS.
pub(crate) struct Once<T>(Mutex<BTreeMap<String, T>>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Once<T> {
    /// Keeps an answer for the next look.
    pub(crate) fn put(&self, name: &str, answer: T) {
        self.lock().insert(name.to_owned(), answer);
    }

    /// The answer, if nobody has had it yet.
    pub(crate) fn take(&self, name: &str) -> Option<T> {
        self.lock().remove(name)
    }

    fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, T>> {
        // A panic elsewhere leaves whole entries: each call is one operation of the map.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// When something was last changed by this run, by name.
#[derive(Default)]
pub(crate) struct Moments(Mutex<BTreeMap<String, SystemTime>>);

impl Moments {
    /// It is changed now.
    pub(crate) fn now(&self, name: &str) {
        self.lock().insert(name.to_owned(), SystemTime::now());
    }

    /// When it was changed, if it was.
    pub(crate) fn of(&self, name: &str) -> Option<SystemTime> {
        self.lock().get(name).copied()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, SystemTime>> {
        // As with [`Once`].
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What is told of the primary twice.
#[derive(Default)]
pub(crate) struct Told {
    /// Versioning by bucket.
    pub(crate) versioning: Once<bool>,
    /// Role and rules by bucket; none where there is no configuration.
    pub(crate) replication: Once<Option<(String, Vec<ReplicationRule>)>>,
    /// Tables by name.
    pub(crate) tables: Once<TableDescription>,
}

impl Told {
    /// Forgets what nobody asked for: it is from an earlier look.
    pub(crate) fn clear(&self) {
        self.versioning.clear();
        self.replication.clear();
        self.tables.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_handed_out_once() {
        let once = Once::default();
        once.put("a", 1);
        assert_eq!((once.take("a"), once.take("a"), once.take("b")), (Some(1), None, None));
        once.put("a", 2);
        once.clear();
        assert_eq!(once.take("a"), None);
    }
}
