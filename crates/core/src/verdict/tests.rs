//! One test for each verdict.

use super::*;

fn pool(in_service: Option<u32>) -> Pool {
    let is_up = in_service.is_some_and(|it| it >= 24);
    Pool { address: Address::new(&ComponentAddress::new("pool.a"), "group"), wanted: 40, in_service, is_up }
}

/// A complete failover of one pool that was checked and answered.
fn well() -> Evidence {
    Evidence {
        complete: true,
        steps: 2,
        changes: 1,
        pools: vec![pool(Some(40))],
        has_service: true,
        ..Evidence::default()
    }
}

#[test]
fn recovered_is_what_serves_and_answered() {
    assert_eq!(Verdict::of(&well()), Verdict::Recovered);
    // A pool that ran at full size only needs a check.
    assert_eq!(Verdict::of(&Evidence { changes: 0, steps: 1, ..well() }), Verdict::Recovered);
    let data = Evidence { pools: Vec::new(), has_service: false, asked_data: 1, ..well() };
    assert_eq!(Verdict::of(&data), Verdict::Recovered);
}

#[test]
fn less_than_wanted_is_degraded() {
    let short = Evidence { pools: vec![pool(Some(21))], ..well() };
    assert_eq!(Verdict::of(&short), Verdict::Degraded);
    assert_eq!(Verdict::of(&Evidence { degraded: 1, ..well() }), Verdict::Degraded);
}

#[test]
fn nothing_in_service_is_no_recovery_and_neither_is_what_nobody_saw() {
    for in_service in [Some(0), None] {
        let pools = vec![pool(Some(40)), pool(in_service)];
        assert_eq!(Verdict::of(&Evidence { pools, ..well() }), Verdict::NotComplete);
    }
    // The stack wants no instances, so none are missing, but nothing serves all the same.
    let none = Pool { wanted: 0, is_up: true, ..pool(Some(0)) };
    let nothing = Evidence { pools: vec![none], steps: 0, changes: 0, ..well() };
    assert_eq!(Verdict::of(&nothing), Verdict::NotComplete);
}

#[test]
fn what_nobody_asks_is_capacity() {
    let unasked = Evidence { unasked: [ComponentAddress::new("pool.b")].into(), ..well() };
    assert_eq!(Verdict::of(&unasked), Verdict::Capacity);
    assert_eq!(Verdict::of(&Evidence { asked_data: 3, ..unasked.clone() }), Verdict::Capacity);
    assert_eq!(Verdict::of(&Evidence { pools: vec![pool(Some(24))], ..unasked }), Verdict::Capacity);
    let data = Evidence { pools: Vec::new(), has_service: false, ..well() };
    assert_eq!(Verdict::of(&data), Verdict::Capacity);
}

#[test]
fn a_failover_that_does_nothing_recovers_nothing() {
    let nothing = Evidence { steps: 0, changes: 0, ..well() };
    assert_eq!(Verdict::of(&nothing), Verdict::NothingToDo);
    let again = Evidence { served: true, changes: 0, steps: 1, ..well() };
    assert_eq!(Verdict::of(&again), Verdict::NothingToDo);
    assert_eq!(Verdict::of(&Evidence { changes: 1, ..again }), Verdict::Recovered);
}

#[test]
fn whatever_else_is_well_a_step_that_is_missing_makes_it_not_complete() {
    assert_eq!(Verdict::of(&Evidence { complete: false, ..well() }), Verdict::NotComplete);
    let pools = vec![pool(Some(0))];
    assert_eq!(Verdict::of(&Evidence { complete: false, pools, ..well() }), Verdict::NotComplete);
}

#[test]
fn what_serves_of_a_part_is_partial_and_never_more() {
    let in_primary = BTreeSet::from([ComponentAddress::new("pool.b")]);
    let part = Evidence { in_primary, ..well() };
    assert_eq!(Verdict::of(&part), Verdict::Partial);
    let unasked = BTreeSet::from([ComponentAddress::new("pool.a")]);
    assert_eq!(Verdict::of(&Evidence { unasked, ..part.clone() }), Verdict::Capacity);
    assert_eq!(Verdict::of(&Evidence { degraded: 1, ..part }), Verdict::Degraded);
}

#[test]
fn only_what_serves_and_answered_is_a_recovery() {
    use Verdict::*;
    let all = [Recovered, Partial, Degraded, Capacity, NothingToDo, NotComplete];
    assert_eq!(all.map(Verdict::is_recovery), [true, true, true, false, false, false]);
    let names = all.map(|it| serde_json::to_value(it).unwrap());
    assert_eq!(names, ["recovered", "partial", "degraded", "capacity", "nothing-to-do", "not-complete"]);
}

#[test]
fn a_pool_that_is_short_says_with_which_minimum_a_failover_goes_on() {
    assert_eq!(pool(Some(21)).acceptable(), Some(Minimum::Share(52)));
    assert_eq!([pool(Some(24)), pool(Some(0)), pool(None)].map(|it| it.acceptable()), [None; 3]);
}
