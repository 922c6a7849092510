//! Tests of the lock's guarantees: one holder at a time, and a run that lost the lock is stopped.

mod over;

use std::collections::BTreeSet;

use super::*;
use crate::control::journal::{Entry, Journal, JournalError};
use crate::control::memory::{Fate, Memory};

/// Returns the time this many seconds after the start.
fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn wanted(run: &str) -> Holder {
    Holder {
        owner: "anna".to_owned(),
        host: "laptop".to_owned(),
        purpose: "apply".to_owned(),
        run: run.to_owned(),
        since: at(0),
        until: at(0),
        epoch: 0,
        in_flight: InFlight::default(),
    }
}

fn store() -> Arc<Memory> {
    Arc::new(Memory::default())
}

async fn take(store: &Arc<Memory>, run: &str, seconds: i64) -> Result<Lock, LockError> {
    Lock::take(store.clone(), wanted(run), at(seconds)).await
}

async fn held_by(store: &Memory) -> Option<String> {
    holder(store).await.unwrap().map(|(holder, _)| holder.run)
}

/// True if `run` can no longer write its journal.
async fn is_fenced(store: &Arc<Memory>, run: &str) -> bool {
    let entries = [Entry::RunFinished { at: at(0) }];
    let written = Journal::new(store.clone(), run).append(&entries).await;
    matches!(written, Err(JournalError::Fenced { .. }))
}

fn bytes_of(holder: &Holder) -> Vec<u8> {
    body(&Record::Held { holder: holder.clone(), begun: BTreeSet::new() })
}

#[tokio::test]
async fn a_lock_is_taken_renewed_and_given_back() {
    let store = store();
    let mut lock = take(&store, "a", 0).await.unwrap();
    assert_eq!((lock.holder().epoch, lock.holder().until, lock.due()), (1, at(60), at(20)));
    lock.renew(at(20)).await.unwrap();
    assert_eq!((lock.holder().since, lock.holder().until, lock.due()), (at(0), at(80), at(40)));
    assert_eq!(holder(&*store).await.unwrap().unwrap().0, *lock.holder());
    lock.release(&BTreeSet::new()).await.unwrap();
    assert_eq!(held_by(&store).await, None);
    // The lock was free, so no run was sealed.
    assert_eq!(store.lines("runs/"), [""; 0]);
    let next = take(&store, "b", 30).await.unwrap();
    assert_eq!(next.holder().epoch, 2);
}

#[tokio::test]
async fn a_second_taker_is_told_who_holds_it() {
    let store = store();
    let lock = take(&store, "a", 0).await.unwrap();
    let refused = take(&store, "b", 59).await.err().unwrap();
    assert!(matches!(&refused, LockError::Held(held) if **held == *lock.holder()), "{refused}");
    assert!(refused.to_string().starts_with("anna on laptop holds the lock for `apply`"), "{refused}");
    assert!(!is_fenced(&store, "a").await);
}

#[tokio::test]
async fn a_lease_that_ran_out_is_sealed_and_its_holder_stopped() {
    let store = store();
    let mut old = take(&store, "a", 0).await.unwrap();
    let lease = old.lease();
    let new = take(&store, "b", 60).await.unwrap();
    assert_eq!((new.holder().epoch, held_by(&store).await.as_deref()), (2, Some("b")));
    assert!(is_fenced(&store, "a").await);
    assert!(matches!(old.renew(at(61)).await, Err(LockError::Lost)));
    assert!(!lease.holds(at(0)));
    old.release(&BTreeSet::new()).await.unwrap();
    assert_eq!(holder(&*store).await.unwrap().unwrap().0, *new.holder());
}

#[tokio::test]
async fn of_two_takers_at_once_one_wins() {
    for stale in [false, true] {
        let store = store();
        if stale {
            take(&store, "a", 0).await.unwrap();
        }
        let (b, c) = tokio::join!(take(&store, "b", 100), take(&store, "c", 100));
        assert!(b.is_ok() != c.is_ok());
        let (won, lost) = if let Ok(b) = b { (b, c) } else { (c.unwrap(), b) };
        let refused = lost.err().unwrap();
        assert!(matches!(&refused, LockError::Held(held) if **held == *won.holder()), "{refused}");
        assert_eq!(won.holder().epoch, 1 + u64::from(stale));
        assert_eq!(is_fenced(&store, "a").await, stale);
        assert!(!is_fenced(&store, &won.holder().run).await);
    }
}

#[tokio::test]
async fn a_taker_whose_answer_was_lost_holds_the_lock_and_the_other_does_not() {
    for stale in [false, true] {
        let store = store();
        if stale {
            take(&store, "a", 0).await.unwrap();
            // The first write seals.
            store.fate(&[Fate::Answered]);
        }
        store.fate(&[Fate::AnswerLost]);
        let mut lock = take(&store, "b", 100).await.unwrap();
        let refused = take(&store, "c", 100).await.err().unwrap();
        assert!(matches!(&refused, LockError::Held(held) if held.run == "b"), "{refused}");
        lock.renew(at(120)).await.unwrap();
    }
}

#[tokio::test]
async fn a_taker_whose_write_never_arrived_hears_that_and_not_that_a_stale_lock_is_held() {
    let store = store();
    take(&store, "a", 0).await.unwrap();
    store.fate(&[Fate::Answered, Fate::Lost]);
    let failed = take(&store, "b", 100).await.err().unwrap();
    assert!(matches!(failed, LockError::Store(StoreError::Cloud(_))), "{failed}");
    assert_eq!(held_by(&store).await.as_deref(), Some("a"));
}

#[tokio::test]
async fn a_holder_that_renews_while_its_lock_is_being_taken_keeps_it() {
    let store = store();
    let old = take(&store, "a", 0).await.unwrap();
    // The taker seals first, and then finds that the lock was renewed.
    let renewed = Holder { until: at(160), ..old.holder().clone() };
    let expected = renewed.clone();
    store.meddle(move |objects| {
        objects.insert(KEY.to_owned(), bytes_of(&renewed));
    });
    let refused = take(&store, "b", 100).await.err().unwrap();
    assert!(matches!(&refused, LockError::Held(held) if **held == expected), "{refused}");
}

#[tokio::test]
async fn a_sign_of_life_counts_although_its_answer_was_lost() {
    let store = store();
    let mut lock = take(&store, "a", 0).await.unwrap();
    store.fate(&[Fate::AnswerLost]);
    lock.renew(at(20)).await.unwrap();
    lock.renew(at(40)).await.unwrap();
    assert_eq!(holder(&*store).await.unwrap().unwrap().0.until, at(100));
    // This renewal arrives only after the lock was read to check for it.
    let late = Holder { until: at(115), ..lock.holder().clone() };
    store.meddle(move |objects| {
        objects.insert(KEY.to_owned(), bytes_of(&late));
    });
    lock.renew(at(60)).await.unwrap();
    assert_eq!(holder(&*store).await.unwrap().unwrap().0.until, at(120));
}

#[tokio::test]
async fn a_sign_of_life_that_never_arrived_can_be_given_again() {
    let store = store();
    let mut lock = take(&store, "a", 0).await.unwrap();
    let lease = lock.lease();
    store.fate(&[Fate::Lost]);
    let failed = lock.renew(at(20)).await.err().unwrap();
    assert!(matches!(failed, LockError::Store(_)), "{failed}");
    assert!(lease.holds(at(49)) && !lease.holds(at(50)));
    lock.renew(at(30)).await.unwrap();
    assert!(lease.holds(at(79)) && !lease.holds(at(80)));
}

#[tokio::test]
async fn a_lease_ends_before_another_run_may_take_the_lock_and_when_it_is_given_back() {
    let store = store();
    let lock = take(&store, "a", 0).await.unwrap();
    let lease = lock.lease();
    assert!(lease.holds(at(49)));
    assert!(!lease.holds(at(50)));
    assert!(take(&store, "b", 50).await.is_err());
    lock.release(&BTreeSet::new()).await.unwrap();
    assert!(!lease.holds(at(1)));
}

#[tokio::test]
async fn giving_back_leaves_the_lock_of_whoever_took_it_meanwhile() {
    let store = store();
    let lock = take(&store, "a", 0).await.unwrap();
    let theirs = Holder { run: "b".to_owned(), epoch: 2, until: at(160), ..lock.holder().clone() };
    store.meddle(move |objects| {
        objects.insert(KEY.to_owned(), bytes_of(&theirs));
    });
    lock.release(&BTreeSet::new()).await.unwrap();
    assert_eq!(held_by(&store).await.as_deref(), Some("b"));
}

#[tokio::test]
async fn a_lock_is_given_back_although_the_answer_was_lost() {
    let store = store();
    let lock = take(&store, "a", 0).await.unwrap();
    store.fate(&[Fate::AnswerLost]);
    lock.release(&BTreeSet::new()).await.unwrap();
    assert_eq!(held_by(&store).await, None);
}

#[tokio::test]
async fn breaking_a_lock_seals_the_journal_of_its_holder() {
    let store = store();
    break_lock(&*store, "unlock").await.unwrap();
    let mut lock = take(&store, "a", 0).await.unwrap();
    break_lock(&*store, "unlock").await.unwrap();
    assert_eq!(held_by(&store).await, None);
    assert!(is_fenced(&store, "a").await);
    assert!(matches!(lock.renew(at(20)).await, Err(LockError::Lost)));
    assert_eq!(take(&store, "b", 20).await.unwrap().holder().epoch, 2);
}

#[tokio::test]
async fn breaking_a_lock_leaves_that_of_whoever_took_it_meanwhile() {
    let store = store();
    let lock = take(&store, "a", 0).await.unwrap();
    let theirs = Holder { run: "b".to_owned(), epoch: 2, ..lock.holder().clone() };
    store.meddle(move |objects| {
        objects.insert(KEY.to_owned(), bytes_of(&theirs));
    });
    let refused = break_lock(&*store, "unlock").await.err().unwrap();
    assert!(matches!(&refused, LockError::Held(held) if held.run == "b"), "{refused}");
    assert_eq!(held_by(&store).await.as_deref(), Some("b"));
    assert!(!is_fenced(&store, "b").await);
}

#[tokio::test]
async fn what_is_not_a_lock_is_left_alone() {
    let store = store();
    store.put(KEY, b"{\"state\":\"lent\"}".to_vec(), Condition::Always).await.unwrap();
    let before = store.objects();
    assert!(matches!(take(&store, "a", 0).await, Err(LockError::Broken(_))));
    assert!(matches!(break_lock(&*store, "unlock").await, Err(LockError::Broken(_))));
    assert_eq!(store.objects(), before);
}

#[tokio::test]
async fn a_lock_is_confirmed_without_a_call_until_a_sign_of_life_is_due_and_held_with_one() {
    let store = store();
    let mut lock = take(&store, "a", 0).await.unwrap();
    lock.confirm(|| at(19)).await.unwrap();
    assert_eq!(lock.holder().until, at(60));
    lock.confirm(|| at(20)).await.unwrap();
    assert_eq!(lock.holder().until, at(80));
    lock.hold(|| at(21)).await.unwrap();
    assert_eq!(lock.holder().until, at(81));
    // The answer came after the lease: another run may hold the lock by then.
    let clock = std::cell::RefCell::new(vec![at(200), at(30)]);
    let held = lock.hold(|| clock.borrow_mut().pop().unwrap()).await;
    assert!(matches!(held, Err(LockError::Lost)), "{held:?}");
    break_lock(&*store, "b").await.unwrap();
    assert!(matches!(lock.hold(|| at(31)).await, Err(LockError::Lost)));
}

#[tokio::test]
async fn what_is_not_a_lock_is_replaced_when_asked_to_and_its_run_is_sealed() {
    let store = store();
    assert!(!replace_broken(&*store, "unlock", at(9)).await.unwrap());
    take(&store, "a", 0).await.unwrap();
    assert!(!replace_broken(&*store, "unlock", at(9)).await.unwrap());
    assert_eq!(held_by(&store).await.as_deref(), Some("a"));
    Journal::new(store.clone(), "a").append(&[Entry::RunFinished { at: at(1) }]).await.unwrap();
    store.put(KEY, b"{\"state\":\"lent\"}".to_vec(), Condition::Always).await.unwrap();
    assert!(replace_broken(&*store, "unlock", at(9)).await.unwrap());
    assert!(is_fenced(&store, "a").await);
    assert_eq!(take(&store, "b", 10).await.unwrap().holder().epoch, 10);
}

#[tokio::test]
async fn a_clock_at_the_end_of_the_calendar_ends_in_no_panic() {
    let store = store();
    let mut lock = Lock::take(store.clone(), wanted("a"), Timestamp::MAX).await.unwrap();
    assert!(!lock.lease().holds(Timestamp::MAX));
    lock.renew(Timestamp::MAX).await.unwrap();
    assert!(lock.due() < Timestamp::MAX);
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

    /// Reading any bytes terminates; an invalid lock stays until the operator unlocks, and is valid
    /// afterwards.
    #[test]
    fn a_mutated_lock_is_understood_or_refused_until_it_is_replaced(
        from in 0..300_usize, length in 0..30_usize, piece in "[a-z0-9{}:,\"-]{0,12}", free in proptest::bool::ANY,
    ) {
        let mut bytes = match free {
            true => body(&Record::Free { epoch: 3, begun: BTreeSet::new(), in_flight: InFlight::default() }),
            false => bytes_of(&wanted("a")),
        };
        let from = from % (bytes.len() + 1);
        let to = (from + length).min(bytes.len());
        bytes.splice(from..to, piece.bytes());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = store();
            store.put(KEY, bytes, Condition::Always).await.unwrap();
            let before = store.objects();
            if let Err(error) = holder(&*store).await {
                assert!(matches!(error, LockError::Broken(_)) && error.to_string().contains("lock.json"));
                assert!(matches!(take(&store, "b", 90).await, Err(LockError::Broken(_))));
                peek(&*store).await.unwrap();
                assert_eq!(store.objects(), before);
                assert!(replace_broken(&*store, "unlock", at(95)).await.unwrap());
                take(&store, "c", 100).await.unwrap();
            }
        });
    }
}

fn begun(names: &[&str]) -> BTreeSet<Address> {
    names.iter().map(|name| Address::parse(&format!("bucket.{name}/bucket")).unwrap()).collect()
}

fn intent(step: usize, name: &str) -> Entry {
    let address = Address::parse(&format!("bucket.{name}/bucket")).unwrap();
    Entry::Intent { step, address, action: crate::kind::Action::Create, token: String::new() }
}

fn started(begun: BTreeSet<Address>) -> Entry {
    let format = crate::control::journal::FORMAT;
    Entry::RunStarted { format, purpose: "apply".to_owned(), steps: 1, begun, at: at(70) }
}

#[tokio::test]
async fn what_was_begun_is_handed_on_until_somebody_says_it_is_done() {
    let store = store();
    // The first run is interrupted after it began three buckets, finished one and was refused
    // another.
    take(&store, "a", 0).await.unwrap();
    let entries = [
        intent(0, "lost"),
        intent(1, "made"),
        intent(2, "refused"),
        Entry::Done { step: 1, id: "made".to_owned() },
        Entry::Failed { step: 2, without_trace: true, unanswered: false, error: String::new() },
    ];
    Journal::new(store.clone(), "a").append(&entries).await.unwrap();
    assert_eq!(peek(&*store).await.unwrap(), Peek { free_since: None, begun: begun(&["lost"]) });
    // The second run takes the lock and changes nothing.
    let second = take(&store, "b", 60).await.unwrap();
    assert_eq!(*second.begun(), begun(&["lost"]));
    let journal = Journal::new(store.clone(), "b").after(second.begun().clone());
    second.release(&journal.begun()).await.unwrap();
    assert_eq!(peek(&*store).await.unwrap(), Peek { free_since: Some(2), begun: begun(&["lost"]) });
    // The third finishes it, and is killed before it releases the lock.
    let third = take(&store, "c", 70).await.unwrap();
    let mut journal = Journal::new(store.clone(), "c").after(third.begun().clone());
    let done = [started(journal.begun()), intent(0, "lost"), Entry::Done { step: 0, id: "lost".to_owned() }];
    journal.append(&done).await.unwrap();
    assert_eq!(journal.begun(), begun(&[]));
    break_lock(&*store, "drstack unlock").await.unwrap();
    assert_eq!(peek(&*store).await.unwrap(), Peek { free_since: Some(3), begun: begun(&[]) });
}
