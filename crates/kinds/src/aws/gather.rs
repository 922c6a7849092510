//! Looks that go together: steps that run at the same moment ask for one thing each, and a service with a bulk call is asked for all of
//! them at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use drstack_core::cloud::CloudError;
use tokio::sync::oneshot;

/// For so long a question waits for others: steps that start together ask within it, and a call takes ten times as long.
const TOGETHER: Duration = Duration::from_millis(3);

/// What was found by name, or why it could not be looked at.
type Answer<T> = Result<BTreeMap<String, T>, CloudError>;

/// Gathers the names that are asked for while a question is on its way into the next one. Nobody gets an answer to a question that was
/// put before his own, and a service that hangs is waited for once by all.
pub(crate) struct Batcher<T> {
    waiting: Mutex<Vec<Waiting<T>>>,
    /// Whoever has it asks.
    turn: tokio::sync::Mutex<()>,
}

/// Somebody who has asked, and is answered along with others.
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
    /// What there is of `names`, from `question` or from that of somebody who asks for them along with his own.
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
        // Whoever asks along with this one has joined by then.
        tokio::time::sleep(TOGETHER).await;
        let all = std::mem::take(&mut *self.waiting());
        // Somebody who was cut off while he asked has taken this one's names along.
        let wanted = all.iter().flat_map(|it| &it.names).chain(names);
        let wanted: BTreeSet<String> = wanted.cloned().collect();
        let found = question(wanted.into_iter().collect()).await;
        for Waiting { names, answer } in all {
            // Who does not wait any more wants no answer.
            let _ = answer.send(part(&found, &names));
        }
        part(&found, names)
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Waiting<T>>> {
        // A panic elsewhere leaves whole entries: each call is one operation of the list.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What of it was found under `names`.
fn part<T: Clone>(found: &Answer<T>, names: &[String]) -> Answer<T> {
    let found = found.as_ref().map_err(CloudError::clone)?;
    Ok(names.iter().filter_map(|name| Some((name.clone(), found.get(name)?.clone()))).collect())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Everything but `absent` is there, under its own name, with the number of the question.
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
