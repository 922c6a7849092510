//! A planned failover changes nothing before replication has drained, and nothing at all if that
//! takes too long. A failback after it restores the world as it was.

use std::collections::BTreeMap;

use drstack_app::ops::failover::Failover;
use drstack_core::cloud::Cloud;
use drstack_core::copies::copied;
use drstack_core::objective::Mode;
use drstack_core::plan::Intent;
use drstack_sim::{Backlog, Sim};
use jiff::SignedDuration;
use proptest::prelude::*;

use crate::props::desk::OperatorCloud;
use crate::props::planted::Flaw;
use crate::props::program::{End, Program};
use crate::props::scene::{Case, Scene, cases, expect_done, expect_intended, left_to_do, shape};
use crate::props::{finds, holds, run};

/// Seconds that replication takes, and seconds that the operator waits for it. A comparison comes
/// every ten seconds.
fn drains() -> impl Strategy<Value = (i64, i64)> {
    prop_oneof![
        2 => (0..600_i64, 900..1200_i64),
        1 => (300..2000_i64, 60..200_i64),
    ]
}

/// Returns the world in standby, with a backlog of all data.
async fn behind(scene: &Scene, seconds: i64) -> (Sim, bool) {
    let planned = scene.plan(&scene.later(&scene.stands), Intent::Converge).await;
    let copied = copied(&planned.compiled.graph, &drstack_kinds::kinds(), None).unwrap();
    let drains = Some(SignedDuration::from_secs(seconds));
    let backlog: BTreeMap<String, Backlog> = copied
        .values()
        .map(|it| (it.name.clone(), Backlog { waiting: 10, drains, ..Backlog::default() }))
        .collect();
    let has_data = !backlog.is_empty();
    (scene.after_with(&scene.stands, |config| config.backlog = backlog), has_data)
}

async fn planned(scene: &Scene, desk: &OperatorCloud, waits: i64, flaw: Option<Flaw>) -> End {
    let program: Program<'_> = scene.program_with(desk, "planned", flaw);
    let how = Failover { planned: true, drain_timeout: SignedDuration::from_secs(waits), ..program.how(&[]) };
    program.fail_over(&how).await
}

fn check(case: &Case, (drains, waits): (i64, i64), flaw: Option<Flaw>) {
    run(async {
        let scene = Scene::of(case, None).await;
        let (sim, has_data) = behind(&scene, drains).await;
        let begun = sim.now();
        let desk = OperatorCloud::at(&sim, flaw, None);
        let end = planned(&scene, &desk, waits, flaw).await;
        expect_intended(&desk);
        if has_data && drains > waits {
            assert!(matches!(end, End::Failed(_)), "{end:?}");
            assert!(desk.changes().is_empty() && desk.writes().is_empty(), "{:?}", desk.changes());
            return;
        }
        // Nobody is led from a primary that serves to a pool without instances (tests/it/failover/whole.rs).
        if matches!(&end, End::Failed(why) if why.contains("it wants no instances")) {
            return;
        }
        assert!(matches!(end, End::Done(_)), "{end:?}");
        let drained = begun + SignedDuration::from_secs(if has_data { drains } else { 0 });
        let early: Vec<_> = desk.changes().into_iter().filter(|it| it.at < drained).collect();
        assert!(early.is_empty(), "drained at {drained}: {early:#?}");
        let early: Vec<_> = desk.writes().into_iter().filter(|(at, _)| *at < drained).collect();
        assert!(early.is_empty(), "drained at {drained}: {early:#?}");
        and_back(&scene, &sim).await;
    });
}

/// Asserts that the failover is complete, and that a failback restores the world as it was.
async fn and_back(scene: &Scene, sim: &Sim) {
    let sim = scene.later(sim);
    let desk = scene.desk(&sim, None);
    let look = scene.program(&desk, "look").plan(Intent::Converge).await.unwrap();
    assert_eq!((look.mode.standing().mode, look.mode.is_complete()), (Mode::Active, true));
    // The first apply after a failover puts up the fences in the primary.
    let mut plan = look.plan;
    let kinds = drstack_kinds::kinds();
    let fences =
        |kind: &str| kinds.get(kind).is_some_and(|it| it.needs_both_regions() && it.traffic().is_none());
    plan.steps.retain(|step| !fences(&step.kind));
    assert_eq!(left_to_do(&plan), [""; 0], "left to do");
    let sim = scene.later(&sim);
    expect_done(scene.program(&scene.desk(&sim, None), "back").failback().await);
    let sim = scene.after_with(&sim, |config| config.between_runs = SignedDuration::from_hours(4));
    let usual = |world| -> Vec<String> {
        // Epochs only rise, and restored tables are kept.
        let is_usual = |it: &String| {
            !(it.contains("/parameter/") || it.contains("/table-import/") && it.contains(" Stack "))
        };
        shape(&world).into_iter().filter(is_usual).collect()
    };
    assert_eq!(usual(sim.world()), usual(scene.stands.world()));
}

#[test]
fn a_planned_failover_waits_for_replication_and_comes_back() {
    holds((cases(), drains()), |(case, drains)| check(&case, drains, None));
}

#[test]
fn a_planned_failover_that_skips_the_drain_is_found() {
    finds((cases(), drains()), |(case, drains)| check(&case, drains, Some(Flaw::SkipsDrain)));
}
