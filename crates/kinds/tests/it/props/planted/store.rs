//! A control bucket whose writes go wrong.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use drstack_core::control::{Condition, ControlStore, StoreError, Stored, Version};
use futures_util::future::{BoxFuture, FutureExt};
use serde_json::Value;

use super::Flaw;

/// Returns `store`, or one whose writes go wrong.
pub(in crate::props) fn late(flaw: Option<Flaw>, store: Arc<dyn ControlStore>) -> Arc<dyn ControlStore> {
    let put = match flaw {
        Some(Flaw::LateJournal) => Put::Late(Mutex::new(None)),
        Some(Flaw::AsksOnce) => Put::Deaf { ended: AtomicBool::new(true) },
        Some(Flaw::PublishesLate) => Put::Deaf { ended: AtomicBool::new(false) },
        Some(Flaw::WritesFacts) => Put::WithFacts,
        Some(Flaw::EndlessLock) => Put::Locks(|lock| lock["until"] = "2199-01-01T00:00:00Z".into()),
        Some(Flaw::ForgetfulLock) => Put::Locks(|lock| lock["begun"] = Value::Array(Vec::new())),
        _ => return store,
    };
    Arc::new(Bucket { store, put })
}

struct Bucket {
    store: Arc<dyn ControlStore>,
    put: Put,
}

/// The way in which its writes go wrong.
enum Put {
    /// Writes each segment of a journal only when the next one comes.
    Late(Mutex<Option<(String, Vec<u8>)>>),
    /// Changes the records of held locks.
    Locks(fn(&mut Value)),
    /// Reports a renewal as successful once the run has no more steps, although another run has
    /// taken the lock.
    Deaf { ended: AtomicBool },
    /// Writes the facts whenever the mode is written.
    WithFacts,
}

impl Bucket {
    async fn write(&self, key: &str, mut body: Vec<u8>, when: Condition) -> Result<Version, StoreError> {
        match &self.put {
            Put::Late(behind) if key.starts_with("runs/") => {
                let mine = Some((key.to_owned(), body));
                let behind =
                    std::mem::replace(&mut *behind.lock().unwrap_or_else(PoisonError::into_inner), mine);
                match behind {
                    Some((key, body)) => self.store.put(&key, body, when).await,
                    None => Ok(String::new()),
                }
            }
            Put::Locks(change) => {
                if let Ok(mut lock) = serde_json::from_slice::<Value>(&body)
                    && lock.get("until").is_some()
                {
                    change(&mut lock);
                    body = lock.to_string().into_bytes();
                }
                self.store.put(key, body, when).await
            }
            Put::Deaf { ended } => {
                if key.starts_with("runs/") && String::from_utf8_lossy(&body).contains("run_finished") {
                    ended.store(true, Ordering::Relaxed);
                }
                let is_renewal = key == "lock.json" && matches!(when, Condition::Matches(_));
                match self.store.put(key, body, when).await {
                    Err(StoreError::Refused { .. }) if is_renewal && ended.load(Ordering::Relaxed) => {
                        Ok(String::new())
                    }
                    other => other,
                }
            }
            Put::WithFacts if key == "mode.json" => {
                if let Some((facts, _)) = self.store.get("facts.json").await? {
                    self.store.put("facts.json", facts, Condition::Always).await?;
                }
                self.store.put(key, body, when).await
            }
            _ => self.store.put(key, body, when).await,
        }
    }
}

impl ControlStore for Bucket {
    fn ensure(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.ensure()
    }
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.store.get(key)
    }
    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Vec<u8>,
        when: Condition,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        self.write(key, body, when).boxed()
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
