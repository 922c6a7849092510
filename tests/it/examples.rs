//! The examples run as documented.

#[expect(dead_code, reason = "its main prints what is looked at here")]
#[path = "../../examples/own_component.rs"]
mod own_component;
#[expect(dead_code, reason = "its main prints what is looked at here")]
#[path = "../../examples/plan_in_memory.rs"]
mod plan_in_memory;

#[test]
fn a_plan_is_made_in_memory() {
    let steps = plan_in_memory::steps().expect("a plan");
    let creates =
        |address: &str| steps.iter().any(|line| line.contains(&format!("Create {address} in us-west-2")));
    assert!(creates("bucket.models/bucket") && creates("table.features/table-replica"), "{steps:#?}");
    assert_eq!(steps.len(), 6, "{steps:#?}");
}

#[test]
fn a_component_of_ones_own_is_made_after_what_it_shows_and_is_then_as_wanted() {
    let story = own_component::story().expect("a story");
    let [.., before, made, again] = story.as_slice() else { panic!("{story:#?}") };
    assert_eq!([before, made], ["made pool.serving/group", "made dashboard.serving/dashboard"]);
    assert_eq!(again, "planned again: 0 steps");
}
