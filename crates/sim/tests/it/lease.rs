//! Tests of an engine that lost its journal or its lock: it starts no more calls, and the next run
//! finishes what it left.

use std::sync::Arc;

use drstack_core::calls::Calls;
use drstack_core::cloud::{Call, Cloud, CloudError, Found, Owner};
use drstack_core::control::journal::{Entry, Journal, JournalError, seal};
use drstack_core::control::lock::{Holder, Lock};
use drstack_core::kind::Place;
use drstack_sim::{Astray, Sim, Way};
use serde_json::json;
use tokio::time::sleep;

use crate::runs::*;
use crate::toys::*;

#[test]
fn a_journal_that_breaks_ends_what_may_be_started() {
    for (segment, started) in [(0, 0), (1, 3), (2, 3)] {
        run(async {
            let fault = format!(
                "[[faults]]\nkind = 'put'\nsubject = 'journal/{segment:06}'\nerror = 'internal'\nat = 1"
            );
            let sim = sim(&fault);
            let plan = todo(&sim, &want()).await;
            let mut run = Run::new(&sim, "r").await;
            let broken = run.execute(&sim, &plan).await;
            assert!(matches!(broken, Err(JournalError::Store(_))), "{broken:?}");
            assert_eq!(changes(&sim.calls()), started, "segment {segment}");
            assert_eq!(run.that(&plan, "done").len(), started);
            assert_eq!(run.that(&plan, "unfinished").len(), 6 - started);
            assert_eq!(
                run.entries().await.iter().filter(|entry| matches!(entry, Entry::RunFinished { .. })).count(),
                0
            );
            finish(&sim, &want()).await;
        });
    }
}

#[test]
fn a_journal_whose_answers_are_lost_goes_on() {
    run(async {
        let sim = sim("[[faults]]\nkind = 'put'\nerror = 'timeout-after-effect'");
        let plan = todo(&sim, &want()).await;
        let mut run = Run::new(&sim, "r").await;
        assert!(run.execute(&sim, &plan).await.unwrap().is_complete());
        assert_eq!(run.journaled().await.len(), 6);
    });
}

#[test]
fn a_run_whose_lock_was_taken_starts_nothing_more() {
    run(async {
        let sim = sim("");
        let plan = todo(&sim, &want()).await;
        let mut run = Run::new(&sim, "r").await;
        let store = Arc::clone(&run.store);
        let taken = tokio::spawn(async move {
            sleep(30 * MINUTE).await;
            seal(&*store, "r", "next").await.unwrap();
        });
        let fenced = run.execute(&sim, &plan).await;
        assert!(matches!(&fenced, Err(JournalError::Fenced { run }) if run == "r"), "{fenced:?}");
        taken.await.unwrap();
        let entries = run.entries().await;
        assert!(matches!(entries.last(), Some(Entry::Sealed { by }) if by == "next"), "{entries:#?}");
        // Steps that were running when the seal was written are finished. No other step is started.
        assert_eq!(run.that(&plan, "done"), ["toy.a/net", "toy.b/net", "toy.solo/group"]);
        assert_eq!(run.that(&plan, "unfinished").len(), 3);
        assert_eq!(changes(&sim.calls()), 3);
        finish(&sim, &want()).await;
    });
}

async fn lock(sim: &Sim, run: &Run) -> Lock {
    let now = sim.now();
    let holder = Holder {
        owner: "anna".to_owned(),
        host: "laptop".to_owned(),
        purpose: "apply".to_owned(),
        run: run.journal.run().to_owned(),
        since: now,
        until: now,
        epoch: 0,
        in_flight: Default::default(),
    };
    Lock::take(Arc::clone(&run.store), holder, now).await.unwrap()
}

#[test]
fn a_run_whose_lease_ran_out_starts_nothing_more() {
    run(async {
        let sim = sim("");
        let plan = todo(&sim, &want()).await;
        let mut run = Run::new(&sim, "r").await;
        let lock = lock(&sim, &run).await;
        run.journal = Journal::new(Arc::clone(&run.store), "r").under(lock.lease());
        let lapsed = run.execute(&sim, &plan).await;
        assert!(matches!(&lapsed, Err(JournalError::Lapsed { run }) if run == "r"), "{lapsed:?}");
        assert_eq!(run.that(&plan, "done"), ["toy.a/net", "toy.b/net", "toy.solo/group"]);
        assert_eq!(run.that(&plan, "unfinished").len(), 3);
        assert_eq!(changes(&sim.calls()), 3);
        finish(&sim, &want()).await;
    });
}

#[test]
fn a_run_whose_lease_is_renewed_goes_on() {
    run(async {
        let sim = sim("");
        let plan = todo(&sim, &want()).await;
        let mut run = Run::new(&sim, "r").await;
        let mut lock = lock(&sim, &run).await;
        run.journal = Journal::new(Arc::clone(&run.store), "r").under(lock.lease());
        let alive = async {
            loop {
                sleep(lock.due().duration_since(sim.now()).unsigned_abs()).await;
                lock.renew(sim.now()).await.unwrap();
            }
        };
        tokio::select! {
            summary = run.execute(&sim, &plan) => assert!(summary.unwrap().is_complete()),
            () = alive => {}
        }
        assert!(todo(&sim, &want()).await.is_empty());
    });
}

#[test]
fn a_refused_call_is_tried_again_only_as_long_as_the_lease_lasts() {
    for (leased, tries_for) in [(true, 50), (false, 180)] {
        run(async {
            let sim = sim("jitter = '0s'");
            let plan = todo(&sim, &want()).await;
            let live = json!({"net": "net-of-the-user", "size": 1, "colour": ""});
            let theirs = Found { id: "solo".to_owned(), owner: Owner::Foreign, live };
            sim.put("group", &scope("fleet"), Place::Standby, &theirs).unwrap();
            let mut run = Run::new(&sim, "r").await;
            let lock = lock(&sim, &run).await;
            if leased {
                run.journal = Journal::new(Arc::clone(&run.store), "r").under(lock.lease());
            }
            let _ = run.execute(&sim, &plan).await;
            assert_eq!(run.that(&plan, "failed"), ["toy.solo/group"]);
            let calls = sim.calls();
            let tries = calls.iter().filter(|call| call.subject == "toy.solo/group");
            let last = tries.map(|call| call.at).max().unwrap();
            let tried_for = last.duration_since(lock.holder().since).as_secs();
            // The slowest pause between two attempts is ten seconds.
            assert!(tried_for < tries_for + 5 && tried_for > tries_for - 15, "{tried_for}");
        });
    }
}

/// The calls in flight of a sealed run belong to a plan that another run has replaced.
#[test]
fn a_run_that_hears_of_its_seal_stops_what_it_has_under_way() {
    run(async {
        // One group ends while both nets are being created. The journal refuses the entry for its
        // end.
        let sim = sim("work = { group = '2m', net = '1h' }");
        let plan = todo(&sim, &want()).await;
        let mut run = Run::new(&sim, "r").await;
        let store = Arc::clone(&run.store);
        tokio::spawn(async move {
            sleep(MINUTE).await;
            seal(&*store, "r", "next").await.unwrap();
        });
        let begin = sim.now();
        let ended = run.execute(&sim, &plan).await;
        assert!(matches!(ended, Err(JournalError::Fenced { .. })), "{ended:?}");
        assert!(sim.now().duration_since(begin).as_mins() < 4, "it waited for the nets");
        assert_eq!(run.that(&plan, "done"), ["toy.solo/group"]);
        assert_eq!(run.that(&plan, "unfinished").len(), 5);
        finish(&sim, &want()).await;
    });
}

#[test]
fn an_attempt_at_a_change_asks_the_permit_and_a_look_does_not() {
    run(async {
        let astray = Astray { change: 1, span: MINUTE, how: Way::Refused };
        let sim = sim("jitter = '0s'").seat(Some(astray));
        let run = Run::new(&sim, "r").await;
        let lock = lock(&sim, &run).await;
        let permit = Journal::new(Arc::clone(&run.store), "r").under(lock.lease()).permit();
        sim.under(Some(permit));
        let begin = sim.now();
        let call = Call {
            scope: scope("fleet"),
            place: Place::Standby,
            address: at("toy.solo/group"),
            name: Some("solo".to_owned()),
            token: "0".repeat(64),
        };
        let spec = json!({"net": "n", "size": 1, "colour": ""});
        let refused = sim.create("group", &call, &spec).await.unwrap_err();
        assert!(matches!(refused, CloudError::Lapsed { .. }) && !refused.is_transient(), "{refused}");
        let last = sim.attempts().into_iter().max().unwrap();
        assert!(last.duration_since(begin).as_secs() < 50, "an attempt after the lease: {last}");
        let seen = sim.read("group", &call.scope, Place::Standby, &["solo".to_owned()]).await;
        assert_eq!(seen, [Ok(None)]);
        sim.under(None);
        sim.create("group", &call, &spec).await.unwrap();
    });
}

#[test]
fn a_late_change_has_its_effect_though_its_caller_is_gone() {
    run(async {
        let astray = Astray { change: 1, span: MINUTE, how: Way::Late };
        let sim = sim("").seat(Some(astray));
        let call = Call {
            scope: scope("fleet"),
            place: Place::Standby,
            address: at("toy.solo/group"),
            name: Some("solo".to_owned()),
            token: "0".repeat(64),
        };
        let spec = json!({"net": "n", "size": 1, "colour": ""});
        let given_up = tokio::time::timeout(MINUTE / 2, sim.create("group", &call, &spec)).await;
        assert!(given_up.is_err());
        assert_eq!(sim.inventory().len(), 0);
        sleep(MINUTE).await;
        assert_eq!(sim.inventory().len(), 1);
    });
}
