//! Tests of taking the lock over from another run.

use super::*;

fn failover(run: &str) -> Holder {
    Holder { purpose: "failover".to_owned(), ..wanted(run) }
}

#[tokio::test]
async fn a_change_of_mode_takes_the_lock_from_any_other_run_and_from_no_change_of_mode() {
    let store = store();
    let taken = async |run: &str| Lock::take_from_others(store.clone(), failover(run), at(1), None).await;
    let (free, from) = taken("free").await.unwrap();
    assert_eq!(from, None);
    free.release(&BTreeSet::new()).await.unwrap();
    let apply = take(&store, "apply", 0).await.unwrap();
    let (first, from) = taken("first").await.unwrap();
    assert_eq!((from.as_ref(), first.holder().epoch), (Some(apply.holder()), 3));
    assert!(is_fenced(&store, "apply").await);
    let refused = taken("second").await.err().unwrap();
    assert!(matches!(&refused, LockError::Held(held) if **held == *first.holder()), "{refused}");
    // An expired lock counts as free, and its holder does not count as having lost it.
    let (last, from) = Lock::take_from_others(store.clone(), failover("last"), at(90), None).await.unwrap();
    assert_eq!((from, last.holder().epoch), (None, 4));
    assert!(is_fenced(&store, "first").await);
}

#[tokio::test]
async fn a_lease_written_by_a_clock_that_is_ahead_ends_with_its_holder() {
    let store = store();
    let ahead = Holder { until: at(86_400), ..failover("ahead") };
    store.put(KEY, bytes_of(&ahead), Condition::Absent).await.unwrap();
    let taken = async |dead: Option<&Holder>| {
        Lock::take_from_others(store.clone(), failover("next"), at(70), dead).await
    };
    assert!(matches!(taken(None).await, Err(LockError::Held(held)) if *held == ahead));
    let other = Holder { until: at(90_000), ..ahead.clone() };
    assert!(matches!(taken(Some(&other)).await, Err(LockError::Held(_))), "it has renewed the lock since");
    let (lock, from) = taken(Some(&ahead)).await.unwrap();
    assert_eq!((lock.holder().run.as_str(), from), ("next", Some(ahead)));
}

#[tokio::test]
async fn a_run_that_gives_signs_of_life_meanwhile_does_not_keep_the_lock_from_a_change_of_mode() {
    let store = store();
    let apply = take(&store, "apply", 0).await.unwrap();
    let renewed = Holder { until: at(80), ..apply.holder().clone() };
    let expected = renewed.clone();
    store.meddle(move |objects| {
        objects.insert(KEY.to_owned(), bytes_of(&renewed));
    });
    let (lock, from) =
        Lock::take_from_others(store.clone(), failover("failover"), at(20), None).await.unwrap();
    assert_eq!((from, held_by(&store).await.as_deref()), (Some(expected), Some("failover")));
    assert_eq!(lock.holder().epoch, 2);
}

#[tokio::test]
async fn a_run_that_ends_at_the_same_moment_does_not_keep_the_lock_from_a_change_of_mode() {
    let store = store();
    let apply = take(&store, "apply", 0).await.unwrap();
    let free = body(&Record::Free {
        epoch: apply.holder().epoch,
        begun: BTreeSet::new(),
        in_flight: InFlight::default(),
    });
    store.meddle(move |objects| {
        objects.insert(KEY.to_owned(), free);
    });
    let (lock, from) =
        Lock::take_from_others(store.clone(), failover("failover"), at(20), None).await.unwrap();
    assert_eq!((from, lock.holder().epoch), (None, 2));
    assert_eq!(held_by(&store).await.as_deref(), Some("failover"));
}

/// A run that began a bucket and died, and so many after it that died before they wrote anything.
async fn chain(store: &Arc<Memory>, length: i64) {
    take(store, "a", 0).await.unwrap();
    let entries = [started(BTreeSet::new()), intent(0, "lost")];
    Journal::new(store.clone(), "a").append(&entries).await.unwrap();
    for number in 1..=length {
        let mut lock = take(store, &format!("b{number}"), 100 * number).await.unwrap();
        assert_eq!(*lock.begun(), begun(&["lost"]), "run {number}");
        lock.renew(at(100 * number + 20)).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_begun_is_known_after_a_chain_of_deaths_of_any_length() {
    for length in 0..5 {
        let known = || Peek { free_since: None, begun: begun(&["lost"]) };
        let store = store();
        chain(&store, length).await;
        assert_eq!(peek(&*store).await.unwrap(), known(), "{length}");
        assert_eq!(*take(&store, "c", 900).await.unwrap().begun(), begun(&["lost"]), "{length}");
        break_lock(&*store, "unlock").await.unwrap();
        assert_eq!(peek(&*store).await.unwrap().begun, begun(&["lost"]), "{length}");
        let (last, _) = Lock::take_from_others(store.clone(), failover("d"), at(950), None).await.unwrap();
        assert_eq!(*last.begun(), begun(&["lost"]), "{length}");
    }
}

#[tokio::test]
async fn what_was_begun_is_known_where_the_lock_is_lost_or_cannot_be_read() {
    for (length, lost) in [(0, false), (0, true), (3, false), (3, true)] {
        let store = store();
        chain(&store, length).await;
        match lost {
            true => store.delete(KEY).await.unwrap(),
            false => {
                let put = store.put(KEY, b"{\"state\":\"lent\"}".to_vec(), Condition::Always);
                put.await.unwrap();
            }
        }
        assert_eq!(peek(&*store).await.unwrap().begun, begun(&["lost"]), "{length} {lost}");
        if !lost {
            assert!(replace_broken(&*store, "unlock", at(900)).await.unwrap());
            assert_eq!(peek(&*store).await.unwrap().begun, begun(&["lost"]), "{length} {lost}");
        }
        assert_eq!(*take(&store, "c", 900).await.unwrap().begun(), begun(&["lost"]), "{length} {lost}");
    }
}

#[tokio::test]
async fn a_run_whose_lock_was_removed_is_sealed_by_the_next_which_knows_all_that_it_began() {
    let store = store();
    take(&store, "a", 0).await.unwrap();
    let mut journal = Journal::new(store.clone(), "a");
    journal.append(&[started(BTreeSet::new()), intent(0, "early")]).await.unwrap();
    store.delete(KEY).await.unwrap();
    // It writes on until the next run has the lock.
    store.meddle(|objects| {
        let late = serde_json::to_vec(&intent(1, "late")).unwrap();
        objects.insert("runs/a/journal/000001.jsonl".to_owned(), late);
    });
    let next = take(&store, "b", 1).await.unwrap();
    assert_eq!(*next.begun(), begun(&["early", "late"]));
    assert_eq!(peek(&*store).await.unwrap().begun, begun(&["early", "late"]));
    assert!(matches!(journal.append(&[intent(2, "never")]).await, Err(JournalError::Fenced { .. })));
}

#[tokio::test]
async fn a_lock_of_a_version_that_did_not_say_what_was_begun_is_read() {
    let store = store();
    let old = format!("{{\"state\":\"held\",{}", &serde_json::to_string(&wanted("a")).unwrap()[1..]);
    store.put(KEY, old.into_bytes(), Condition::Always).await.unwrap();
    assert_eq!(holder(&*store).await.unwrap().unwrap().0, wanted("a"));
    Journal::new(store.clone(), "a").append(&[intent(0, "lost")]).await.unwrap();
    assert_eq!(*take(&store, "b", 90).await.unwrap().begun(), begun(&["lost"]));
}
