//! A control store that ends with the program, for a failover whose control bucket is lost.
//!
//! It excludes no other run, and its contents are lost at the end.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, FutureExt};

use super::{Condition, ControlStore, StoreError, Stored, Version};
use crate::cloud::sha256;

/// Keeps objects in memory for as long as the program runs.
#[derive(Default)]
pub struct Unkept(Mutex<BTreeMap<String, Vec<u8>>>);

impl Unkept {
    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, key: &str, body: Vec<u8>, condition: Condition) -> Result<Version, StoreError> {
        let mut objects = self.objects();
        let stored = objects.get(key).map(|body| sha256(body));
        let holds = match condition {
            Condition::Always => true,
            Condition::Absent => stored.is_none(),
            Condition::Matches(wanted) => stored == Some(wanted),
        };
        if !holds {
            return Err(StoreError::Refused { key: key.to_owned() });
        }
        let version = sha256(&body);
        objects.insert(key.to_owned(), body);
        Ok(version)
    }
}

impl ControlStore for Unkept {
    fn ensure(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async { Ok(()) }.boxed()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        async move { Ok(self.objects().get(key).map(|body| (body.clone(), sha256(body)))) }.boxed()
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Vec<u8>,
        condition: Condition,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        async move { self.write(key, body, condition) }.boxed()
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            self.objects().remove(key);
            Ok(())
        }
        .boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        async move {
            let objects = self.objects();
            Ok(objects.keys().filter(|key| key.starts_with(prefix)).cloned().collect())
        }
        .boxed()
    }

    fn destroy(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async {
            self.objects().clear();
            Ok(())
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_conditional_as_the_bucket_is() {
        let store = Unkept::default();
        store.ensure().await.unwrap();
        let first = store.put("a/1", b"x".to_vec(), Condition::Absent).await.unwrap();
        for condition in [Condition::Absent, Condition::Matches("another".to_owned())] {
            let refused = store.put("a/1", b"y".to_vec(), condition).await;
            assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
        }
        assert_eq!(store.get("a/1").await.unwrap(), Some((b"x".to_vec(), first.clone())));
        store.put("a/1", b"z".to_vec(), Condition::Matches(first)).await.unwrap();
        assert_eq!(store.list("a/").await.unwrap(), ["a/1"]);
        store.delete("a/1").await.unwrap();
        assert_eq!(store.get("a/1").await.unwrap(), None);
    }
}
