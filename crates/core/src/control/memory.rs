//! A control store in memory, for tests: conditional as S3 is, with failures on demand.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use futures_util::future::{BoxFuture, FutureExt};

use super::{Condition, ControlStore, StoreError, Stored, Version};
use crate::cloud::{CloudError, sha256};

/// Fate of a write.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fate {
    /// The write happens and is answered.
    Answered,
    /// The write happens, and the answer is lost.
    AnswerLost,
    /// The write never arrives.
    Lost,
}

/// A change that another actor makes to the objects in between.
type Meddling = Box<dyn FnOnce(&mut BTreeMap<String, Vec<u8>>) + Send>;

/// Objects by key. Each call yields first, so that concurrent calls interleave one by one.
#[derive(Default)]
pub(crate) struct Memory {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    fates: Mutex<VecDeque<Fate>>,
    meddling: Mutex<Option<Meddling>>,
}

impl Memory {
    /// Sets the fates of the next writes; later ones succeed.
    pub(crate) fn fate(&self, fates: &[Fate]) {
        self.fates.lock().unwrap().extend(fates);
    }

    /// Runs `meddling` as another actor just before the next write.
    pub(crate) fn meddle(&self, meddling: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) + Send + 'static) {
        *self.meddling.lock().unwrap() = Some(Box::new(meddling));
    }

    /// Returns the lines of every object whose key starts with `prefix`, in order.
    pub(crate) fn lines(&self, prefix: &str) -> Vec<String> {
        let objects = self.objects.lock().unwrap();
        let bodies = objects.iter().filter(|(key, _)| key.starts_with(prefix)).map(|(_, body)| body);
        bodies.flat_map(|body| std::str::from_utf8(body).unwrap().lines().map(str::to_owned)).collect()
    }

    /// Returns the stored objects.
    pub(crate) fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.objects.lock().unwrap().clone()
    }

    fn write(&self, key: &str, body: Vec<u8>, condition: Condition) -> Result<Version, StoreError> {
        let fate = self.fates.lock().unwrap().pop_front().unwrap_or(Fate::Answered);
        let mut objects = self.objects.lock().unwrap();
        if let Some(meddling) = self.meddling.lock().unwrap().take() {
            meddling(&mut objects);
        }
        if fate == Fate::Lost {
            return Err(no_answer());
        }
        let stored = objects.get(key).map(|body| version(body));
        let holds = match condition {
            Condition::Always => true,
            Condition::Absent => stored.is_none(),
            Condition::Matches(wanted) => stored == Some(wanted),
        };
        let written = match holds {
            true => Ok(version(&body)),
            false => Err(StoreError::Refused { key: key.to_owned() }),
        };
        if holds {
            objects.insert(key.to_owned(), body);
        }
        if fate == Fate::AnswerLost { Err(no_answer()) } else { written }
    }
}

/// Like S3's ETag: the same bytes have the same version.
fn version(body: &[u8]) -> Version {
    sha256(body)
}

fn no_answer() -> StoreError {
    let (operation, region) = ("s3:PutObject".to_owned(), "us-west-2".to_owned());
    CloudError::Unreachable { operation, region, message: "no answer".to_owned() }.into()
}

impl ControlStore for Memory {
    fn ensure(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async { Ok(()) }.boxed()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        async move {
            tokio::task::yield_now().await;
            Ok(self.objects.lock().unwrap().get(key).map(|body| (body.clone(), version(body))))
        }
        .boxed()
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Vec<u8>,
        condition: Condition,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        async move {
            tokio::task::yield_now().await;
            self.write(key, body, condition)
        }
        .boxed()
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            tokio::task::yield_now().await;
            self.objects.lock().unwrap().remove(key);
            Ok(())
        }
        .boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        async move {
            tokio::task::yield_now().await;
            let objects = self.objects.lock().unwrap();
            Ok(objects.keys().filter(|key| key.starts_with(prefix)).cloned().collect())
        }
        .boxed()
    }

    fn destroy(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async {
            self.objects.lock().unwrap().clear();
            Ok(())
        }
        .boxed()
    }
}
