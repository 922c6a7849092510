//! Throttling: an apply completes with a third of its calls throttled, and in regions that accept
//! few calls a second.
//!
//! A stack that needs many resources of one kind shows what the pace learns from it.

use std::collections::BTreeSet;

use drstack_core::kind::Place;
use drstack_sim::{ATTEMPTS, CallRecord, Operation, Sim, SimConfig};
use jiff::SignedDuration;
use proptest::prelude::*;

use super::desk::OperatorCloud;
use super::planted::Flaw;
use super::program::{Program, scope};
use super::scene::{Case, Scene, cases, expect_done};
use super::{finds, holds, run};
use crate::loaded::{seeds, stack};

const HEAD: &str =
    "[stack]\nname = \"demo\"\nprimary = \"us-east-1\"\nstandby = \"us-west-2\"\nposture = \"warm\"\n";

/// True if a call was refused until the program gave it up. That happens to one call in some
/// hundred thousand, so it occurs within thousands of cases.
pub(super) fn was_given_up(sim: &Sim) -> bool {
    sim.calls().iter().any(|call| call.attempt == ATTEMPTS && call.failure.is_some())
}

/// Throttles a share of the calls, and expects the world of an undisturbed apply.
fn check_share(case: &Case) {
    run(async {
        let scene = Scene::of(case, None).await;
        let mut sim = scene.begin_with(|config| config.throttle = 0.3);
        let end = scene.apply(&sim, "first").await;
        if was_given_up(&sim) {
            sim = scene.later(&sim);
            scene.applied(&sim, "next").await;
        } else {
            expect_done(end);
        }
        scene.expect_same(&sim).await;
    });
}

fn check_rate(case: &Case, rate: u32) {
    run(async {
        let scene = Scene::of(case, None).await;
        let sim = scene.begin_with(|config| config.rate = Some(rate));
        scene.applied(&sim, "first").await;
        scene.expect_same(&sim).await;
    });
}

#[test]
fn an_apply_with_a_third_of_its_calls_throttled_completes() {
    holds(cases(), |case| check_share(&case));
}

#[test]
fn an_apply_at_a_limited_rate_completes() {
    holds((cases(), 3..30_u32), |(case, rate)| check_rate(&case, rate));
}

/// Calls that create one bucket.
const CALLS: u32 = 6;

/// A number of buckets in a region that accepts the calls of `rate` buckets a second. There are
/// more buckets than steps run at once.
#[derive(Clone, Debug)]
struct Crowd {
    buckets: usize,
    rate: u32,
    latency: i64,
    seed: u64,
}

fn crowds() -> impl Strategy<Value = Crowd> {
    (80..110_usize, 5..12_u32, 5..100_i64, any::<u64>()).prop_map(|(buckets, rate, latency, seed)| Crowd {
        buckets,
        rate,
        latency,
        seed,
    })
}

/// Once the pace has had time to learn, fewer than one start in this number is refused.
///
/// Lock, journal and reads count against the same limit, so some are always refused.
const REFUSED: usize = 5;

fn check_pace(crowd: &Crowd, flaw: Option<Flaw>) {
    run(async {
        let bucket = |it| format!("[bucket.b{it}]\nname = \"acme-{it}\"\n");
        let stack = stack(&format!("{HEAD}{}", (0..crowd.buckets).map(bucket).collect::<String>()));
        let latency = SignedDuration::from_millis(crowd.latency);
        let config =
            SimConfig { seed: crowd.seed, latency, rate: Some(CALLS * crowd.rate), ..SimConfig::default() };
        let sim = Sim::in_memory(config, drstack_kinds::kinds(), &scope(&stack), seeds(&stack)).unwrap();
        let desk = OperatorCloud::at(&sim, flaw, None);
        let program = Program {
            stack: &stack,
            desk,
            run: "first".to_owned(),
            delete_data: &BTreeSet::new(),
            flaw,
            minimum: Default::default(),
            judged: Default::default(),
            took: Default::default(),
        };
        expect_done(program.apply().await);
        let calls = sim.calls();
        let is_start = |it: &&CallRecord| {
            it.operation == Operation::Create && it.place == Place::Standby && it.attempt == 1
        };
        let starts: Vec<&CallRecord> = calls.iter().filter(is_start).collect();
        let late = &starts[starts.len() / 2..];
        let refused = late.iter().filter(|it| it.failure.is_some()).count();
        assert!(refused * REFUSED < late.len(), "{refused} of the last {} starts were refused", late.len());
    });
}

#[test]
fn the_pace_settles_below_the_limit() {
    holds(crowds(), |crowd| check_pace(&crowd, None));
}

#[test]
fn a_run_that_hears_nothing_of_throttling_is_found_by_the_property_of_pace() {
    finds(crowds(), |crowd| check_pace(&crowd, Some(Flaw::Deaf)));
}
