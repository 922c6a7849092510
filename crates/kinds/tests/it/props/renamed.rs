//! A renamed component, or one in a renamed module, keeps its resources, and they stay in use.

use proptest::prelude::*;

use super::planted::Flaw;
use super::scene::{Case, Scene, cases, expect_done};
use super::service::Service;
use super::{finds, holds, run};

/// Returns a stack with one of its components renamed.
fn renames() -> impl Strategy<Value = Case> {
    (cases(), any::<usize>()).prop_map(|(case, which)| case.with_a_rename(which))
}

fn check(case: &Case, flaw: Option<Flaw>) {
    run(async {
        let mut scene = Scene::of(case, None).await;
        scene.plant(flaw);
        let sim = scene.begin();
        let service = Service::of_all(&sim);
        let desk = scene.desk(&sim, None).watching(&service);
        let program = scene.program(&desk, "renamed");
        tokio::select! {
            end = program.apply() => drop(expect_done(end)),
            never = service.look_each_second(&sim) => match never {},
        }
        service.expect_no_dip();
        scene.finished(&sim).await;
    });
}

/// The program dies during the rename, and the operator runs it again.
fn check_deaths(case: &Case, kill: u64) {
    run(async {
        let scene = Scene::of(case, None).await;
        let sim = scene.begin_with(|config| config.kill_at = Some(1 + kill % scene.calls.max(1)));
        let service = Service::of_all(&sim);
        let desk = scene.desk(&sim, None).watching(&service);
        tokio::select! {
            biased;
            () = sim.stopped() => {}
            _ = async { scene.program(&desk, "renamed").apply().await } => {}
        }
        let sim = scene.later(&sim);
        let desk = scene.desk(&sim, None).watching(&service);
        expect_done(scene.program(&desk, "again").apply().await);
        service.expect_no_dip();
        scene.finished(&sim).await;
    });
}

#[test]
fn a_rename_deletes_no_data_stops_no_replication_and_takes_nothing_out_of_service() {
    holds(renames(), |case| check(&case, None));
}

#[test]
fn a_rename_that_is_cut_off_is_finished_by_the_next_apply() {
    holds((renames(), any::<u64>()), |(case, kill)| check_deaths(&case, kill));
}

#[test]
fn what_goes_before_its_successor_is_there_is_found_by_the_property_of_renames() {
    finds(renames(), |case| check(&case, Some(Flaw::GoesAtOnce)));
}

#[test]
fn tags_that_are_not_rewritten_are_found_by_the_property_of_renames() {
    finds(renames(), |case| check(&case, Some(Flaw::KeepsTags)));
}

#[test]
fn a_plan_that_knows_no_moves_is_found_by_the_property_of_renames() {
    finds(renames(), |case| check(&case, Some(Flaw::KnowsNoMoves)));
}
