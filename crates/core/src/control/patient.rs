//! Reads of the control bucket, as patient as a step's calls.
//!
//! One throttled read of the lock or of the mode must not end a failover.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tokio::time::{Instant, sleep};

use super::{Condition, ControlStore, StoreError, Stored, Version};
use crate::cloud::CloudError;
use crate::engine::wait::Pauses;
use crate::kind::Wait;

/// Time after which a bucket that never answers is given up: its region is lost, and the operator
/// has to know. Each read without an answer has taken the client's own timeouts and retries.
const NO_ANSWER: Duration = Duration::from_secs(30);

/// A control store whose reads are retried for [`Wait::SETTLE`].
///
/// Writes are not: each knows by itself if it may have happened.
pub struct Patient(Arc<dyn ControlStore>);

impl Patient {
    /// Makes the reads of `store` patient.
    pub fn of(store: Arc<dyn ControlStore>) -> Arc<dyn ControlStore> {
        Arc::new(Self(store))
    }
}

async fn patiently<'a, T>(read: impl Fn() -> BoxFuture<'a, Result<T, StoreError>>) -> Result<T, StoreError> {
    let (begun, mut pauses) = (Instant::now(), Pauses::of(Wait::SETTLE));
    loop {
        let error = match read().await {
            Err(StoreError::Cloud(error)) if error.is_transient() => error,
            other => return other,
        };
        let is_gone = matches!(error, CloudError::Unreachable { .. }) && begun.elapsed() >= NO_ANSWER;
        let Some(pause) = pauses.next().filter(|_| !is_gone) else { return Err(error.into()) };
        sleep(pause).await;
    }
}

impl ControlStore for Patient {
    fn ensure(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.ensure()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        patiently(|| self.0.get(key)).boxed()
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Vec<u8>,
        condition: Condition,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        self.0.put(key, body, condition)
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.delete(key)
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        patiently(|| self.0.list(prefix)).boxed()
    }

    fn destroy(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.destroy()
    }
}

/// Reads the object under `key` and parses it. What cannot be parsed is read again: the answer may
/// be garbled, and not the object.
///
/// # Errors
/// The store's errors; inside, the parse error of an object that is the same twice.
pub async fn parsed<T, E>(
    store: &dyn ControlStore,
    key: &str,
    parse: impl Fn(&[u8]) -> Result<T, E>,
) -> Result<Option<(Result<T, E>, Version)>, StoreError> {
    let mut last: Option<Stored> = None;
    for _ in 1..GARBLED {
        let Some(stored) = store.get(key).await? else { return Ok(None) };
        match parse(&stored.0) {
            Err(_) if last.as_ref() != Some(&stored) => last = Some(stored),
            settled => return Ok(Some((settled, stored.1))),
        }
    }
    Ok(store.get(key).await?.map(|(body, version)| (parse(&body), version)))
}

/// Reads at most of an object that cannot be used and differs each time: a line that garbles three
/// answers in a row is broken.
pub const GARBLED: usize = 4;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::control::memory::Memory;
    use crate::control::unkept::Unkept;

    /// A store whose reads first fail with these errors.
    struct Failing {
        store: Unkept,
        errors: Mutex<Vec<CloudError>>,
    }

    impl ControlStore for Failing {
        fn ensure(&self) -> BoxFuture<'_, Result<(), StoreError>> {
            self.store.ensure()
        }

        fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
            match self.errors.lock().unwrap().pop() {
                Some(error) => std::future::ready(Err(error.into())).boxed(),
                None => self.store.get(key),
            }
        }

        fn put<'a>(
            &'a self,
            key: &'a str,
            body: Vec<u8>,
            condition: Condition,
        ) -> BoxFuture<'a, Result<Version, StoreError>> {
            self.store.put(key, body, condition)
        }

        fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
            self.store.delete(key)
        }

        fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
            self.store.list(prefix)
        }

        fn destroy(&self) -> BoxFuture<'_, Result<(), StoreError>> {
            self.store.destroy()
        }
    }

    /// Returns the result of a read that fails so often with `error`, and the seconds that it took.
    async fn read(error: CloudError, times: usize) -> (bool, u64) {
        let errors = Mutex::new(vec![error; times]);
        let store = Patient::of(Arc::new(Failing { store: Unkept::default(), errors }));
        let begun = Instant::now();
        (store.get("lock.json").await.is_ok(), begun.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_is_as_patient_as_a_step_and_gives_up_on_a_lost_region() {
        let operation = || "s3:GetObject".to_owned();
        let throttled = CloudError::Throttled { operation: operation() };
        assert_eq!(read(throttled.clone(), 10).await, (true, 44));
        assert_eq!(read(throttled, 1000).await, (false, Wait::SETTLE.deadline.as_secs()));
        let unreachable = CloudError::Unreachable {
            operation: operation(),
            region: "us-west-2".to_owned(),
            message: "no answer".to_owned(),
        };
        assert_eq!(read(unreachable.clone(), 2).await, (true, 1));
        let (is_read, seconds) = read(unreachable, 1000).await;
        assert!(!is_read && (30..50).contains(&seconds), "{seconds}");
        let denied = CloudError::Denied { operation: operation(), message: "no".to_owned() };
        assert_eq!(read(denied, 1).await, (false, 0));
    }

    #[tokio::test]
    async fn what_cannot_be_parsed_is_read_until_it_is_the_same_twice() {
        let store = Memory::default();
        store.put("key", b"7".to_vec(), Condition::Always).await.unwrap();
        let text = |it: &[u8]| std::str::from_utf8(it).unwrap().parse::<u32>();
        assert_eq!(parsed(&store, "key", text).await.unwrap().unwrap().0, Ok(7));
        assert!(parsed(&store, "none", text).await.unwrap().is_none());
        let calls = Mutex::new(0);
        let garbled = |it: &[u8]| {
            *calls.lock().unwrap() += 1;
            let first = *calls.lock().unwrap() == 1;
            if first { "gar".parse::<u32>() } else { text(it) }
        };
        assert_eq!(parsed(&store, "key", garbled).await.unwrap().unwrap().0, Ok(7));
        store.put("key", b"damaged".to_vec(), Condition::Always).await.unwrap();
        *calls.lock().unwrap() = 0;
        assert!(parsed(&store, "key", garbled).await.unwrap().unwrap().0.is_err());
        assert_eq!(*calls.lock().unwrap(), 2, "the same twice is damaged");
    }
}
