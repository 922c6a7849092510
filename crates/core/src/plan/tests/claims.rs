//! Tests of the planner with tags that are not true.

use super::*;
use crate::observe::Claim;

fn live(size: u32, link: Option<&str>) -> Value {
    json!({"size": size, "fixed": "a", "link": link})
}

fn a(id: &str, size: u32) -> Found {
    found(id, "x.x/a", live(size, None))
}

/// The first object is observed for `x.x/a`, the others are listed for it; `b` refers to `used`.
fn twins(kind: &'static str, all: &[Found], used: Option<&str>) -> Observed {
    let b = found("b", "x.x/b", live(1, used));
    let mut seen = seen(vec![("x.x/a", Look::Present(all[0].clone())), ("x.x/b", Look::Present(b))]);
    let owned = |it: &Found| Owned { kind, place: Place::Standby, address: at("x.x/a"), found: it.clone() };
    seen.others = all[1..].iter().map(owned).collect();
    seen
}

#[test]
fn what_has_the_tags_without_proof_is_named_and_left_alone() {
    let unproven = Found { owner: Owner::Unproven(Some(at("y.y/a"))), ..a("theirs", 1) };
    let half = Found { owner: Owner::Unproven(None), ..a("half", 1) };
    let claim = |found| Claim { kind: "tagged", place: Place::Standby, found };
    let seen = Observed { unproven: vec![claim(unproven), claim(half)], ..both() };
    for intent in [Intent::Converge, Intent::Destroy] {
        let (plan, report) = made(&pair(1, "a"), &seen, &options(intent));
        let ids: Vec<&str> = plan.steps.iter().filter_map(|it| it.id.as_deref()).collect();
        assert!(!ids.contains(&"theirs") && !ids.contains(&"half"), "{ids:?}");
        let named: Vec<&str> = report.kept.iter().map(|it| it.address.as_str()).collect();
        assert_eq!(named, ["y.y/a", "tagged"]);
        assert!(report.kept[0].text.contains("`theirs`") && report.kept[1].text.contains("`half`"));
    }
}

#[test]
fn a_destroy_names_what_has_the_name_and_half_of_the_tags() {
    let graph = want(vec![Resource::named::<Data>(at("x.x/d"), Place::Standby, "d", &spec(None))]);
    for owner in [Owner::Unproven(None), Owner::Unproven(Some(at("y.y/d")))] {
        let half = Found { owner, ..a("d", 1) };
        let seen = seen(vec![("x.x/d", Look::Present(half))]);
        let (plan, report) = made(&graph, &seen, &options(Intent::Destroy));
        assert!(plan.is_empty(), "{plan:?}");
        assert_eq!(report.kept[0].address, "x.x/d");
        assert!(report.kept[0].text.contains("`d` has the tags of this stack"), "{report:?}");
    }
}

#[test]
fn what_lost_the_tag_of_its_address_is_told_which_one_brings_it_back() {
    let address = at("x.x[\"eta\"]/d");
    let graph = want(vec![Resource::named::<Data>(address.clone(), Place::Standby, "d", &spec(None))]);
    let half = Found { owner: Owner::Unproven(None), ..a("d", 1) };
    let seen = seen(vec![("x.x[\"eta\"]/d", Look::Present(half))]);
    let (plan, report) = made(&graph, &seen, &options(Intent::Converge));
    assert!(plan.is_empty(), "{plan:?}");
    let hint = "give it the tag `drstack:address` with the value x.x=eta=/d";
    assert!(report.blocked[0].text.ends_with(hint), "{report:?}");
}

#[test]
fn nothing_is_made_beside_what_may_be_it_and_a_failover_uses_that() {
    let unproven = Found { owner: Owner::Unproven(Some(at("x.x/a"))), ..a("a-1", 1) };
    let mut seen = both();
    seen.seen.insert(at("x.x/a"), Look::Absent);
    seen.unproven.push(Claim { kind: "tagged", place: Place::Standby, found: unproven });
    let (plan, report) = made(&pair(1, "a"), &seen, &options(Intent::Converge));
    assert!(plan.is_empty(), "{plan:?}");
    assert!(report.blocked[0].text.contains("`drstack:stack`"), "{report:?}");
    let (plan, _) = made(&pair(2, "a"), &seen, &options(Intent::Failover));
    assert_eq!(lines(&plan), ["Update x.x/a []"]);
}

/// F10: the tag `drstack:address` is gone.
#[test]
fn nothing_is_made_beside_what_lost_the_tag_of_its_address() {
    let half = |id| Claim {
        kind: "tagged",
        place: Place::Standby,
        found: Found { owner: Owner::Unproven(None), ..a(id, 1) },
    };
    let mut seen = both();
    seen.seen.insert(at("x.x/a"), Look::Absent);
    seen.unproven = vec![half("a-1"), half("a-2")];
    let (plan, report) = made(&pair(1, "a"), &seen, &options(Intent::Converge));
    assert!(plan.is_empty(), "{plan:?}");
    assert!(report.blocked[0].text.starts_with("`a-1`, `a-2` have the tag of this stack"), "{report:?}");
    assert!(report.blocked[0].text.ends_with("the value x.x/a"), "{report:?}");
}

#[test]
fn of_two_that_stand_for_one_address_the_one_in_use_is_it_and_the_other_is_left_alone() {
    for order in [["a-1", "a-2"], ["a-2", "a-1"]] {
        let seen = twins("tagged", &order.map(|id| a(id, 1)), Some("a-2"));
        let (plan, report) = made(&pair(1, "a"), &seen, &options(Intent::Converge));
        assert!(plan.is_empty(), "{plan:?}");
        assert_eq!(plan.outputs[&at("x.x/a")]["id"], "a-2");
        assert!(kept(&report)[0].starts_with("x.x/a: `a-1` stands for the same address as `a-2`"));
    }
}

#[test]
fn of_two_that_may_both_be_it_none_is_chosen() {
    let seen = twins("tagged", &[a("a-1", 1), a("a-2", 1)], None);
    let (plan, report) = made(&pair(1, "a"), &seen, &options(Intent::Converge));
    assert!(plan.is_empty(), "{plan:?}");
    assert!(report.blocked[0].text.starts_with("`a-1` and `a-2` all stand for this address"), "{report:?}");
}

#[test]
fn a_twin_that_serves_is_never_deleted_for_an_empty_one() {
    let graph = want(vec![Resource::tagged::<Serving>(at("x.x/a"), Place::Standby, &spec(None))]);
    for order in [[a("a-0", 0), a("a-1", 1)], [a("a-1", 1), a("a-2", 0)]] {
        let seen = twins("serving", &order, None);
        let (plan, report) = made(&graph, &seen, &options(Intent::Converge));
        assert!(plan.is_empty(), "{plan:?}");
        assert_eq!(plan.outputs[&at("x.x/a")]["id"], "a-1");
        assert_eq!(kept(&report).len(), 1);
    }
}

#[test]
fn what_was_replaced_stays_until_what_replaces_it_serves() {
    let graph = want(vec![Resource::tagged::<Serving>(
        at("x.x/a"),
        Place::Standby,
        &Spec { size: 2, fixed: "z".into(), link: None },
    )]);
    let new = |size| Found { live: json!({"size": size, "fixed": "z", "link": null}), ..a("a-2", size) };
    let seen = |size| twins("serving", &[a("a-1", 2), new(size)], None);
    let (plan, _) = made(&graph, &seen(2), &options(Intent::Converge));
    assert_eq!(lines(&plan), ["Delete x.x/a []"]);
    assert_eq!(plan.steps[0].id.as_deref(), Some("a-1"));
    let (plan, report) = made(&graph, &seen(0), &options(Intent::Converge));
    assert_eq!(lines(&plan), ["Update x.x/a []"]);
    assert_eq!(kept(&report), ["x.x/a: `a-1` serves until what replaces it is ready"]);
}

#[test]
fn nobody_is_advised_to_remove_what_may_hold_data() {
    let data = Resource::named::<Data>(at("x.x/d"), Place::Standby, "d", &spec(None));
    let other = Resource::named::<Named>(at("x.x/n"), Place::Standby, "n", &spec(None));
    let theirs = |id: &str| Look::Present(Found { owner: Owner::Foreign, ..a(id, 1) });
    let seen = seen(vec![("x.x/d", theirs("d")), ("x.x/n", theirs("n"))]);
    let (plan, report) = made(&want(vec![data, other]), &seen, &options(Intent::Converge));
    assert!(plan.is_empty(), "{plan:?}");
    let said: Vec<(&str, bool)> =
        report.blocked.iter().map(|it| (it.address.as_str(), it.text.contains("remove"))).collect();
    assert_eq!(said, [("x.x/d", false), ("x.x/n", true)], "{report:?}");
}

/// What the stack made and is adopted since is handed over.
#[test]
fn data_that_a_component_adopts_is_neither_kept_nor_deleted_whoever_made_it() {
    let live = json!({"size": 1, "fixed": "a", "link": null});
    let graph = want(vec![Resource::named::<Adopted>(at("x.x/a"), Place::Standby, "t", &spec(None))]);
    let setting = Found { owner: Owner::Setting, ..found("t", "x.x/a", live.clone()) };
    let mut seen = seen(vec![("x.x/a", Look::Present(setting))]);
    seen.others.push(Owned {
        kind: "theirs",
        place: Place::Standby,
        address: at("x.x/t"),
        found: found("t", "x.x/t", live),
    });
    for intent in [Intent::Converge, Intent::Destroy] {
        let (plan, report) = made(&graph, &seen, &Options { intent, ..deleting(&["x.x", "x.x/t"]) });
        assert!(plan.is_empty(), "{plan:?}");
        assert!(!kept(&report).iter().any(|it| it.contains("x.x/t")), "{report:?}");
    }
    // Without that it is the stack's own again.
    let (plan, _) = made(
        &want(Vec::new()),
        &Observed { others: seen.others, ..Observed::default() },
        &deleting(&["x.x/t"]),
    );
    assert_eq!(lines(&plan), ["Delete x.x/t []"]);
}

/// A replica has no other name that another stack leaves free.
#[test]
fn data_of_another_stack_is_refused_with_the_field_that_uses_it() {
    let graph = want(vec![
        Resource::named::<Theirs>(at("x.x/t"), Place::Standby, "t", &spec(None)),
        Resource::named::<Named>(at("x.x/n"), Place::Standby, "n", &spec(None)),
    ]);
    let of = |id: &str| {
        let live = json!({"size": 1, "fixed": "a", "link": null});
        Look::Present(Found { owner: Owner::Stack("other".to_owned()), ..found(id, "x.x/t", live) })
    };
    let (_, report) =
        made(&graph, &seen(vec![("x.x/t", of("t")), ("x.x/n", of("n"))]), &options(Intent::Converge));
    let said: Vec<&str> = report.blocked.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(
        said,
        [
            "`n` belongs to stack `other`; name another one",
            "`t` belongs to stack `other`; to use it as it is, write `adopt = true`"
        ]
    );
}
