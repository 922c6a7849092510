//! The mode record is lost after a failover, or the whole control bucket is, or the stack names
//! another bucket.
//!
//! Nothing is changed until the operator says which region serves. Saying it leads to the end that
//! the run would have had without the loss.

use drstack_core::cloud::Cloud;
use drstack_core::control::Condition;
use drstack_core::objective::Mode;
use drstack_sim::{Holder, Sim};
use proptest::prelude::*;
use proptest::sample::Index;

use super::{Disaster, FIRST};
use crate::props::desk::OperatorCloud;
use crate::props::planted::Flaw;
use crate::props::program::{End, scope};
use crate::props::scene::{Case, cases, expect_done, objects};
use crate::props::{finds, holds, run};

/// The way in which the record is lost.
#[derive(Clone, Copy, Debug)]
enum Loss {
    Record,
    Damage,
    Bucket,
    /// The stack names another bucket, and the old one still exists.
    Another,
}

fn losses() -> impl Strategy<Value = Loss> {
    prop_oneof![Just(Loss::Record), Just(Loss::Damage), Just(Loss::Bucket), Just(Loss::Another)]
}

/// How the failover before the loss ends: killed at some call, or complete.
fn ends() -> impl Strategy<Value = Option<Index>> {
    prop::option::weighted(0.7, any::<Index>())
}

impl Loss {
    async fn befalls(self, disaster: &mut Disaster, sim: &Sim) {
        let scene = &mut disaster.scene;
        let store = sim.control(&scope(&scene.stack), &scene.stack.facts.control);
        match self {
            Self::Record => store.delete("mode.json").await.unwrap(),
            Self::Damage => {
                store.put("mode.json", b"{\"mode\":".to_vec(), Condition::Always).await.map(drop).unwrap();
            }
            Self::Bucket => store.destroy().await.unwrap(),
            Self::Another => "another-control".clone_into(&mut scene.stack.facts.control),
        }
    }
}

fn check(case: &Case, loss: Loss, end: Option<Index>, forward: bool, flaw: Option<Flaw>) {
    run(async {
        let mut disaster = Disaster::of(case, None).await;
        let sim = failed_over(&disaster, end).await;
        if !has_begun(&disaster, &sim).await {
            return;
        }
        // The primary answers again.
        let sim = disaster.scene.later(&sim);
        let control = disaster.scene.stack.facts.control.clone();
        loss.befalls(&mut disaster, &sim).await;
        let refused: &[&str] = match loss {
            // It could be another stack with the same name.
            Loss::Another => &["apply", "destroy", "failback"],
            _ => &["apply", "destroy"],
        };
        for run in refused {
            let desk = OperatorCloud::at(&sim, flaw, None);
            let program = disaster.scene.program_with(&desk, run, flaw);
            let end = match *run {
                "apply" => program.apply().await,
                "destroy" => program.destroy().await,
                _ => program.failback().await,
            };
            assert!(matches!(end, End::Failed(_)), "{run}: {end:?}");
            assert!(desk.changes().is_empty(), "{run} changed {:?}", desk.changes());
        }
        disaster.scene.stack.facts.control = control;
        // The bundle is lost with its bucket, and a failover needs it here.
        if forward && matches!(loss, Loss::Record | Loss::Damage) {
            let sim = disaster.later(&sim);
            expect_done(disaster.failover(&sim, "again").await);
            disaster.expect_same(&sim).await;
        } else {
            failed_back(&disaster, &sim, loss).await;
        }
    });
}

/// Returns the world after a failover that was killed at this call, or was not.
async fn failed_over(disaster: &Disaster, end: Option<Index>) -> Sim {
    let calls = usize::try_from(disaster.calls).unwrap();
    let sim = disaster.begin_with(|config| config.kill_at = end.map(|end| end.index(calls) as u64 + 1));
    tokio::select! {
        biased;
        () = sim.stopped() => {}
        end = disaster.failover(&sim, FIRST) => {
            expect_done(end);
        }
    }
    sim
}

/// True if a change of mode is recorded twice: from then on the failover may have changed something.
async fn has_begun(disaster: &Disaster, sim: &Sim) -> bool {
    let kept = disaster.mode(&disaster.later(sim)).await;
    assert_eq!(kept.doubt, None);
    kept.testimony.is_some_and(|it| it.record.standing.epoch > 0)
}

/// Fails back, and asserts that the epoch rose and an apply has nothing left to do.
///
/// With the control bucket the journals are lost: nothing says whose a table is that the killed failover had begun to
/// restore and not tagged, and the next failover would find its name taken. The apply names it.
async fn failed_back(disaster: &Disaster, sim: &Sim, loss: Loss) {
    let desk = disaster.desk(sim);
    expect_done(disaster.scene.program_with(&desk, "back", None).failback().await);
    let kept = disaster.mode(sim).await;
    assert_eq!((kept.doubt.clone(), kept.is_complete()), (None, true));
    assert_eq!((kept.standing().mode, kept.standing().epoch), (Mode::Standby, 2));
    let sim = disaster.scene.later(sim);
    let world = sim.world();
    let is_begun =
        objects(&world).any(|(kind, .., it)| kind == "table-import" && matches!(it.owner, Holder::Foreign));
    match (loss, disaster.scene.apply(&sim, "last").await) {
        (Loss::Bucket, End::Failed(why)) if is_begun => {
            assert!(why.contains("table-import: a failover would be blocked"), "{why}");
        }
        (_, end) => drop(expect_done(end)),
    }
}

#[test]
fn nothing_is_changed_while_nobody_says_which_region_serves() {
    holds((cases(), losses(), ends(), any::<bool>()), |(case, loss, end, forward)| {
        check(&case, loss, end, forward, None);
    });
}

#[test]
fn a_lost_record_that_is_taken_for_none_is_found_by_the_property_of_forgotten_modes() {
    finds(cases(), |case| check(&case, Loss::Record, None, true, Some(Flaw::TrustsAbsence)));
}
