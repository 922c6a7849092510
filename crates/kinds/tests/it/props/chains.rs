//! A program that dies, is run again and dies, and so on, ends as if nothing had happened, whatever
//! it is run for.

use std::collections::BTreeSet;

use drstack_app::ops::failover::Failover;
use drstack_sim::{CallRecord, Operation, Sim};
use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::deaths::{Death, kill};
use super::failover::without_most;
use super::planted::Flaw;
use super::program::{End, Program};
use super::scene::{Case, Scene, cases, expect_done, expect_intended};
use super::{finds, holds, run};

/// Time between a dead run and the next one: its lock was broken, or has to expire.
const AT_ONCE: SignedDuration = SignedDuration::from_millis(1);
const LATER: SignedDuration = SignedDuration::from_secs(75);

/// What the program is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Command {
    Apply,
    Failover,
    Planned,
    /// A failover of the first component alone.
    Part,
    /// An apply of another stack while the standby region serves.
    ApplyActive,
    Failback,
    Destroy,
}

const OTHERS: [Command; 6] = [
    Command::Failover,
    Command::Planned,
    Command::Part,
    Command::ApplyActive,
    Command::Failback,
    Command::Destroy,
];

/// The calls of a run at which it may die.
#[derive(Clone, Copy, Debug)]
enum When {
    /// Any call.
    Anywhere,
    /// A call that creates something.
    Making,
    /// A call after the lock was taken and before the journal's first entry.
    Starting,
}

type Link = (When, Index, Death);

fn chains() -> impl Strategy<Value = (Case, Command, Vec<Link>)> {
    let command = prop_oneof![1 => Just(Command::Apply), 1 => select(&OTHERS[..])];
    let when = prop_oneof![1 => Just(When::Anywhere), 1 => Just(When::Making), 2 => Just(When::Starting)];
    (cases(), command, prop::collection::vec((when, any::<Index>(), Death::any()), 3..=4))
}

impl Command {
    /// Runs it.
    async fn obeyed(self, program: &Program<'_>) -> End {
        match self {
            Self::Apply | Self::ApplyActive => program.apply().await,
            Self::Failover => program.failover(&[]).await,
            Self::Planned => program.fail_over(&Failover { planned: true, ..program.how(&[]) }).await,
            Self::Part => {
                let first = program.stack.components.keys().next().unwrap().to_string();
                program.failover(&[first]).await
            }
            Self::Failback => program.failback().await,
            Self::Destroy => program.destroy().await,
        }
    }

    /// Returns the world in which it is run.
    async fn before(self, scene: &mut Scene, case: &Case) -> Sim {
        match self {
            Self::Apply => scene.begin(),
            Self::Failover | Self::Planned | Self::Part | Self::Destroy => scene.later(&scene.stands),
            Self::ApplyActive | Self::Failback => {
                let sim = scene.later(&scene.stands);
                let desk = scene.desk(&sim, None);
                expect_done(scene.program_with(&desk, "failover", None).failover(&[]).await);
                if self == Self::ApplyActive {
                    scene.change_stack(case);
                }
                sim
            }
        }
    }
}

impl When {
    /// Returns the numbers of these calls among `calls`; of all calls if there are none.
    fn of(self, calls: &[CallRecord]) -> Vec<u64> {
        let wrote = |key: &str| {
            calls.iter().find(|it| it.kind == "put" && it.subject.contains(key)).map_or(0, |it| it.number)
        };
        let (lock, journal) = (wrote("lock.json"), wrote("/journal/"));
        let is_meant = |it: &&CallRecord| match self {
            Self::Anywhere => true,
            Self::Making => it.operation == Operation::Create,
            Self::Starting => lock < it.number && it.number <= journal,
        };
        let meant: Vec<u64> = calls.iter().filter(is_meant).map(|it| it.number).collect();
        if meant.is_empty() { (1..=calls.len() as u64).collect() } else { meant }
    }
}

/// Runs `command` until it ends or dies; `None` if it died.
async fn dies_or_ends(scene: &Scene, sim: &Sim, command: Command, run: &str) -> Option<End> {
    let desk = scene.desk(sim, None);
    let end = tokio::select! {
        biased;
        () = sim.stopped() => None,
        end = async { command.obeyed(&scene.program(&desk, run)).await } => Some(end),
    };
    expect_intended(&desk);
    end
}

fn is_done(end: &Option<End>) -> bool {
    matches!(end, Some(End::Done(_)))
}

/// Lets run after run die, and returns the world with the time until the next one.
async fn die(scene: &Scene, start: &Sim, command: Command, chain: &[Link]) -> (Sim, SignedDuration) {
    let (mut last, mut between) = (start.clone(), LATER);
    for (number, (when, at, death)) in chain.iter().enumerate() {
        let run = format!("run-{number}");
        let whole = scene.after_with(&last, |config| config.between_runs = between);
        // The calls that the run would make undisturbed.
        let undisturbed = dies_or_ends(scene, &whole, command, &run).await;
        let calls = when.of(&whole.calls());
        let sim = scene.after_with(&last, |config| {
            config.between_runs = between;
            kill(config, *at.get(&calls), death.after);
        });
        // Concurrent calls may come in another order in the run that is to die, so it may end with
        // one call less.
        let end = dies_or_ends(scene, &sim, command, &run).await;
        assert!(end.is_none() || is_done(&end) || !is_done(&undisturbed), "{end:?}");
        (last, between) = (sim, LATER);
        if death.unlock {
            last = scene.at_once(&last);
            // If nothing was created yet, there is no bucket for a lock.
            let _ = scene.program(&scene.desk(&last, None), "unlock").unlock().await;
            between = AT_ONCE;
        }
    }
    (last, between)
}

/// Returns all resources, without the maximum size of groups, which only rises.
fn ends(scene: &Scene, sim: &Sim) -> Vec<String> {
    scene.settled(sim).iter().map(|it| without_most(it)).collect()
}

fn check((case, command, chain): (Case, Command, Vec<Link>), flaw: Option<Flaw>) {
    run(async {
        let mut scene = Scene::of(&case, flaw).await;
        let start = command.before(&mut scene, &case).await;
        let (last, between) = die(&scene, &start, command, &chain).await;
        let last = scene.after_with(&last, |config| config.between_runs = between);
        let end = dies_or_ends(&scene, &last, command, "undisturbed").await;
        if command == Command::Apply {
            expect_done(end.unwrap());
            return scene.expect_same(&last).await;
        }
        let whole = scene.later(&start);
        let undisturbed = dies_or_ends(&scene, &whole, command, "whole").await;
        // Another stack may ask for data to be deleted, which no operator allows here.
        assert_eq!(is_done(&end), is_done(&undisturbed), "{end:?}");
        let [there, wanted] = [&last, &whole].map(|it| ends(&scene, it));
        let only = |these: &[String], those: &[String]| -> Vec<String> {
            these.iter().filter(|it| !those.contains(it)).cloned().collect()
        };
        let (more, less) = (only(&there, &wanted), only(&wanted, &there));
        assert!(there == wanted, "there is {more:#?}\nthere should be {less:#?}");
    });
}

#[test]
fn whatever_a_chain_of_deaths_had_begun_is_finished_by_the_next_run() {
    holds(chains(), |case| check(case, None));
}

#[test]
fn chains_of_three_are_drawn_for_every_command_and_around_every_call() {
    let mut runner = TestRunner::deterministic();
    let mut drawn = BTreeSet::new();
    for _ in 0..500 {
        let (_, command, chain) = chains().new_tree(&mut runner).unwrap().current();
        assert!(chain.len() >= 3, "{chain:?}");
        let anywhere = chain.iter().filter(|(when, ..)| matches!(when, When::Anywhere));
        drawn.extend(anywhere.map(|(.., death)| (command, death.after, death.unlock)));
    }
    assert_eq!(drawn.len(), (OTHERS.len() + 1) * 4, "{drawn:?}");
}

#[test]
fn a_lock_that_forgets_what_was_begun_is_found_by_the_property_of_chains_of_deaths() {
    finds(chains(), |case| check(case, Some(Flaw::ForgetfulLock)));
}
