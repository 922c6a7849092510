//! Forecasts with numbers that are worked out by hand.

use super::*;
use crate::address::Address;
use crate::budget::AT_ONCE;
use crate::kind::Place;
use crate::plan::{Gate, Raise};

fn step(name: &str, seconds: f64, needs: &[StepId]) -> Step {
    Step {
        address: Address::parse(&format!("pool.{name}/group")).unwrap(),
        kind: "group".to_owned(),
        place: Place::Standby,
        region: "us-west-2".to_owned(),
        action: Action::Update,
        reason: String::new(),
        changes: Vec::new(),
        spec: serde_json::Value::Null,
        id: None,
        needs: needs.to_vec(),
        after: Vec::new(),
        replaces: false,
        estimate: seconds,
        raise: None,
        token: String::new(),
        tier: 2,
    }
}

/// A step that launches this many instances.
fn launch(name: &str, seconds: f64, launches: u32) -> Step {
    let raise = Some(Raise { at_most: launches, needed: launches, rounds: 0 });
    Step { raise, ..step(name, seconds, &[]) }
}

fn plan(steps: &[Step]) -> Plan {
    Plan { steps: steps.to_vec(), ..Plan::default() }
}

fn predicted(plan: &Plan, slots: usize) -> Forecast {
    let forecast = Forecast::of(plan, slots, &Estimates);
    let sum: Duration = forecast.path.iter().map(|leg| leg.queued + leg.launching + leg.work).sum();
    assert_eq!(sum, forecast.total, "the path adds up");
    forecast
}

fn seconds(forecast: &Forecast) -> Vec<(f64, f64)> {
    forecast.steps.iter().map(|it| (it.start.as_secs_f64(), it.end.as_secs_f64())).collect()
}

fn leg(step: StepId, queued: u64, launching: u64, work: u64) -> Leg {
    let [queued, launching, work] = [queued, launching, work].map(Duration::from_secs);
    Leg { step, queued, launching, work }
}

#[test]
fn with_slots_enough_it_is_the_critical_path() {
    let plan = plan(&[step("a", 5.0, &[]), step("b", 1.0, &[]), step("c", 2.0, &[0, 1])]);
    let forecast = predicted(&plan, 64);
    assert_eq!(seconds(&forecast), [(0.0, 5.0), (0.0, 1.0), (5.0, 7.0)]);
    assert_eq!(forecast.path, [leg(0, 0, 0, 5), leg(2, 0, 0, 2)]);
    assert_eq!(forecast.total, plan.critical_path().1);
    assert_eq!(predicted(&Plan::default(), 64), Forecast::default());
}

#[test]
fn a_step_without_a_slot_waits_and_the_path_says_how_long() {
    // Five steps of ten seconds in two slots: at 0, 0, 10, 10 and 20.
    let steps: Vec<Step> = (0..5).map(|number| step(&format!("p{number}"), 10.0, &[])).collect();
    let forecast = predicted(&plan(&steps), 2);
    assert_eq!(seconds(&forecast), [(0.0, 10.0), (0.0, 10.0), (10.0, 20.0), (10.0, 20.0), (20.0, 30.0)]);
    assert_eq!(forecast.path, [leg(4, 20, 0, 10)]);
    assert_eq!(forecast.waits(), (Duration::from_secs(20), Duration::ZERO));
    // No room at all would never end, so the engine has one slot at least.
    assert_eq!(predicted(&plan(&steps), 0).total, Duration::from_secs(50));
}

#[test]
fn the_longest_way_goes_first_as_in_the_engine() {
    let steps = [step("a", 1.0, &[]), step("b", 1.0, &[]), step("c", 9.0, &[1])];
    let forecast = predicted(&plan(&steps), 1);
    assert_eq!(seconds(&forecast), [(10.0, 11.0), (0.0, 1.0), (1.0, 10.0)]);
    assert_eq!(forecast.path, [leg(0, 10, 0, 1)]);
}

#[test]
fn what_the_budget_lacks_comes_at_two_a_second() {
    // 1,000 at once, then 120 after 60 s and 30 after 75 s; the last 150 s are those of the update.
    let forecast = predicted(&plan(&[launch("a", 150.0, AT_ONCE + 150)]), 64);
    assert_eq!(forecast.path, [leg(0, 0, 75, 150)]);
    assert_eq!(forecast.total, Duration::from_secs(225));
    // The check of the stack, DR240, has the same numbers.
    let large = predicted(&plan(&[launch("a", 0.0, 2300)]), 64);
    assert_eq!(large.total, crate::budget::shortest(2300));
}

#[test]
fn steps_share_the_budget_in_the_order_in_which_they_ask() {
    // `a` is the longest, so it takes the 1,000. `b` waits 60 s for a part of 120 and queues again
    // for 30 behind `c`, which gets its 20 after 10 s more; 30 more take 15 s.
    let steps = [launch("a", 300.0, 1000), launch("b", 200.0, 150), launch("c", 100.0, 20)];
    let forecast = predicted(&plan(&steps), 64);
    assert_eq!(seconds(&forecast), [(0.0, 300.0), (0.0, 285.0), (0.0, 170.0)]);
    assert_eq!(forecast.steps[1].launching, Duration::from_secs(85));
    let elsewhere = Step { region: "us-east-1".to_owned(), ..steps[1].clone() };
    let apart = predicted(&plan(&[steps[0].clone(), elsewhere]), 64);
    assert_eq!(seconds(&apart)[1], (0.0, 200.0), "each region has a budget of its own");
}

#[test]
fn what_runs_already_takes_no_launch_once_the_budget_is_short() {
    // 900 are taken unread. 200 more are not there, so the step reads and needs 100, which are.
    let first = launch("a", 100.0, 900);
    let raise = Some(Raise { at_most: 200, needed: 100, rounds: 0 });
    let second = Step { raise, ..step("b", 50.0, &[]) };
    let forecast = predicted(&plan(&[first.clone(), second.clone()]), 64);
    assert_eq!(forecast.steps[1].launching, Duration::ZERO);
    let third = Step { address: Address::parse("pool.c/group").unwrap(), ..second };
    let forecast = predicted(&plan(&[first, third.clone(), third]), 64);
    assert_eq!(forecast.steps[2].launching, Duration::from_secs(50));
}

#[test]
fn a_part_takes_its_call_and_a_round_its_update() {
    struct Slow;
    impl Durations for Slow {
        fn step(&self, _: &Step) -> Duration {
            Duration::from_secs(100)
        }
        fn part(&self, _: &Step) -> Duration {
            Duration::from_secs(30)
        }
        fn round(&self, _: &Step) -> Duration {
            Duration::from_secs(5)
        }
    }
    // 1,000 at 0; the call ends at 30 with 60 launches of the refill, and 100 are there at 50.
    let raise = Some(Raise { at_most: 1100, needed: 1100, rounds: 2 });
    let forecast = Forecast::of(&plan(&[Step { raise, ..step("a", 0.0, &[]) }]), 64, &Slow);
    assert_eq!(seconds(&forecast), [(0.0, 160.0)]);
    assert_eq!(forecast.path, [leg(0, 0, 20, 140)]);
}

#[test]
fn the_journal_is_written_before_steps_start_and_after_they_end() {
    struct Writes;
    impl Durations for Writes {
        fn step(&self, step: &Step) -> Duration {
            Duration::from_secs_f64(step.estimate)
        }
        fn write(&self) -> Duration {
            Duration::from_secs(1)
        }
    }
    // `b` ends at 2.5, while the end of `a` is written from 2 to 3: it is joined at 3.
    let steps = [step("a", 1.0, &[]), step("b", 1.5, &[]), step("c", 1.0, &[0]), step("d", 1.0, &[1])];
    let forecast = Forecast::of(&plan(&steps), 64, &Writes);
    assert_eq!(seconds(&forecast), [(0.0, 2.0), (0.0, 3.0), (2.0, 4.0), (3.0, 5.0)]);
}

#[test]
fn a_gate_and_an_earlier_wave_hold_what_is_behind_them() {
    let held = Step { after: vec![0], ..step("b", 5.0, &[]) };
    let mut plan = plan(&[step("a", 10.0, &[]), held, step("c", 3.0, &[]), step("d", 7.0, &[])]);
    plan.gates = vec![Gate { needs: vec![0], after: vec![1], holds: vec![2, 3] }];
    let forecast = predicted(&plan, 64);
    assert_eq!(seconds(&forecast), [(0.0, 10.0), (10.0, 15.0), (15.0, 18.0), (15.0, 22.0)]);
    assert_eq!(forecast.path, [leg(0, 0, 0, 10), leg(1, 0, 0, 5), leg(3, 0, 0, 7)]);
}

#[test]
fn a_component_serves_once_its_last_step_has_ended_and_a_deletion_is_none() {
    let mut steps = [step("a", 10.0, &[]), step("a", 5.0, &[0]), step("b", 1.0, &[]), step("b", 9.0, &[2])];
    steps[3].action = Action::Delete;
    let serves: Vec<_> = predicted(&plan(&steps), 64)
        .serves
        .into_iter()
        .map(|(at, it)| (at.to_string(), it.as_secs()))
        .collect();
    assert_eq!(serves, [("pool.a".to_owned(), 15), ("pool.b".to_owned(), 1)]);
}

/// Returns the seconds that remain of `plan`, with how far its first steps are.
fn left(plan: &Plan, slots: usize, courses: &[Course]) -> f64 {
    let remaining = Remaining::of(plan, &Forecast::of(plan, slots, &Estimates), slots);
    remaining.left(|id| courses.get(id).copied().unwrap_or(Course::Ahead)).as_secs_f64()
}

#[test]
fn what_remains_follows_from_what_has_ended_and_how_long_the_rest_has_run() {
    use Course::{Ended, Running};
    let running = |seconds| Running(Duration::from_secs(seconds));
    let plan = plan(&[step("a", 600.0, &[]), step("b", 30.0, &[]), step("c", 180.0, &[0, 1])]);
    assert_eq!(left(&plan, 64, &[]), 780.0, "all of it");
    assert_eq!(left(&plan, 64, &[running(200), Ended]), 580.0, "what has elapsed is subtracted");
    assert_eq!(left(&plan, 64, &[Ended, Ended]), 180.0, "an early end brings the rest forward");
    assert_eq!(left(&plan, 64, &[running(900), Ended]), 180.0, "a late step delays the rest");
    assert_eq!(left(&plan, 64, &[running(600), running(900)]), 180.0, "one beside the path does not");
    assert_eq!(left(&plan, 64, &[running(1201), Ended]), 0.0, "nothing is predicted of what hangs");
    assert_eq!(left(&plan, 64, &[running(100), running(900)]), 680.0, "as long as something is on time");
    assert_eq!(left(&plan, 64, &[Ended, Ended, running(500)]), 0.0);
    assert_eq!(left(&plan, 64, &[Ended; 3]), 0.0);
}

#[test]
fn what_remains_waits_at_gates_and_for_slots() {
    let steps = [step("a", 100.0, &[]), step("b", 10.0, &[]), step("c", 5.0, &[]), step("d", 5.0, &[])];
    let gate = Gate { needs: vec![0], after: vec![1], holds: vec![2, 3] };
    let gated = Plan { gates: vec![gate], ..plan(&steps) };
    assert_eq!(left(&gated, 64, &[]), 105.0);
    assert_eq!(left(&gated, 64, &[Course::Ended]), 15.0);
    assert_eq!(left(&plan(&steps), 1, &[Course::Ended]), 20.0, "one slot: one after the other");
}
