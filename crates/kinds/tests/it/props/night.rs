//! A load that rises and falls: the standby of a followed group is sized for the highest load of
//! the last days, at whatever time an apply runs.

use std::collections::BTreeSet;

use drstack_core::facts::{DAYS, FactQuery};
use drstack_sim::{Sim, SimConfig};
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::json;

use super::desk::OperatorCloud;
use super::planted::Flaw;
use super::program::{Program, scope};
use super::scene::{expect_done, objects};
use super::{finds, holds, run};
use crate::loaded::{seeds, stack};

const STACK: &str = "[stack]\nname = \"demo\"\nprimary = \"us-east-1\"\nstandby = \"us-west-2\"\nposture = \"warm\"\n\
    [network.standby]\nvpc = \"vpc-1\"\nsubnets = [\"subnet-1\", \"subnet-2\"]\nsecurity_groups = [\"sg-1\"]\n\
    [pool.inference]\nfollows = \"web\"\nnetwork = \"@network.standby\"\n";

/// Applies: the hours since the one before, and the desired capacity of the primary's group at that
/// time.
fn applies() -> impl Strategy<Value = Vec<(i64, u32)>> {
    prop::collection::vec((1..60_i64, 1..40_u32), 1..7)
}

/// Returns the desired capacity of the pool's group in the standby region.
fn standby(sim: &Sim) -> u64 {
    let world = sim.world();
    let mut all = objects(&world).filter(|(kind, region, ..)| (*kind, *region) == ("group", "us-west-2"));
    let (.., group) = all.next().unwrap();
    group.live["desired"].as_u64().unwrap()
}

fn check(applies: &[(i64, u32)], flaw: Option<Flaw>) {
    run(async {
        let stack = stack(STACK);
        let group = FactQuery::primary("group", "web");
        let mut sim =
            Sim::in_memory(SimConfig::default(), drstack_kinds::kinds(), &scope(&stack), seeds(&stack))
                .unwrap();
        let mut seen: Vec<(i64, u32)> = Vec::new();
        let mut now = 0;
        for (number, (hours, capacity)) in applies.iter().enumerate() {
            now += hours;
            let between_runs = SignedDuration::from_hours(*hours);
            sim = sim.restart(SimConfig { between_runs, ..SimConfig::default() }).unwrap();
            let mut value = sim.world().facts[&group.key()].clone();
            (value["capacity"], value["max"]) = (json!(capacity), json!(40));
            sim.set_fact(&group, Some(value)).unwrap();
            let (desk, run) = (OperatorCloud::at(&sim, flaw, None), format!("apply-{number}"));
            let program = Program {
                stack: &stack,
                desk,
                run,
                delete_data: &BTreeSet::new(),
                flaw,
                minimum: Default::default(),
                judged: Default::default(),
                took: Default::default(),
            };
            expect_done(program.apply().await);
            seen.push((now, *capacity));
            // Of each day only the highest capacity is kept with its time, so a peak may count for
            // up to a day less.
            let within = seen.iter().filter(|(at, _)| now - at <= 24 * (DAYS - 1));
            let highest = within.map(|(_, capacity)| *capacity).max().unwrap();
            let least = u64::from(highest).div_ceil(4);
            assert!(standby(&sim) >= least, "{} of {least} after {seen:?}", standby(&sim));
        }
    });
}

#[test]
fn the_standby_is_sized_for_the_highest_capacity_of_the_last_days() {
    holds(applies(), |applies| check(&applies, None));
}

#[test]
fn a_momentary_capacity_that_is_taken_for_the_whole_is_found_by_the_property_of_nights() {
    finds(applies(), |applies| check(&applies, Some(Flaw::Momentary)));
}
