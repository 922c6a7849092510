//! Batches concurrent single-item reads into one bulk request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use drstack_core::cloud::CloudError;
use tokio::sync::oneshot;

/// How long a request waits for others: steps that start together ask within it, and a call takes
/// ten times as long.
const TOGETHER: Duration = Duration::from_millis(3);

/// Objects by name, or the error of the read.
type Answer<T> = Result<BTreeMap<String, T>, CloudError>;

/// Collects the names that are requested while a request is in flight, and reads them with the next
/// one.
///
/// A caller never gets the answer of a request that was sent before it asked, and all callers wait
/// together for a service that hangs.
pub(crate) struct Batcher<T> {
    waiting: Mutex<Vec<Waiting<T>>>,
    /// The caller that holds it sends the request.
    turn: tokio::sync::Mutex<()>,
}

/// A caller that waits for the answer of a shared request.
struct Waiting<T> {
    names: Vec<String>,
    answer: oneshot::Sender<Answer<T>>,
}

impl<T> Default for Batcher<T> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }
}

impl<T: Clone> Batcher<T> {
    /// Returns those of `names` that exist, from `question` or from the request of a concurrent
    /// caller.
    pub(crate) async fn ask<F>(&self, names: &[String], question: impl FnOnce(Vec<String>) -> F) -> Answer<T>
    where
        F: Future<Output = Answer<T>>,
    {
        let (answer, mut answered) = oneshot::channel();
        self.waiting().push(Waiting { names: names.to_vec(), answer });
        let _turn = self.turn.lock().await;
        if let Ok(answer) = answered.try_recv() {
            return answer;
        }
        // Concurrent callers have joined by then.
        tokio::time::sleep(TOGETHER).await;
        let all = std::mem::take(&mut *self.waiting());
        // A caller that was cancelled during its request has taken this one's names along.
        let wanted = all.iter().flat_map(|it| &it.names).chain(names);
        let wanted: BTreeSet<String> = wanted.cloned().collect();
        let found = question(wanted.into_iter().collect()).await;
        for Waiting { names, answer } in all {
            // A caller that no longer waits needs no answer.
            let _ = answer.send(part(&found, &names));
        }
        part(&found, names)
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Waiting<T>>> {
        // A panic elsewhere leaves whole entries: each call is one operation on the list.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the part of the answer for `names`.
fn part<T: Clone>(found: &Answer<T>, names: &[String]) -> Answer<T> {
    let found = found.as_ref().map_err(CloudError::clone)?;
    Ok(names.iter().filter_map(|name| Some((name.clone(), found.get(name)?.clone()))).collect())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Returns every name but `absent`, with the number of the request.
    fn answer(asked: &RefCell<Vec<Vec<String>>>, names: Vec<String>) -> BTreeMap<String, usize> {
        asked.borrow_mut().push(names.clone());
        let number = asked.borrow().len();
        names.into_iter().filter(|name| name != "absent").map(|name| (name, number)).collect()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|it| (*it).to_owned()).collect()
    }

    #[tokio::test]
    async fn what_is_asked_together_goes_as_one_question_and_each_gets_his_own() {
        let (gather, asked) = (Batcher::default(), RefCell::default());
        let ask = |wanted: &[&str]| {
            let (gather, asked, wanted) = (&gather, &asked, names(wanted));
            async move { gather.ask(&wanted, |all| async { Ok(answer(asked, all)) }).await }
        };
        let (a, b, none) = tokio::join!(ask(&["a"]), ask(&["b", "a"]), ask(&["absent"]));
        assert_eq!(a, Ok([("a".to_owned(), 1)].into()));
        assert_eq!(b, Ok([("a".to_owned(), 1), ("b".to_owned(), 1)].into()));
        assert_eq!(none, Ok([].into()));
        assert_eq!(*asked.borrow(), [names(&["a", "absent", "b"])]);
        assert_eq!(
            ask(&["a"]).await,
            Ok([("a".to_owned(), 2)].into()),
            "an answer from before the question is none"
        );
    }

    #[tokio::test]
    async fn a_failure_is_that_of_all_who_asked_for_it() {
        let gather = Batcher::<usize>::default();
        let denied = CloudError::Denied { operation: "ec2:Describe".to_owned(), message: "no".to_owned() };
        let ask = |name: &str| {
            let (gather, denied, wanted) = (&gather, &denied, names(&[name]));
            async move { gather.ask(&wanted, |_| async { Err(denied.clone()) }).await }
        };
        assert_eq!(tokio::join!(ask("a"), ask("b")), (Err(denied.clone()), Err(denied.clone())));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_one_who_is_cut_off_asks_himself() {
        let (gather, asked) = (Batcher::default(), RefCell::default());
        let (a, b) = (names(&["a"]), names(&["b"]));
        let mut first = Box::pin(gather.ask(&a, |_| std::future::pending()));
        let mut second = Box::pin(gather.ask(&b, |all| async { Ok(answer(&asked, all)) }));
        for _ in 0..3 {
            let waits =
                futures_util::poll!(&mut first).is_pending() && futures_util::poll!(&mut second).is_pending();
            assert!(waits);
            tokio::time::advance(TOGETHER).await;
        }
        drop(first);
        assert_eq!(second.await, Ok([("b".to_owned(), 1)].into()));
    }
}
