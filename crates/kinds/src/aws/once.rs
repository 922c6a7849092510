//! Request caches of a run.
//!
//! Responses read while capturing facts are reused by the observe that follows. Identical
//! concurrent requests are sent once (single-flight).

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Instant, SystemTime};

use drstack_core::cloud::CloudError;

/// Responses by name, each handed out once: a second read goes to AWS.
pub(crate) struct Cache<T>(Mutex<BTreeMap<String, T>>);

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Cache<T> {
    /// Stores a response for the next read.
    pub(crate) fn put(&self, name: &str, answer: T) {
        self.lock().insert(name.to_owned(), answer);
    }

    /// Takes the response, if it was not taken yet.
    pub(crate) fn take(&self, name: &str) -> Option<T> {
        self.lock().remove(name)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, T>> {
        // A panic elsewhere leaves whole entries: each call is one operation on the map.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Single-flight for one request: one of several concurrent callers sends it, and all share its
/// answer or error.
///
/// All callers wait together for a service that hangs. A caller never gets the answer of a request
/// that was sent before it asked, because that answer could miss what the caller has just created.
pub(crate) struct SingleFlight<T>(tokio::sync::Mutex<Option<(Instant, Result<T, CloudError>)>>);

impl<T> Default for SingleFlight<T> {
    fn default() -> Self {
        Self(tokio::sync::Mutex::default())
    }
}

impl<T: Clone> SingleFlight<T> {
    /// Returns the answer to `question`, which is sent unless another caller sends it from now on.
    pub(crate) async fn ask(
        &self,
        question: impl Future<Output = Result<T, CloudError>>,
    ) -> Result<T, CloudError> {
        let wanted = Instant::now();
        let mut last = self.0.lock().await;
        if let Some((put, answer)) = &*last
            && *put >= wanted
        {
            return answer.clone();
        }
        // Concurrent callers are in the queue by then.
        tokio::task::yield_now().await;
        let put = Instant::now();
        let answer = question.await;
        *last = Some((put, answer.clone()));
        answer
    }
}

/// The time of this run's last change, by name.
#[derive(Default)]
pub(crate) struct LastChanged(Mutex<BTreeMap<String, SystemTime>>);

impl LastChanged {
    /// Records a change at the current time.
    pub(crate) fn now(&self, name: &str) {
        self.lock().insert(name.to_owned(), SystemTime::now());
    }

    /// Returns the time of the last change, if any.
    pub(crate) fn of(&self, name: &str) -> Option<SystemTime> {
        self.lock().get(name).copied()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, SystemTime>> {
        // As in [`Cache`].
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Answers that this run still has to act on, by name.
pub(crate) struct LastAnswers<T>(Mutex<BTreeMap<String, T>>);

impl<T> Default for LastAnswers<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> LastAnswers<T> {
    /// Stores an answer.
    pub(crate) fn keep(&self, name: &str, answer: T) {
        self.lock().insert(name.to_owned(), answer);
    }

    /// Returns the answer, if there is one.
    pub(crate) fn of(&self, name: &str) -> Option<T> {
        self.lock().get(name).cloned()
    }

    /// Removes an answer that was acted on.
    pub(crate) fn forget(&self, name: &str) {
        self.lock().remove(name);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, T>> {
        // As in [`Cache`].
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_handed_out_once() {
        let once = Cache::default();
        once.put("a", 1);
        assert_eq!((once.take("a"), once.take("a"), once.take("b")), (Some(1), None, None));
    }

    #[tokio::test]
    async fn what_is_asked_together_is_asked_once_and_later_anew() {
        let (together, put) = (SingleFlight::default(), std::cell::Cell::new(0));
        let ask = |answer: fn(u32) -> Result<u32, CloudError>| {
            let put = &put;
            together.ask(async move {
                put.set(put.get() + 1);
                tokio::task::yield_now().await;
                answer(put.get())
            })
        };
        assert_eq!(tokio::join!(ask(Ok), ask(Ok), ask(Ok)), (Ok(1), Ok(1), Ok(1)));
        assert_eq!(ask(Ok).await, Ok(2), "an answer from before the question is none");
        let denied = CloudError::Denied { operation: "iam:ListRoles".to_owned(), message: "no".to_owned() };
        let deny =
            |_| Err(CloudError::Denied { operation: "iam:ListRoles".to_owned(), message: "no".to_owned() });
        assert_eq!(tokio::join!(ask(deny), ask(deny)), (Err(denied.clone()), Err(denied)));
        assert_eq!(put.get(), 3, "a failure is waited for once");
        assert_eq!(ask(Ok).await, Ok(4));
    }
}
