//! Answers that are used once more: what a fact was made of is not asked again by the look that follows it, and what several
//! kinds ask at the same moment is asked once.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Instant, SystemTime};

use drstack_core::cloud::CloudError;

/// Answers by name, each handed out once: whoever asks a second time asks AWS.
pub(crate) struct Cache<T>(Mutex<BTreeMap<String, T>>);

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Cache<T> {
    /// Keeps an answer for the next look.
    pub(crate) fn put(&self, name: &str, answer: T) {
        self.lock().insert(name.to_owned(), answer);
    }

    /// The answer, if nobody has had it yet.
    pub(crate) fn take(&self, name: &str) -> Option<T> {
        self.lock().remove(name)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, T>> {
        // A panic elsewhere leaves whole entries: each call is one operation of the map.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A question that several ask at the same moment: one of them puts it, and its answer or failure is that of all, so that a service that
/// hangs is waited for once. Nobody gets an answer to a question that was put before his own: it could miss what he has just made.
pub(crate) struct SingleFlight<T>(tokio::sync::Mutex<Option<(Instant, Result<T, CloudError>)>>);

impl<T> Default for SingleFlight<T> {
    fn default() -> Self {
        Self(tokio::sync::Mutex::default())
    }
}

impl<T: Clone> SingleFlight<T> {
    /// The answer to `question`, which is put if nobody else puts it from now on.
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
        // Whoever asks along with this one stands in the queue by then.
        tokio::task::yield_now().await;
        let put = Instant::now();
        let answer = question.await;
        *last = Some((put, answer.clone()));
        answer
    }
}

/// When something was last changed by this run, by name.
#[derive(Default)]
pub(crate) struct LastChanged(Mutex<BTreeMap<String, SystemTime>>);

impl LastChanged {
    /// It is changed now.
    pub(crate) fn now(&self, name: &str) {
        self.lock().insert(name.to_owned(), SystemTime::now());
    }

    /// When it was changed, if it was.
    pub(crate) fn of(&self, name: &str) -> Option<SystemTime> {
        self.lock().get(name).copied()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, SystemTime>> {
        // As with [`Cache`].
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What this run was answered and still has to act on, by name.
pub(crate) struct LastAnswers<T>(Mutex<BTreeMap<String, T>>);

impl<T> Default for LastAnswers<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> LastAnswers<T> {
    /// Keeps an answer.
    pub(crate) fn keep(&self, name: &str, answer: T) {
        self.lock().insert(name.to_owned(), answer);
    }

    /// The answer, if there is one.
    pub(crate) fn of(&self, name: &str) -> Option<T> {
        self.lock().get(name).cloned()
    }

    /// It was acted on.
    pub(crate) fn forget(&self, name: &str) {
        self.lock().remove(name);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, T>> {
        // As with [`Cache`].
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
