//! Failures that the sim produces on request: faults, throttling, capacity, lost regions, death.

use std::time::Duration;

use drstack_core::cloud::{Cloud, CloudError};
use drstack_core::kind::Place;
use drstack_sim::{Operation, Sim};

use crate::toys::*;

/// Returns the names of the nets that could not be created.
async fn failed(sim: &Sim, order: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut failed = Vec::new();
    for n in order {
        if create(sim, "net", &n.to_string(), &net("10.0.0.0/16")).await.is_err() {
            failed.push(n);
        }
    }
    failed.sort_unstable();
    failed
}

#[test]
fn the_same_seed_fails_the_same_calls_in_any_order() {
    let config = |seed: u32| {
        format!("seed = {seed}\n[[faults]]\noperation = 'create'\nerror = 'internal'\nshare = 0.2")
    };
    run(async {
        let first = failed(&sim(&config(1)), 0..200).await;
        assert!((20..60).contains(&first.len()), "{first:?}");
        assert_eq!(first, failed(&sim(&config(1)), (0..200).rev()).await);
        assert_ne!(first, failed(&sim(&config(2)), 0..200).await);
    });
}

#[test]
fn a_fault_takes_the_call_it_names_and_no_other() {
    run(async {
        let sim = sim(
            "[[faults]]\nkind = 'net'\noperation = 'create'\nregion = 'us-west-2'\nerror = 'denied'\nat = 2\n\
             [[faults]]\nsubject = 'toy.3/'\nerror = 'quota'",
        );
        let mut ends = Vec::new();
        for n in 0..4 {
            ends.push(create(&sim, "net", &n.to_string(), &net("10.0.0.0/16")).await.map(drop));
        }
        assert!(matches!(ends[1], Err(CloudError::Denied { .. })), "{ends:?}");
        assert!(matches!(ends[3], Err(CloudError::Quota { .. })), "{ends:?}");
        assert!(ends[0].is_ok() && ends[2].is_ok(), "{ends:?}");
    });
}

#[test]
fn a_timeout_after_the_effect_leaves_the_effect_and_the_next_try_finds_it() {
    run(async {
        let sim = sim("[[faults]]\noperation = 'create'\nerror = 'timeout-after-effect'\nat = 1");
        let lost = create(&sim, "net", "a", &net("10.0.0.0/16")).await;
        assert!(matches!(lost, Err(CloudError::Unreachable { .. })), "{lost:?}");
        create(&sim, "net", "a", &net("10.0.0.0/16")).await.unwrap();
        assert_eq!(sim.inventory().len(), 1);
    });
}

#[test]
fn a_partial_answer_says_which_could_not_be_looked_up() {
    run(async {
        let sim = sim("[[faults]]\noperation = 'read'\nerror = 'partial'");
        create(&sim, "group", "b", &group("n", 1)).await.unwrap();
        let answers = read(&sim, "group", &["a", "b", "c"]).await;
        assert!(answers[0].is_err() && answers[2].is_err());
        assert!(matches!(&answers[1], Ok(Some(found)) if found.id == "b"));
    });
}

#[test]
fn throttled_calls_are_tried_again_and_give_up_in_the_end() {
    run(async {
        let some = sim("throttle = 0.3");
        assert_eq!(failed(&some, 0..100).await, [0; 0]);
        assert!(some.calls().len() > 120, "{}", some.calls().len());
        let all = sim("throttle = 1.0");
        let spec = net("10.0.0.0/16");
        let gave_up = tokio::time::timeout(Duration::from_secs(300), create(&all, "net", "a", &spec));
        assert!(matches!(gave_up.await.unwrap(), Err(CloudError::Throttled { .. })));
    });
}

#[test]
fn a_region_accepts_so_many_calls_a_second() {
    run(async {
        let sim = sim("rate = 10\nlatency = '0s'\njitter = '0s'");
        let ids: Vec<String> = (0..50).map(|n| format!("net-{n}")).collect();
        let scope = scope("fleet");
        let reads = ids.iter().map(|id| sim.read("net", &scope, Place::Standby, std::slice::from_ref(id)));
        let begun = tokio::time::Instant::now();
        let answers = futures_util::future::join_all(reads).await;
        assert!(answers.iter().all(|answer| answer[0].is_ok()));
        // Ten launch at once; the other forty at ten a second.
        assert!(begun.elapsed() >= Duration::from_secs(4), "{:?}", begun.elapsed());
    });
}

#[test]
fn a_lost_region_answers_nothing_and_the_other_everything() {
    run(async {
        let sim = Sim::in_memory(config("down = ['us-east-1']"), kinds(), &scope("fleet"), seeds("web", 4));
        let (sim, ids) = (sim.unwrap(), ["web".to_owned()]);
        let begun = tokio::time::Instant::now();
        let lost = sim.read("group", &scope("fleet"), Place::Primary, &ids).await;
        assert!(matches!(&lost[0], Err(CloudError::Unreachable { region, .. }) if region == "us-east-1"));
        assert!(begun.elapsed() >= Duration::from_secs(5));
        create(&sim, "group", "web", &group("n", 1)).await.unwrap();
        sim.restore("us-east-1");
        assert!(
            sim.read("group", &scope("fleet"), Place::Primary, &ids).await[0].as_ref().unwrap().is_some()
        );
        sim.lose("us-west-2");
        assert!(sim.list_owned("group", &scope("fleet"), Place::Standby, &[]).await.is_err());
        let regions: Vec<String> = sim.calls().into_iter().map(|call| call.region).collect();
        assert_eq!(regions, ["us-east-1", "us-west-2", "us-east-1", "us-west-2"]);
    });
}

#[test]
fn groups_share_what_capacity_there_is() {
    run(async {
        let sim = sim("capacity = { 'g5.xlarge' = 5 }\nquota = { 'g5.xlarge@us-west-2' = 4 }");
        create(&sim, "group", "a", &group("n", 3)).await.unwrap();
        let short = create(&sim, "group", "b", &group("n", 3)).await;
        assert!(matches!(short, Err(CloudError::NoCapacity { .. })), "{short:?}");
        let over = create(&sim, "group", "b", &group("n", 2)).await;
        assert!(matches!(over, Err(CloudError::Quota { .. })), "{over:?}");
        // A group's own instances do not block it.
        sim.update("group", &call("group", "a"), "a", &group("n", 4), &[]).await.unwrap();
        delete(&sim, "group", "a", "a").await.unwrap();
        create(&sim, "group", "b", &group("n", 3)).await.unwrap();
    });
}

#[test]
fn what_was_just_made_may_be_missed_until_the_lag_is_over() {
    run(async {
        let sim = sim("lag = '10s'\nlatency = '0s'\njitter = '0s'\nwork = { group = '1s' }");
        create(&sim, "group", "a", &group("n", 1)).await.unwrap();
        assert_eq!(read(&sim, "group", &["a"]).await, [Ok(None)]);
        tokio::time::sleep(sim.consistency()).await;
        assert!(read(&sim, "group", &["a"]).await[0].as_ref().unwrap().is_some());
    });
}

#[test]
fn a_program_that_dies_at_a_call_leaves_what_was_done_before() {
    for (setting, made) in [("kill_at = 3", 2), ("kill_after = 3", 3)] {
        run(async {
            let sim = sim(setting);
            let work = async {
                for n in 0..9 {
                    create(&sim, "net", &n.to_string(), &net("10.0.0.0/16")).await.unwrap();
                }
            };
            tokio::select! {
                () = work => panic!("nobody died"),
                () = sim.stopped() => {}
            }
            assert_eq!(sim.inventory().len(), made, "{setting}");
            // The next program creates the rest, and nothing twice.
            let next = sim.restart(config("")).unwrap();
            for n in 0..9 {
                create(&next, "net", &n.to_string(), &net("10.0.0.0/16")).await.unwrap();
            }
            assert_eq!(next.inventory().len(), 9);
            assert!(next.calls().iter().all(|call| call.operation == Operation::Create));
            assert!(next.now() > sim.now());
        });
    }
}
