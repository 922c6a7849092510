//! A stack's life: applied, failed over in part and as a whole, applied while it serves, failed
//! back, destroyed. Each plan of it keeps the order.

use drstack_app::ops::failover::Failover;
use drstack_core::graph::{Graph, Resource, Waits};
use drstack_core::objective::Mode;
use drstack_core::plan::{Intent, Options};
use proptest::prelude::*;
use proptest::sample::Index;

use super::Phase;
use crate::props::planted::{Edge, Flaw, When};
use crate::props::program::Program;
use crate::props::scene::{Case, Scene, cases};
use crate::props::{found, holds, run};

/// What happens in a life beside what always does.
#[derive(Clone, Debug)]
struct Life {
    /// The component that fails over before the rest.
    part: Index,
    planned: bool,
    /// The stack changes while the standby region serves, and again before it is destroyed.
    changes: [bool; 2],
}

fn lives() -> impl Strategy<Value = (Case, Life)> {
    let life = (any::<Index>(), any::<bool>(), any::<[bool; 2]>());
    (cases(), life.prop_map(|(part, planned, changes)| Life { part, planned, changes }))
}

/// Returns lives in which the stack changes while the standby region serves, and the first apply
/// still has traffic to move.
fn changed_lives() -> impl Strategy<Value = (Case, Life)> {
    let changed = |(case, life)| (case, Life { planned: false, changes: [true, false], ..life });
    lives().prop_map(changed)
}

fn check(case: &Case, life: &Life, flaw: Option<Flaw>) {
    run(async {
        let mut scene = Scene::of(case, flaw).await;
        let mut sim = scene.later(&scene.stands);
        let components: Vec<String> = scene.stack.components.keys().map(ToString::to_string).collect();
        let only = vec![life.part.get(&components).clone()];
        let part = scene.program(&scene.desk(&sim, None), "look");
        let part = part.plan_failover(&only).await.unwrap_or_else(|end| panic!("{end:?}"));
        let whole = scene.program_with(&scene.desk(&sim, None), "look", None);
        let whole = whole.plan_failover(&[]).await.unwrap_or_else(|end| panic!("{end:?}"));
        expect_closed(&whole.compiled.graph, &part.compiled.graph);
        let desk = scene.desk(&sim, None);
        let program = scene.program(&desk, "part");
        program.failover(&only).await;
        sim = scene.later(&sim);
        let desk = scene.desk(&sim, None);
        let program = scene.program(&desk, "failover");
        program.fail_over(&Failover { planned: life.planned, ..program.how(&[]) }).await;
        for (run, changes) in ["apply", "failback"].iter().zip(life.changes) {
            if changes {
                scene.change_stack(case);
            }
            sim = scene.later(&sim);
            let desk = scene.desk(&sim, None);
            let program = scene.program(&desk, run);
            match *run {
                "apply" => {
                    apply_parts(&scene, &program).await;
                    program.apply().await
                }
                _ => program.failback().await,
            };
        }
        sim = scene.later(&sim);
        scene.program(&scene.desk(&sim, None), "destroy").destroy().await;
    });
}

/// Plans an apply of each component that moves traffic, while the standby region serves.
async fn apply_parts(scene: &Scene, program: &Program<'_>) {
    let traffic = scene.stack.components.values().filter(|it| it.component.name() == "traffic");
    for traffic in traffic {
        let options = Options {
            intent: Intent::Converge,
            mode: Mode::Active,
            targets: vec![traffic.address.to_string()],
            delete_data: scene.delete_data.clone(),
        };
        // A part may be blocked, and the mode may have to be resumed first.
        let _ = program.plan_with(&options).await;
    }
}

/// Asserts that what a moving traffic switch waits for is wanted as in a failover of the whole
/// stack.
fn expect_closed(whole: &Graph, part: &Graph) {
    let kinds = drstack_kinds::kinds();
    let phase = |it: &Resource| Phase::of(kinds.get(&it.kind).unwrap(), it.place);
    let is_as = |it: &Resource| part.resources.get(&it.address).is_some_and(|other| other.spec == it.spec);
    let switches = whole.resources.values().filter(|it| {
        let both = kinds.get(&it.kind).unwrap().needs_both_regions();
        phase(it) == Some(Phase::Traffic) && !both && is_as(it)
    });
    for switch in switches {
        let is_waited = |it: &&Resource| match switch.waits {
            Waits::Named => switch.after.contains(&it.address),
            _ => phase(it).is_some_and(|it| it < Phase::Traffic) && it.tier <= switch.tier,
        };
        let after = |it: &&Resource| !it.after.contains(&switch.address);
        let left = whole.resources.values().filter(is_waited).filter(after).filter(|it| !is_as(it));
        let left: Vec<String> = left.map(|it| it.address.to_string()).collect();
        assert_eq!(left, [""; 0], "left in standby, while {} moves", switch.address);
    }
}

#[test]
fn every_plan_of_a_life_keeps_the_order() {
    holds(lives(), |(case, life)| check(&case, &life, None));
}

/// Asserts that the law misses this edge in these plans, and says so in one of these ways.
fn misses(edge: Edge, when: &[When], says: &[&str]) {
    for when in when {
        let flaw = Some(Flaw::Lacks(edge, *when));
        let why = match when {
            When::Active => found(changed_lives(), |(case, life)| check(&case, &life, flaw)),
            _ => found(lives(), |(case, life)| check(&case, &life, flaw)),
        };
        let why = why.unwrap_or_else(|| panic!("{when:?}: the law holds all the same"));
        assert!(says.iter().any(|it| why.contains(it)), "{when:?}: {why}");
    }
}

/// The plans that lead to the standby region.
const THERE: &[When] = &[When::Active, When::Failover, When::Planned, When::Part];

#[test]
fn capacity_before_data_is_found_by_the_law_of_order() {
    misses(Edge::Phases(Phase::Data, Phase::Capacity), THERE, &["data before capacity"]);
}

#[test]
fn traffic_before_capacity_is_found_by_the_law_of_order() {
    // An `after` of the stack names capacity, too.
    let says = ["up before traffic", "what it needs"];
    misses(Edge::Phases(Phase::Capacity, Phase::Traffic), THERE, &says);
    misses(Edge::Phases(Phase::Capacity, Phase::Traffic), &[When::Standby], &["growth before traffic"]);
}

#[test]
fn traffic_before_checks_is_found_by_the_law_of_order() {
    misses(Edge::Phases(Phase::Check, Phase::Traffic), THERE, &["up before traffic"]);
}

#[test]
fn checks_before_capacity_are_found_by_the_law_of_order() {
    misses(Edge::Phases(Phase::Capacity, Phase::Check), THERE, &["up before it is asked"]);
}

#[test]
fn a_fence_that_stands_while_traffic_returns_is_found_by_the_law_of_order() {
    misses(Edge::LiftTraffic, &[When::Failback], &["a fence is lifted before traffic"]);
}

#[test]
fn capacity_that_shrinks_before_traffic_leaves_is_found_by_the_law_of_order() {
    misses(Edge::TrafficShrink, &[When::Standby, When::Failback], &["traffic before shrinking"]);
}

#[test]
fn capacity_that_goes_before_its_users_is_found_by_the_law_of_order() {
    misses(Edge::UsersServing, &[When::Standby, When::Failback, When::Destroy], &["users leave first"]);
}

#[test]
fn an_old_one_that_goes_before_the_new_one_is_found_by_the_law_of_order() {
    // While the standby region serves, nothing there is made again.
    misses(Edge::NewOld, &[When::Standby, When::Failback], &["new before old"]);
}

#[test]
fn a_step_before_what_it_needs_is_found_by_the_law_of_order() {
    misses(Edge::Need, &[When::Standby, When::Failback], &["what it needs"]);
    misses(Edge::Need, THERE, &["what it needs"]);
}

#[test]
fn what_goes_before_its_users_is_found_by_the_law_of_order() {
    misses(Edge::UserUsed, &[When::Destroy], &["what uses it goes first"]);
}

#[test]
fn a_part_without_what_it_needs_is_found_by_the_law_of_order() {
    // Traffic that does not wait for its part is found by the property of order: what it does not wait for
    // is raised all the same, so the plan has it.
    misses(Edge::Along, &[When::Part], &["moves without"]);
}
