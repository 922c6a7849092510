//! A program that dies at any call ends, when it is run again, as if nothing had happened.

use drstack_sim::{Sim, SimConfig};
use proptest::prelude::*;
use proptest::sample::Index;

use super::planted::Flaw;
use super::scene::{Case, Scene, cases, expect_intended};
use super::{finds, holds, run};

/// When the program dies, and how its lock is removed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Death {
    /// The program dies after the call's effect, not before.
    pub(super) after: bool,
    /// `drstack unlock` breaks the lock at once; otherwise the next run waits for it to expire.
    pub(super) unlock: bool,
}

impl Death {
    pub(super) fn any() -> impl Strategy<Value = Self> {
        any::<[bool; 2]>().prop_map(|[after, unlock]| Self { after, unlock })
    }
}

fn deaths() -> impl Strategy<Value = (Case, Index, Death)> {
    (cases(), any::<Index>(), Death::any())
}

pub(super) fn kill(config: &mut SimConfig, at: u64, after: bool) {
    *(if after { &mut config.kill_after } else { &mut config.kill_at }) = Some(at);
}

async fn dies(scene: &Scene, sim: &Sim, run: &str) {
    let desk = scene.desk(sim, None);
    tokio::select! {
        biased;
        () = sim.stopped() => {}
        end = async { scene.program(&desk, run).apply().await } => panic!("not killed: {end:?}"),
    }
    expect_intended(&desk);
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
