//! A program that dies at any call ends, when it is run again, as if nothing had happened.

use drstack_sim::{CallRecord, Operation, Sim, SimConfig};
use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::sample::Index;

use super::planted::Flaw;
use super::program::End;
use super::scene::{Case, Scene, cases, expect_intended};
use super::{finds, holds, run};

/// When the program dies, and how its lock is removed.
#[derive(Clone, Copy, Debug)]
struct Death {
    /// The program dies after the call's effect, not before.
    after: bool,
    /// `drstack unlock` breaks the lock at once; otherwise the next run waits for it to expire.
    unlock: bool,
}

fn deaths() -> impl Strategy<Value = (Case, Index, Death)> {
    let death = any::<[bool; 2]>().prop_map(|[after, unlock]| Death { after, unlock });
    (cases(), any::<Index>(), death)
}

/// Time between a dead run and the next one: its lock was broken, or has to expire.
const AT_ONCE: SignedDuration = SignedDuration::from_millis(1);
const LATER: SignedDuration = SignedDuration::from_secs(75);

fn kill(config: &mut SimConfig, at: u64, after: bool) {
    *(if after { &mut config.kill_after } else { &mut config.kill_at }) = Some(at);
}

async fn dies(scene: &Scene, sim: &Sim, run: &str) {
    let end = dies_or_ends(scene, sim, run).await;
    assert!(end.is_none(), "not killed: {end:?}");
}

/// Returns how the program ended; `None` if it died at its call.
async fn dies_or_ends(scene: &Scene, sim: &Sim, run: &str) -> Option<End> {
    let desk = scene.desk(sim, None);
    let end = tokio::select! {
        biased;
        () = sim.stopped() => None,
        end = async { scene.program(&desk, run).apply().await } => Some(end),
    };
    expect_intended(&desk);
    end
}

async fn check_at(scene: &Scene, at: u64, death: Death) {
    let sim = scene.begin_with(|config| kill(config, at, death.after));
    dies(scene, &sim, "first").await;
    let next = if death.unlock { scene.at_once(&sim) } else { scene.later(&sim) };
    if death.unlock {
        // If nothing was created yet, there is no bucket for a lock.
        let _ = scene.program(&scene.desk(&next, None), "unlock").unlock().await;
    }
    scene.applied(&next, "next").await;
    scene.expect_same(&next).await;
}

fn check((case, at, death): (Case, Index, Death), flaw: Option<Flaw>) {
    run(async {
        let scene = Scene::of(&case, flaw).await;
        let at = at.index(usize::try_from(scene.calls).unwrap()) as u64 + 1;
        check_at(&scene, at, death).await;
    });
}

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

fn chains() -> impl Strategy<Value = (Case, Vec<Link>)> {
    let when = prop_oneof![1 => Just(When::Anywhere), 1 => Just(When::Making), 2 => Just(When::Starting)];
    let death = any::<[bool; 2]>().prop_map(|[after, unlock]| Death { after, unlock });
    (cases(), prop::collection::vec((when, any::<Index>(), death), 2..=5))
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

/// Lets run after run die, and an undisturbed one follow.
async fn check_chain(scene: &Scene, chain: &[Link]) {
    let (mut last, mut unlocked) = (scene.begin(), false);
    for (number, (when, at, death)) in chain.iter().enumerate() {
        let (run, between) = (format!("run-{number}"), if unlocked { AT_ONCE } else { LATER });
        let whole = scene.after_with(&last, |config| config.between_runs = between);
        // The calls that the run would make undisturbed.
        let _ = scene.apply(&whole, &run).await;
        let calls = when.of(&whole.calls());
        let sim = scene.after_with(&last, |config| {
            config.between_runs = between;
            kill(config, *at.get(&calls), death.after);
        });
        // Concurrent calls may come in another order in the run that is to die, so it may end with
        // one call less.
        let end = dies_or_ends(scene, &sim, &run).await;
        assert!(matches!(end, None | Some(End::Done(_))), "{end:?}");
        unlocked = death.unlock;
        if unlocked {
            let next = scene.at_once(&sim);
            let _ = scene.program(&scene.desk(&next, None), "unlock").unlock().await;
            last = next;
        } else {
            last = sim;
        }
    }
    let last = scene.after_with(&last, |config| config.between_runs = if unlocked { AT_ONCE } else { LATER });
    scene.applied(&last, "undisturbed").await;
    scene.expect_same(&last).await;
}

fn check_chains((case, chain): (Case, Vec<Link>), flaw: Option<Flaw>) {
    run(async {
        let scene = Scene::of(&case, flaw).await;
        check_chain(&scene, &chain).await;
    });
}

#[test]
fn whatever_a_chain_of_deaths_had_begun_is_finished_by_the_next_run() {
    holds(chains(), |case| check_chains(case, None));
}

#[test]
fn a_lock_that_forgets_what_was_begun_is_found_by_the_property_of_chains_of_deaths() {
    finds(chains(), |case| check_chains(case, Some(Flaw::ForgetfulLock)));
}

#[test]
fn a_program_killed_at_any_call_is_finished_by_the_next() {
    holds(deaths(), |case| check(case, None));
}

#[test]
fn a_missing_token_is_found_by_the_property_of_deaths() {
    finds(deaths(), |case| check(case, Some(Flaw::NoToken)));
}

#[test]
fn a_journal_that_is_written_late_is_found_by_the_property_of_deaths() {
    finds(deaths(), |case| check(case, Some(Flaw::LateJournal)));
}

#[test]
fn a_lock_without_an_end_is_found_by_the_property_of_deaths() {
    finds(deaths(), |case| check(case, Some(Flaw::EndlessLock)));
}

#[test]
fn a_deletion_before_its_replacement_is_found_by_the_property_of_deaths() {
    finds(deaths(), |case| check(case, Some(Flaw::DeleteFirst)));
}
