//! What the targets share: a control store whose every object has the bytes at hand.

use drstack_core::control::{Condition, ControlStore, StoreError, Stored, Version};
use futures_util::future::{BoxFuture, FutureExt, ready};

/// A store in which every key holds these bytes, and that takes every write.
pub struct Same(pub Vec<u8>);

impl ControlStore for Same {
    fn ensure(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        ready(Ok(())).boxed()
    }
    fn get<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        ready(Ok(Some((self.0.clone(), "1".to_owned())))).boxed()
    }
    fn put<'a>(&'a self, _: &'a str, _: Vec<u8>, _: Condition) -> BoxFuture<'a, Result<Version, StoreError>> {
        ready(Ok("2".to_owned())).boxed()
    }
    fn delete<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        ready(Ok(())).boxed()
    }
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        ready(Ok(vec![format!("{prefix}000000.jsonl")])).boxed()
    }
    fn destroy(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        ready(Ok(())).boxed()
    }
}

/// The end of a future that never waits.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing to wait for")
}
