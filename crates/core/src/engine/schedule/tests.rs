//! What the schedule promises, on plans of nothing but needs and estimates.

use serde_json::Value;

use super::*;
use crate::address::Address;
use crate::kind::{Action, Place};
use crate::plan::Step;

/// A plan of steps given by estimate and needs.
fn plan(steps: &[(f64, &[StepId])]) -> Plan {
    let step = |(number, (estimate, needs)): (usize, &(f64, &[StepId]))| Step {
        address: Address::parse(&format!("x.x/s{number}")).unwrap(),
        kind: "toy".to_owned(),
        place: Place::Standby,
        region: "us-west-2".to_owned(),
        action: Action::Create,
        reason: String::new(),
        changes: Vec::new(),
        spec: Value::Null,
        id: None,
        needs: needs.to_vec(),
        replaces: false,
        estimate: *estimate,
        token: String::new(),
        tier: 1,
    };
    Plan { steps: steps.iter().enumerate().map(step).collect(), ..Plan::default() }
}

#[test]
fn the_longest_remaining_path_goes_first() {
    let plan = plan(&[(5.0, &[]), (1.0, &[]), (9.0, &[1]), (7.0, &[])]);
    let mut schedule = Schedule::new(&plan);
    assert_eq!(schedule.take_ready(2), [1, 3]);
    assert_eq!(schedule.finish(1, true), [0; 0]);
    assert_eq!(schedule.take_ready(9), [2, 0]);
    assert_eq!(schedule.running(), 3);
}

#[test]
fn a_failure_ends_what_needs_it_and_nothing_else() {
    let plan = plan(&[(1.0, &[]), (1.0, &[]), (1.0, &[0]), (1.0, &[1, 2]), (1.0, &[1])]);
    let mut schedule = Schedule::new(&plan);
    assert_eq!(schedule.take_ready(9), [0, 1]);
    assert_eq!(schedule.finish(0, false), [2, 3]);
    assert_eq!(schedule.finish(1, true), [0; 0]);
    assert_eq!(schedule.take_ready(9), [4]);
    assert_eq!(schedule.finish(4, true), [0; 0]);
    assert!(schedule.is_done());
}

#[test]
fn what_a_stop_gives_up_is_given_up_once() {
    let plan = plan(&[(3.0, &[]), (2.0, &[]), (1.0, &[0]), (1.0, &[1]), (1.0, &[2, 3])]);
    let mut schedule = Schedule::new(&plan);
    assert_eq!(schedule.take_ready(1), [0]);
    assert_eq!(schedule.stop(), [1, 2, 3, 4]);
    assert_eq!(schedule.stop(), [0; 0]);
    assert!(!schedule.is_done());
    assert_eq!(schedule.finish(0, false), [0; 0]);
    assert_eq!(schedule.stop(), [0; 0]);
    assert_eq!(schedule.take_ready(9), [0; 0]);
    assert!(schedule.is_done());
}

#[test]
fn what_is_done_after_a_stop_starts_nothing() {
    let plan = plan(&[(1.0, &[]), (1.0, &[0])]);
    let mut schedule = Schedule::new(&plan);
    schedule.take_ready(1);
    assert_eq!(schedule.stop(), [1]);
    assert_eq!(schedule.finish(0, true), [0; 0]);
    assert_eq!(schedule.take_ready(1), [0; 0]);
    assert!(schedule.is_done());
}
