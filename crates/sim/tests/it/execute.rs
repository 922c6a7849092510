//! The engine stops or fails: each step ends once, and the next run finishes what this one left.

use std::time::Duration;

use drstack_core::address::Address;
use drstack_core::cloud::Cloud;
use drstack_core::control::journal::Entry;
use drstack_core::engine::event::Event;
use drstack_core::graph::{Graph, Resource};
use drstack_core::kind::Place;
use drstack_core::link::Link;
use drstack_sim::Operation;
use proptest::prelude::*;
use tokio::time::{Instant, sleep};

use crate::fixpoint::{drafts, graph};
use crate::runs::*;
use crate::toys::*;

#[test]
fn a_plan_is_made_true_and_journaled() {
    run(async {
        let sim = sim("");
        let plan = todo(&sim, &want()).await;
        let mut run = Run::new(&sim, "r").await;
        let summary = run.execute(&sim, &plan).await.unwrap();
        assert!(summary.is_complete());
        assert_eq!(summary.done, 6);
        assert_eq!(run.that(&plan, "done").len(), 6);
        let entries = run.entries().await;
        assert!(matches!(entries.first(), Some(Entry::RunStarted { steps: 6, .. })));
        assert!(matches!(entries.last(), Some(Entry::RunFinished { .. })));
        assert_eq!(run.journaled().await.len(), 6);
        assert!(todo(&sim, &want()).await.is_empty());
    });
}

#[test]
fn with_no_room_at_all_steps_go_one_by_one() {
    run(async {
        let sim = sim("");
        let plan = todo(&sim, &want()).await;
        let mut run = Run::new(&sim, "r").await;
        run.options.parallelism = 0;
        let summary = run.execute(&sim, &plan).await.unwrap();
        assert!(summary.is_complete());
        assert!(summary.elapsed > 120 * MINUTE, "{summary:?}");
    });
}

/// A defect of a planner, which no run may wait for.
#[test]
fn steps_that_wait_for_each_other_end_the_run_and_are_named() {
    run(async {
        let sim = sim("");
        let mut plan = todo(&sim, &want()).await;
        let last = plan.steps.len() - 1;
        plan.steps[0].needs.push(last);
        plan.steps[last].needs.push(0);
        let mut run = Run::new(&sim, "r").await;
        let summary = run.execute(&sim, &plan).await.unwrap();
        let [(_, error)] = &summary.failed[..] else { panic!("{summary:?}") };
        let [first, last] = [0, last].map(|it| plan.steps[it].address.to_string());
        let said = error.to_string();
        assert!(said.starts_with("internal: steps wait for each other: "), "{said}");
        assert!(said.contains(&first) && said.contains(&last), "{said}");
        assert!(!summary.is_complete());
    });
}

#[test]
fn the_first_ctrl_c_finishes_what_runs_and_names_the_rest_once() {
    run(async {
        let sim = sim("");
        let plan = todo(&sim, &want()).await;
        let mut run = Run::new(&sim, "r").await;
        let drain = run.options.drain.clone();
        tokio::spawn(async move {
            sleep(30 * MINUTE).await;
            drain.cancel();
        });
        let summary = run.execute(&sim, &plan).await.unwrap();
        assert_eq!(run.that(&plan, "done"), ["toy.a/net", "toy.b/net", "toy.solo/group"]);
        assert_eq!(run.that(&plan, "unfinished"), ["toy.api/group", "toy.cdn/group", "toy.web/group"]);
        assert_eq!((summary.done, summary.unfinished.len(), summary.is_complete()), (3, 3, false));
        assert_eq!(run.drained(), [2]);
        assert_eq!(run.journaled().await.len(), 3);
        assert_eq!(sim.inventory().len(), 3);
        finish(&sim, &want()).await;
    });
}

#[test]
fn a_step_that_fails_while_the_rest_is_given_up_takes_nothing_else_with_it() {
    run(async {
        let sim = sim("[[faults]]\noperation = 'create'\nsubject = 'toy.a/'\nerror = 'internal'\nat = 1");
        let plan = todo(&sim, &want()).await;
        let mut run = Run::new(&sim, "r").await;
        let drain = run.options.drain.clone();
        tokio::spawn(async move {
            sleep(Duration::from_millis(100)).await;
            drain.cancel();
        });
        let summary = run.execute(&sim, &plan).await.unwrap();
        assert_eq!(run.that(&plan, "failed"), ["toy.a/net"]);
        assert_eq!(run.that(&plan, "unfinished").len(), 3);
        assert_eq!((summary.skipped, summary.unfinished.len()), (0, 3));
        finish(&sim, &want()).await;
    });
}

#[test]
fn a_run_that_is_told_to_end_before_it_begins_starts_nothing() {
    for second in [false, true] {
        run(async {
            let sim = sim("");
            let plan = todo(&sim, &want()).await;
            let mut run = Run::new(&sim, "r").await;
            run.options.drain.cancel();
            if second {
                run.options.stop.cancel();
            }
            run.execute(&sim, &plan).await.unwrap();
            assert_eq!(run.that(&plan, "unfinished").len(), 6);
            assert_eq!(changes(&sim.calls()), 0);
            let begun = |event: &Event| matches!(event, Event::StepStarted { .. });
            assert!(!run.events.iter().any(begun), "{:#?}", run.events);
            finish(&sim, &want()).await;
        });
    }
}

#[test]
fn a_ctrl_c_while_the_intents_are_written_starts_none_of_them() {
    run(async {
        let sim = sim("latency = '1s'\njitter = '0s'");
        let plan = todo(&sim, &want()).await;
        let mut run = Run::new(&sim, "r").await;
        let drain = run.options.drain.clone();
        tokio::spawn(async move {
            sleep(Duration::from_millis(500)).await;
            drain.cancel();
        });
        run.execute(&sim, &plan).await.unwrap();
        assert_eq!(run.that(&plan, "unfinished").len(), 6);
        assert_eq!(changes(&sim.calls()), 0);
        assert_eq!(run.drained(), [0; 0]);
        finish(&sim, &want()).await;
    });
}

#[test]
fn the_second_ctrl_c_ends_at_once() {
    run(async {
        let sim = sim("");
        let plan = todo(&sim, &want()).await;
        let mut run = Run::new(&sim, "r").await;
        let (drain, stop) = (run.options.drain.clone(), run.options.stop.clone());
        tokio::spawn(async move {
            sleep(10 * MINUTE).await;
            drain.cancel();
            sleep(10 * MINUTE).await;
            stop.cancel();
        });
        let begun = Instant::now();
        let summary = run.execute(&sim, &plan).await.unwrap();
        let took = begun.elapsed();
        assert!(took >= 20 * MINUTE && took < 21 * MINUTE, "{took:?}");
        assert_eq!(run.that(&plan, "done"), ["toy.solo/group"]);
        assert_eq!(run.that(&plan, "unfinished").len(), 5);
        assert_eq!(summary.unfinished.len(), 5);
        assert_eq!(run.drained(), [2]);
        assert_eq!(run.journaled().await.len(), 1);
        finish(&sim, &want()).await;
    });
}

#[test]
fn what_has_ended_when_the_stop_comes_is_done() {
    let calm = "jitter = '0s'";
    let ended = run(async {
        let sim = sim(calm);
        let plan = todo(&sim, &want()).await;
        let mut run = Run::new(&sim, "r").await;
        run.execute(&sim, &plan).await.unwrap();
        let of = |event: &Event| match event {
            Event::StepFinished { address, elapsed, .. } if address.as_str() == "toy.a/net" => Some(*elapsed),
            _ => None,
        };
        run.events.iter().find_map(of).unwrap()
    });
    run(async {
        let sim = sim(calm);
        let plan = todo(&sim, &want()).await;
        let mut run = Run::new(&sim, "r").await;
        let stop = run.options.stop.clone();
        // Both nets and the stop are due at the same instant, and the stop is handled first.
        let both = async {
            tokio::join!(run.execute(&sim, &plan), async {
                sleep(ended).await;
                stop.cancel();
            })
            .0
        };
        both.await.unwrap();
        assert_eq!(run.that(&plan, "done"), ["toy.a/net", "toy.b/net", "toy.solo/group"]);
        assert_eq!(run.that(&plan, "unfinished").len(), 3);
        assert_eq!(run.journaled().await.len(), 3);
        let aborted = run.events.iter().any(|event| matches!(event, Event::RunFinished { done: 3, .. }));
        assert!(aborted, "{:#?}", run.events);
        assert_eq!(changes(&sim.calls()), 3);
        finish(&sim, &want()).await;
    });
}

#[test]
fn a_failure_skips_what_needs_it_and_nothing_else() {
    run(async {
        let sim = sim("[[faults]]\noperation = 'create'\nsubject = 'toy.a/'\nerror = 'denied'");
        let plan = todo(&sim, &want()).await;
        let mut run = Run::new(&sim, "r").await;
        let summary = run.execute(&sim, &plan).await.unwrap();
        assert_eq!(run.that(&plan, "failed"), ["toy.a/net"]);
        assert_eq!(run.that(&plan, "skipped"), ["toy.cdn/group", "toy.web/group"]);
        assert_eq!(run.that(&plan, "done"), ["toy.api/group", "toy.b/net", "toy.solo/group"]);
        assert_eq!((summary.done, summary.failed.len(), summary.skipped), (3, 1, 2));
        assert_eq!(summary.unfinished, [0; 0]);
        finish(&sim, &want()).await;
    });
}

#[test]
fn what_a_replaced_resource_says_outlives_the_removal_of_the_old_one() {
    run(async {
        let sim = sim("");
        let mut want = want();
        let groups: Vec<Address> =
            want.resources.keys().filter(|address| address.as_str().ends_with("group")).cloned().collect();
        let later: Vec<Resource> =
            groups.iter().map(|address| want.resources.remove(address).unwrap()).collect();
        let first = todo(&sim, &want).await;
        Run::new(&sim, "r").await.execute(&sim, &first).await.unwrap();
        let spec = NetSpec { cidr: "10.9.0.0/16".to_owned(), within: None };
        let moved = Resource::tagged::<Net>(at("toy.a/net"), Place::Standby, &spec);
        want.resources.insert(moved.address.clone(), moved);
        want.resources.extend(later.into_iter().map(|resource| (resource.address.clone(), resource)));
        let plan = todo(&sim, &want).await;
        let mut run = Run::new(&sim, "s").await;
        // With one step at a time, the removal takes longer than the group that needs the new net,
        // so it starts first.
        run.options.parallelism = 1;
        let summary = run.execute(&sim, &plan).await.unwrap();
        assert!(summary.is_complete(), "{summary:?}");
        assert!(todo(&sim, &want).await.is_empty());
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn stopped_at_any_moment_a_run_is_finished_by_the_next(
        first in drafts(), second in drafts(), parallelism in 1_usize..5, drain in 0_u64..8000, stop in 0_u64..4000,
        error in prop::sample::select(vec!["internal", "timeout-after-effect", "denied"]), share in 0.0..0.3,
    ) {
        run(async {
            let (first, second) = (graph(&first), graph(&second));
            let calm = sim("");
            let plan = todo(&calm, &first).await;
            Run::new(&calm, "first").await.execute(&calm, &plan).await.unwrap();

            let faults = format!("[[faults]]\nerror = '{error}'\nshare = {share}\noperation = 'create'");
            let rough = calm.restart(config(&faults)).unwrap();
            let plan = todo(&rough, &second).await;
            let mut run = Run::new(&rough, "second").await;
            run.options.parallelism = parallelism;
            let (first_ctrl_c, second_ctrl_c) = (run.options.drain.clone(), run.options.stop.clone());
            let begun = Instant::now();
            let keys = tokio::spawn(async move {
                sleep(Duration::from_secs(drain)).await;
                first_ctrl_c.cancel();
                sleep(Duration::from_secs(stop)).await;
                second_ctrl_c.cancel();
            });
            let summary = run.execute(&rough, &plan).await.unwrap();
            prop_assert!(begun.elapsed() <= Duration::from_secs(drain + stop + 1));
            keys.abort();
            let ends = run.ends(&plan);
            let count = |how: &str| ends.values().filter(|end| **end == how).count();
            prop_assert_eq!(summary.done, count("done"));
            prop_assert_eq!(summary.failed.len(), count("failed"));
            prop_assert_eq!(summary.skipped, count("skipped"));
            prop_assert_eq!(summary.unfinished.len(), count("unfinished"));
            prop_assert_eq!(run.journaled().await.len(), summary.done);

            let next = rough.restart(config("")).unwrap();
            let rest = todo(&next, &second).await;
            let summary = Run::new(&next, "next").await.execute(&next, &rest).await.unwrap();
            prop_assert!(summary.is_complete(), "{:?}", summary);
            prop_assert!(todo(&next, &second).await.is_empty());
            prop_assert_eq!(next.inventory().len(), second.resources.len());
            Ok(())
        })?;
    }
}

/// If the old one were deleted first, a run that observes in between would see neither, and create
/// a third.
#[test]
fn what_is_replaced_stays_until_every_look_finds_its_successor() {
    run(async {
        let net = |cidr: &str| {
            let spec = NetSpec { cidr: cidr.to_owned(), within: None };
            let resource = Resource::tagged::<Net>(at("toy.a/net"), Place::Standby, &spec);
            Graph::from_iter([resource])
        };
        let settings = "lag = '8s'\nwork = { net = '1s' }";
        let first = sim(settings);
        let plan = todo(&first, &net("10.0.0.0/16")).await;
        assert!(Run::new(&first, "first").await.execute(&first, &plan).await.unwrap().is_complete());
        let second = first.restart(config(settings)).unwrap();
        let plan = todo(&second, &net("10.1.0.0/16")).await;
        assert!(Run::new(&second, "second").await.execute(&second, &plan).await.unwrap().is_complete());
        // The next run starts at once, while reads may still miss resources created within the last
        // eight seconds.
        let next = second.restart(config(&format!("{settings}\nbetween_runs = '0s'"))).unwrap();
        assert_eq!(todo(&next, &net("10.1.0.0/16")).await.steps, []);
        assert_eq!(next.inventory().len(), 1);
    });
}

/// The net exists and no read finds it yet. Its creation finds it by its token, and the group has
/// had its id all the time.
#[test]
fn an_update_that_only_waited_for_an_id_which_is_there_already_is_not_made() {
    run(async {
        let want = |net: Option<NetSpec>| {
            let link = net.as_ref().map(|_| Link::id(&at("toy.a/net")));
            let net = net.map(|net| Resource::tagged::<Net>(at("toy.a/net"), Place::Standby, &net));
            let to = link.unwrap_or(Link::Known("n".to_owned()));
            let spec = GroupSpec { net: to, size: 1, colour: String::new() };
            let group = Resource::named::<Group>(at("toy.g/group"), Place::Standby, "g", &spec);
            let all = net.into_iter().chain([group]);
            all.collect::<Graph>()
        };
        let settings = "lag = '1h'\nwork = { net = '1s', group = '1s' }";
        let first = sim(settings);
        let plan = todo(&first, &want(None)).await;
        assert!(Run::new(&first, "first").await.execute(&first, &plan).await.unwrap().is_complete());
        let linked = want(Some(NetSpec { cidr: "10.0.0.0/16".to_owned(), within: None }));
        let second = first.restart(config(&format!("{settings}\nbetween_runs = '2h'"))).unwrap();
        let plan = todo(&second, &linked).await;
        assert!(Run::new(&second, "second").await.execute(&second, &plan).await.unwrap().is_complete());
        let third = second.restart(config(&format!("{settings}\nbetween_runs = '0s'"))).unwrap();
        let plan = todo(&third, &linked).await;
        assert_eq!(plan.steps.len(), 2, "{plan:?}");
        assert!(Run::new(&third, "third").await.execute(&third, &plan).await.unwrap().is_complete());
        let of = |sim: &drstack_sim::Sim, operation: Operation| {
            sim.calls().iter().filter(|it| it.operation == operation).count()
        };
        assert_eq!([of(&second, Operation::Update), of(&third, Operation::Update)], [1, 0]);
        assert_eq!(third.inventory().len(), 2);
    });
}

#[test]
fn a_region_that_refuses_calls_is_asked_more_slowly() {
    run(async {
        let (rate, groups) = (6, 400);
        let all = (0..groups).map(|number| {
            let name = format!("g{number}");
            let spec = GroupSpec { net: Link::Known("n".to_owned()), size: 1, colour: String::new() };
            Resource::named::<Group>(at(&format!("toy.{name}/group")), Place::Standby, &name, &spec)
        });
        let want = all.collect::<Graph>();
        let sim = sim("");
        let plan = todo(&sim, &want).await;
        let limited = sim.restart(config(&format!("rate = {rate}\nwork = {{ group = '100ms' }}"))).unwrap();
        let begin = limited.now();
        assert!(Run::new(&limited, "r").await.execute(&limited, &plan).await.unwrap().is_complete());
        let took = limited.now().duration_since(begin).as_secs();
        // Each segment of the journal is a call too.
        assert!(took < 4 * groups / rate, "{took} s");
        let calls = limited.calls();
        let attempts: Vec<&str> =
            calls.iter().filter(|it| it.operation == Operation::Create).map(|it| &*it.subject).collect();
        let late = &attempts[attempts.len() / 2..];
        let again = late.len() - late.iter().collect::<std::collections::BTreeSet<_>>().len();
        // Without a pace, more than four fifths are refused. The journal, which has no pace, uses
        // the same rate.
        assert!(again * 2 < late.len(), "{again} of {} attempts were refused in the second half", late.len());
    });
}
