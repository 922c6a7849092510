//! The engine on toy kinds: stopped, failing, cut off from its journal or taken over, each step ends once, and the next
//! run finishes what this one left.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use drstack_core::address::Address;
use drstack_core::cloud::{Cloud, Found, Owner};
use drstack_core::control::ControlStore;
use drstack_core::control::lock::{Holder, Lock};
use drstack_core::engine::event::{Event, Outcome};
use drstack_core::engine::execute::{ExecuteOptions, RunSummary, execute};
use drstack_core::engine::journal::{Entry, Journal, JournalError, seal};
use drstack_core::graph::{Graph, Resource};
use drstack_core::kind::Place;
use drstack_core::link::Link;
use drstack_core::plan::{Intent, Plan, StepId};
use drstack_sim::{CallRecord, Operation, Sim};
use proptest::prelude::*;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::fixpoint::{drafts, graph};
use crate::toys::*;

const MINUTE: Duration = Duration::from_secs(60);

/// A run: its journal, how it is stopped, and what it said.
struct Run {
    store: Arc<dyn ControlStore>,
    journal: Journal,
    options: ExecuteOptions,
    events: Vec<Event>,
}

impl Run {
    async fn new(sim: &Sim, name: &str) -> Self {
        let store = sim.control(&scope("fleet"), "acme");
        store.ensure().await.unwrap();
        let options = ExecuteOptions {
            parallelism: 64,
            purpose: "apply".to_owned(),
            drain: Default::default(),
            stop: Default::default(),
        };
        Self { journal: Journal::new(Arc::clone(&store), name), store, options, events: Vec::new() }
    }

    async fn execute(&mut self, sim: &Sim, plan: &Plan) -> Result<RunSummary, JournalError> {
        let (kinds, scope, cloud) = (kinds(), scope("fleet"), Arc::new(sim.clone()));
        let events = &mut self.events;
        let mut sink = |event| events.push(event);
        execute(plan, cloud, &kinds, &scope, &mut self.journal, &self.options, &mut sink).await
    }

    /// How each step of `plan` ended; each has to, once, and no more may be said of it afterwards.
    fn ends(&self, plan: &Plan) -> BTreeMap<StepId, &'static str> {
        let mut ends = BTreeMap::new();
        for event in &self.events {
            match event {
                Event::StepFinished { step, outcome, .. } => {
                    let how = match outcome {
                        Outcome::Done => "done",
                        Outcome::Failed { .. } => "failed",
                        Outcome::Skipped { .. } => "skipped",
                        Outcome::Unfinished => "unfinished",
                    };
                    assert_eq!(ends.insert(*step, how), None, "step {step} ended twice: {:#?}", self.events);
                }
                Event::StepStarted { step, .. } | Event::StepWaiting { step, .. } => {
                    assert!(!ends.contains_key(step), "step {step} went on: {:#?}", self.events);
                }
                _ => {}
            }
        }
        assert_eq!(ends.len(), plan.steps.len(), "{:#?}", self.events);
        ends
    }

    /// Addresses of the steps that ended like this.
    fn that(&self, plan: &Plan, how: &str) -> Vec<String> {
        let ends = self.ends(plan);
        let these = ends.iter().filter(|(_, end)| **end == how);
        let mut these: Vec<String> = these.map(|(step, _)| plan.steps[*step].address.to_string()).collect();
        these.sort();
        these
    }

    /// Running steps of each [`Event::Draining`].
    fn drained(&self) -> Vec<usize> {
        let running = |event: &Event| match event {
            Event::Draining { running } => Some(*running),
            _ => None,
        };
        self.events.iter().filter_map(running).collect()
    }

    /// The entries of the journal, which has to be of one piece.
    async fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for key in self.store.list(&format!("runs/{}/journal/", self.journal.run())).await.unwrap() {
            let (body, _) = self.store.get(&key).await.unwrap().unwrap();
            let lines = std::str::from_utf8(&body).unwrap().lines();
            entries.extend(lines.map(|line| serde_json::from_str::<Entry>(line).unwrap()));
        }
        let (mut intended, mut ended) = (BTreeSet::new(), BTreeSet::new());
        for entry in &entries {
            match entry {
                Entry::Intent { step, .. } => assert!(intended.insert(*step), "{entries:#?}"),
                Entry::Done { step, .. } | Entry::Failed { step, .. } => {
                    assert!(intended.contains(step) && ended.insert(*step), "{entries:#?}");
                }
                _ => {}
            }
        }
        entries
    }

    /// The steps that are done, as the journal has it.
    async fn journaled(&self) -> BTreeSet<StepId> {
        let done = |entry: &Entry| match entry {
            Entry::Done { step, .. } => Some(*step),
            _ => None,
        };
        self.entries().await.iter().filter_map(done).collect()
    }
}

fn at(name: &str) -> Address {
    Address::parse(name).unwrap()
}

/// Nets `a` and `b` take an hour; `web` and `cdn` need `a`, `api` needs `b`, `solo` needs nothing.
fn want() -> Graph {
    let mut all = Vec::new();
    for name in ["a", "b"] {
        let spec = NetSpec { cidr: "10.0.0.0/16".to_owned(), within: None };
        all.push(Resource::tagged::<Net>(at(&format!("toy.{name}/net")), Place::Standby, &spec));
    }
    let of = |net: &str| Link::id(&at(&format!("toy.{net}/net")));
    let known = Link::Known("net-of-the-user".to_owned());
    for (name, net) in [("web", of("a")), ("cdn", of("a")), ("api", of("b")), ("solo", known)] {
        let spec = GroupSpec { net, size: 1, colour: String::new() };
        all.push(Resource::named::<Group>(at(&format!("toy.{name}/group")), Place::Standby, name, &spec));
    }
    Graph { resources: all.into_iter().map(|resource| (resource.address.clone(), resource)).collect() }
}

async fn todo(sim: &Sim, want: &Graph) -> Plan {
    let (plan, report) = plan(sim, want, Intent::Converge).await;
    assert_eq!(report.blocked, []);
    plan
}

/// The next program, with nothing in its way, finishes what is left.
async fn finish(sim: &Sim, want: &Graph) {
    let next = sim.restart(config("")).unwrap();
    let rest = todo(&next, want).await;
    assert!(!rest.is_empty());
    let mut run = Run::new(&next, "next").await;
    let summary = run.execute(&next, &rest).await.unwrap();
    assert!(summary.is_complete(), "{summary:?}");
    assert_eq!(run.journaled().await.len(), rest.steps.len());
    assert!(todo(&next, want).await.is_empty());
    assert_eq!(next.inventory().len(), want.resources.len());
}

fn changes(calls: &[CallRecord]) -> usize {
    let changes = [Operation::Create, Operation::Update, Operation::Delete];
    calls.iter().filter(|call| changes.contains(&call.operation)).count()
}

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
        let sim = sim("[[faults]]\noperation = 'create'\nsubject = 'toy.a/'\nerror = 'timeout-after-effect'");
        let plan = todo(&sim, &want()).await;
        let mut run = Run::new(&sim, "r").await;
        let drain = run.options.drain.clone();
        tokio::spawn(async move {
            sleep(Duration::from_secs(3)).await;
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
        // Both nets and the stop are due at the same instant, and the stop is looked at first.
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
fn a_run_that_was_taken_over_starts_nothing_more() {
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
        // What ran when the seal was written is finished, and that is all.
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
            // The slowest pause between two tries is ten seconds.
            assert!(tried_for < tries_for + 5 && tried_for > tries_for - 15, "{tried_for}");
        });
    }
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
        // One by one, and the removal takes longer than what needs the new net: it goes first.
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
