//! The next lock holder knows what may still land, and no run relies on a lock that is not renewed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, pending};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::control::journal::{Entry, Journal};
use crate::control::lock::{Holder, Lock, LockError, break_lock};
use crate::control::memory::{Fate, Memory};
use crate::control::{Condition, ControlStore, StoreError, Stored, Version};
use crate::engine::keep::{keeping, leave_in_flight};
use crate::kind::Action;

/// Returns the time this many seconds after the start.
fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn address(name: &str) -> Address {
    Address::parse(&format!("pool.{name}/group")).unwrap()
}

fn on(names: &[&str]) -> BTreeSet<Address> {
    names.iter().map(|name| address(name)).collect()
}

fn wanted(run: &str, purpose: &str) -> Holder {
    Holder {
        owner: "anna".to_owned(),
        host: "laptop".to_owned(),
        purpose: purpose.to_owned(),
        run: run.to_owned(),
        since: at(0),
        until: at(0),
        epoch: 0,
        in_flight: InFlight::default(),
    }
}

async fn take(store: &Arc<Memory>, run: &str, seconds: i64) -> Lock {
    Lock::take(store.clone(), wanted(run, "apply"), at(seconds)).await.unwrap()
}

async fn lock_for_failover(store: &Arc<Memory>, run: &str, seconds: i64) -> Lock {
    Lock::take_from_others(store.clone(), wanted(run, "failover"), at(seconds), None).await.unwrap().0
}

/// A run with unanswered calls for `open`, and with other calls that have ended.
async fn begins(store: &Arc<Memory>, run: &str, open: &[&str]) -> Journal {
    let names: Vec<&str> =
        ["done", "refused", "unanswered"].into_iter().chain(open.iter().copied()).collect();
    let intent = |(step, name): (usize, &&str)| Entry::Intent {
        step,
        address: address(name),
        action: Action::Update,
        token: String::new(),
    };
    let failed =
        |step, unanswered| Entry::Failed { step, without_trace: false, unanswered, error: String::new() };
    let mut entries: Vec<Entry> = names.iter().enumerate().map(intent).collect();
    entries.extend([Entry::Done { step: 0, id: String::new() }, failed(1, false), failed(2, true)]);
    let mut journal = Journal::new(store.clone(), run);
    journal.append(&entries).await.unwrap();
    journal
}

#[test]
fn a_call_is_in_flight_until_it_must_have_landed_and_no_clock_of_others_makes_that_longer() {
    let calls = InFlight::default().and(on(&["a"]), at(60)).and(on(&["b"]), at(9_000));
    assert_eq!(calls.clone().at(at(79)).addresses().count(), 2);
    let later = calls.at(at(80));
    assert_eq!(later.addresses().cloned().collect::<BTreeSet<_>>(), on(&["b"]));
    assert_eq!(later.until(), Some(at(160)));
    let text = serde_json::to_string(&later).unwrap();
    assert_eq!(serde_json::from_str::<InFlight>(&text).unwrap(), later);
    assert!(later.at(at(160)).is_empty());
}

#[tokio::test]
async fn whoever_takes_the_lock_knows_what_may_still_land_through_any_chain_of_runs() {
    let store = Arc::new(Memory::default());
    take(&store, "a", 0).await;
    begins(&store, "a", &["x"]).await;
    let first = lock_for_failover(&store, "b", 10).await;
    let of_a = InFlight::default().and(on(&["x", "unanswered"]), at(60));
    assert_eq!(*first.in_flight(), of_a);
    // The run dies at once, and so does the next one: each adds its own calls.
    begins(&store, "b", &["y"]).await;
    let second = lock_for_failover(&store, "c", 71).await;
    let of_both = of_a.and(on(&["y", "unanswered"]), at(70));
    assert_eq!(*second.in_flight(), of_both);
    assert_eq!(*lock_for_failover(&store, "d", 135).await.in_flight(), InFlight::default());
}

#[tokio::test]
async fn breaking_a_lock_forgets_nothing_that_may_still_land() {
    let store = Arc::new(Memory::default());
    take(&store, "a", 0).await;
    begins(&store, "a", &["x"]).await;
    break_lock(&*store, "drstack unlock").await.unwrap();
    let of_a = InFlight::default().and(on(&["x", "unanswered"]), at(60));
    let apply = take(&store, "b", 1).await;
    assert_eq!(*apply.in_flight(), of_a);
    // A run that does not wait passes the calls on.
    apply.release(&BTreeSet::new()).await.unwrap();
    assert_eq!(*lock_for_failover(&store, "c", 2).await.in_flight(), of_a);
}

#[tokio::test]
async fn a_run_that_was_stopped_gives_the_lock_back_with_what_it_has_in_flight() {
    let store = Arc::new(Memory::default());
    let mut lock = take(&store, "a", 0).await;
    let journal = begins(&store, "a", &["x"]).await;
    leave_in_flight(&mut lock, &journal, false, at(5));
    lock.release(&BTreeSet::new()).await.unwrap();
    let next = lock_for_failover(&store, "b", 6).await;
    assert_eq!(*next.in_flight(), InFlight::default().and(on(&["x", "unanswered"]), at(5)));
    let mut next = next;
    leave_in_flight(&mut next, &Journal::new(store.clone(), "b"), true, at(7));
    assert!(next.in_flight().is_empty(), "it has seen to them");
}

/// A store whose writes stop being answered at some moment.
struct Silent(Arc<Memory>, AtomicBool);

impl ControlStore for Silent {
    fn ensure(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.ensure()
    }
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.0.get(key)
    }
    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Vec<u8>,
        condition: Condition,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        match self.1.load(Ordering::Relaxed) {
            true => pending().boxed(),
            false => self.0.put(key, body, condition),
        }
    }
    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.delete(key)
    }
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.0.list(prefix)
    }
    fn destroy(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.destroy()
    }
}

/// Returns how long a ten-minute run under `lock` lasts, and why it ended.
async fn runs(lock: &mut Lock) -> (u64, Option<LockError>) {
    let begin = Instant::now();
    let now = || at(0) + SignedDuration::try_from(begin.elapsed()).unwrap();
    let stop = CancellationToken::new();
    let lease = lock.lease();
    let run = async {
        let _ = stop.run_until_cancelled(sleep(Duration::from_secs(600))).await;
    };
    let ((), lost) = keeping(lock, now, sleep, &stop, run).await;
    assert_eq!(lost.is_some(), !lease.holds(now()), "{lost:?}");
    (begin.elapsed().as_secs(), lost)
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_renewal_hangs_is_stopped_when_its_lease_is_over() {
    let store = Arc::new(Silent(Arc::default(), AtomicBool::new(false)));
    let mut lock = Lock::take(store.clone(), wanted("a", "apply"), at(0)).await.unwrap();
    store.1.store(true, Ordering::Relaxed);
    let (took, lost) = runs(&mut lock).await;
    assert!(matches!(lost, Some(LockError::Lapsed)) && (49..=50).contains(&took), "{lost:?} after {took} s");
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_renewals_fail_for_a_while_goes_on_and_one_whose_lock_is_taken_is_stopped() {
    let store = Arc::new(Memory::default());
    let mut lock = take(&store, "a", 0).await;
    store.fate(&[Fate::Lost; 5]);
    assert!(matches!(runs(&mut lock).await, (600, None)));
    let store = Arc::new(Memory::default());
    let mut lock = take(&store, "a", 0).await;
    store.fate(&[Fate::Lost; 1000]);
    let (took, lost) = runs(&mut lock).await;
    assert!(
        matches!(lost, Some(LockError::Store(_))) && (48..=50).contains(&took),
        "{lost:?} after {took} s"
    );
    let store = Arc::new(Memory::default());
    let mut lock = take(&store, "a", 0).await;
    break_lock(&*store, "drstack unlock").await.unwrap();
    let (took, lost) = runs(&mut lock).await;
    assert!(matches!(lost, Some(LockError::Lost)) && took == 20, "{lost:?} after {took} s");
}
