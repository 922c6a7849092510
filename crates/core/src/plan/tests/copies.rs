//! Tests of the planner with data of which an older copy can exist beside a newer one.

use super::*;

/// `b` (by name) uses the copy `c`, which is created again if `fixed` changes.
fn user_of_a_copy(fixed: &str) -> Graph {
    let c = Spec { size: 1, fixed: fixed.into(), link: None };
    want(vec![
        Resource::tagged::<Copy>(at("x.x/c"), Place::Standby, &c),
        Resource::named::<Named>(at("x.x/b"), Place::Standby, "b", &spec(Some(Link::id(&at("x.x/c"))))),
    ])
}

/// Copies by id and `fixed`, in the order of the listing, and `b`, which uses `used`.
fn copies(all: &[(&str, &str)], used: &str) -> Observed {
    let copy =
        |(id, fixed): &(&str, &str)| found(id, "x.x/c", json!({"size": 1, "fixed": fixed, "link": null}));
    let b = found("b", "x.x/b", json!({"size": 1, "fixed": "a", "link": used}));
    let mut seen = seen(vec![("x.x/c", Look::Present(copy(&all[0]))), ("x.x/b", Look::Present(b))]);
    let owned = |found| Owned { kind: "copy", place: Place::Standby, address: at("x.x/c"), found };
    seen.others = all[1..].iter().map(|it| owned(copy(it))).collect();
    seen
}

#[test]
fn a_newer_copy_is_made_beside_the_older_one_which_stays() {
    let seen = copies(&[("c-1", "a")], "c-1");
    let (plan, report) = made(&user_of_a_copy("z"), &seen, &options(Intent::Converge));
    assert_eq!(lines(&plan), ["Create x.x/c []", "Update x.x/b [0]"]);
    assert!(!plan.steps[0].replaces, "nothing goes");
    assert_eq!(kept(&report), ["x.x/c: `c-1` is an older copy; delete it with `--delete-data x.x/c`"]);
}

#[test]
fn an_older_copy_that_is_named_goes_once_the_newer_one_is_in_use() {
    let seen = copies(&[("c-1", "a")], "c-1");
    let (plan, report) = made(&user_of_a_copy("z"), &seen, &deleting(&["x.x/c"]));
    assert_eq!(lines(&plan), ["Create x.x/c []", "Update x.x/b [0]", "Delete x.x/c [0, 1]"]);
    assert!(plan.steps[0].replaces && plan.steps[2].replaces);
    assert_eq!(kept(&report), [""; 0]);
}

#[test]
fn the_copy_in_use_is_the_current_one_whichever_the_listing_names_first() {
    for order in [[("c-1", "a"), ("c-2", "z")], [("c-2", "z"), ("c-1", "a")]] {
        let (plan, report) = made(&user_of_a_copy("z"), &copies(&order, "c-2"), &options(Intent::Converge));
        assert!(plan.is_empty(), "{plan:?}");
        assert_eq!(plan.outputs[&at("x.x/c")]["id"], "c-2");
        assert_eq!(kept(&report), ["x.x/c: `c-1` is an older copy; delete it with `--delete-data x.x/c`"]);
        let (plan, _) = made(&user_of_a_copy("z"), &copies(&order, "c-2"), &deleting(&["x.x"]));
        assert_eq!(lines(&plan), ["Delete x.x/c []"]);
        assert_eq!(plan.steps[0].id.as_deref(), Some("c-1"));
    }
}

#[test]
fn what_the_plan_uses_counts_whichever_copy_the_listing_names_first() {
    for order in [[("c-1", "a"), ("c-2", "z")], [("c-2", "z"), ("c-1", "a")]] {
        let (want, seen) = (user_of_a_copy("z"), copies(&order, "c-2"));
        let (plan, _) = made(&want, &seen, &options(Intent::Converge));
        let used = used(&want, &seen, &kinds(), &plan).unwrap();
        let of = used.get(&at("x.x/c")).or(seen.seen.get(&at("x.x/c")));
        assert!(matches!(of, Some(Look::Present(found)) if found.id == "c-2"), "{order:?}: {of:?}");
    }
}

#[test]
fn of_two_copies_that_are_alike_the_one_in_use_stays_whichever_the_listing_names_first() {
    for order in [[("c-1", "z"), ("c-2", "z")], [("c-2", "z"), ("c-1", "z")]] {
        let (plan, report) = made(&user_of_a_copy("z"), &copies(&order, "c-2"), &options(Intent::Converge));
        assert!(plan.is_empty(), "{plan:?}");
        assert_eq!(plan.outputs[&at("x.x/c")]["id"], "c-2");
        assert!(kept(&report)[0].starts_with("x.x/c: `c-1` is an"), "{report:?}");
        assert_eq!(report.kept.len(), 1);
    }
}

#[test]
fn an_older_copy_that_is_wanted_again_is_used_again() {
    let seen = copies(&[("c-2", "z"), ("c-1", "a")], "c-2");
    let (plan, report) = made(&user_of_a_copy("a"), &seen, &options(Intent::Converge));
    assert_eq!(lines(&plan), ["Update x.x/b []"]);
    assert_eq!(plan.steps[0].changes[0].to, "c-1");
    assert_eq!(kept(&report), ["x.x/c: `c-2` is an older copy; delete it with `--delete-data x.x/c`"]);
}

#[test]
fn an_older_copy_stays_while_something_out_of_reach_uses_it() {
    let targets = vec!["x.x/c".to_owned()];
    let seen = copies(&[("c-1", "a")], "c-1");
    let (plan, report) = made(&user_of_a_copy("z"), &seen, &Options { targets, ..deleting(&["x.x/c"]) });
    assert_eq!(lines(&plan), ["Create x.x/c []"]);
    assert_eq!(kept(&report), ["x.x/c: `c-1` is an older copy, and still in use"]);
}

#[test]
fn copies_of_what_is_no_longer_named_are_each_deleted_when_named() {
    let mut seen = copies(&[("c-1", "a"), ("c-2", "z")], "c-2");
    let Some(Look::Present(first)) = seen.seen.remove(&at("x.x/c")) else { unreachable!() };
    seen.others.push(Owned { kind: "copy", place: Place::Standby, address: at("x.x/c"), found: first });
    seen.seen.clear();
    let (plan, report) = made(&Graph::default(), &seen, &options(Intent::Converge));
    assert!(plan.is_empty());
    let holds = |id: &str| format!("x.x/c: `{id}` holds data; delete it with `--delete-data x.x/c`");
    assert_eq!(kept(&report), [holds("c-2"), holds("c-1")]);
    let (plan, _) = made(&Graph::default(), &seen, &deleting(&["x.x/c"]));
    assert_eq!(lines(&plan), ["Delete x.x/c []", "Delete x.x/c []"]);
}

/// `x.second/b` uses a copy that has been `x.first/c` until now.
fn handed_over(used: &str) -> (Graph, Observed) {
    let c = Spec { size: 1, fixed: "a".into(), link: None };
    let link = Some(Link::id(&at("x.second/c")));
    let graph = want(vec![
        Resource::tagged::<Copy>(at("x.second/c"), Place::Standby, &c),
        Resource::named::<Named>(at("x.second/b"), Place::Standby, "b", &spec(link)),
    ]);
    let b = found("b", "x.second/b", json!({"size": 1, "fixed": "a", "link": used}));
    let mut seen = seen(vec![("x.second/c", Look::Absent), ("x.second/b", Look::Present(b))]);
    let copy = |id: &str, of: &str| Owned {
        kind: "copy",
        place: Place::Standby,
        address: at(of),
        found: found(id, of, json!({"size": 1, "fixed": "a", "link": null})),
    };
    seen.others = vec![copy("c-1", "x.first/c"), copy("c-2", "x.third/c")];
    (graph, seen)
}

/// C5
#[test]
fn a_copy_of_the_same_is_taken_over_and_a_further_one_stays() {
    let (graph, seen) = handed_over("c-1");
    let (plan, report) = made(&graph, &seen, &options(Intent::Converge));
    assert_eq!(lines(&plan), ["Update x.second/c []"]);
    assert_eq!(plan.steps[0].reason, "taken over: it was x.first/c");
    assert_eq!(kept(&report), ["x.third/c: `c-2` holds data; delete it with `--delete-data x.third/c`"]);
    assert!(report.blocked.is_empty());
    let (plan, _) = made(&graph, &seen, &deleting(&["x.first", "x.third"]));
    assert_eq!(lines(&plan), ["Update x.second/c []", "Delete x.third/c []"]);
    let (plan, _) = made(&graph, &seen, &options(Intent::Failover));
    assert!(plan.is_empty(), "{plan:?}");
    assert_eq!(plan.outputs[&at("x.second/c")]["id"], "c-1");
}

/// C5
#[test]
fn a_copy_that_its_address_replaces_goes_to_the_one_that_wants_it() {
    let (mut graph, mut seen) = handed_over("c-1");
    let z = Spec { size: 1, fixed: "z".into(), link: None };
    graph
        .resources
        .extend(want(vec![Resource::tagged::<Copy>(at("x.first/c"), Place::Standby, &z)]).resources);
    let owned = seen.others.remove(0);
    seen.seen.insert(at("x.first/c"), Look::Present(owned.found));
    seen.others.clear();
    let (plan, report) = made(&graph, &seen, &deleting(&["x.first"]));
    assert_eq!(lines(&plan), ["Create x.first/c []", "Update x.second/c []"]);
    assert_eq!(kept(&report), [""; 0]);
}

/// All that share a copy are renamed: the copy goes to the first of them, which is another one now.
#[test]
fn a_copy_is_taken_over_where_all_that_share_it_are_renamed() {
    let (mut graph, mut seen) = handed_over("c-1");
    let name = crate::address::ComponentAddress::new;
    graph.moved.insert(name("x.first"), name("x.other"));
    // `x.other` wants no copy of its own.
    graph.resources.extend(
        want(vec![Resource::named::<Named>(at("x.other/b"), Place::Standby, "o", &spec(None))]).resources,
    );
    seen.seen.insert(at("x.second/b"), Look::Absent);
    seen.seen.insert(at("x.other/b"), Look::Absent);
    seen.others.truncate(1);
    let (plan, _) = made(&graph, &seen, &options(Intent::Converge));
    let taken: Vec<&Step> = plan.steps.iter().filter(|it| it.address == at("x.second/c")).collect();
    assert_eq!(taken[0].reason, "taken over: it was x.first/c", "{plan:?}");
}

/// C5: data that a destroy keeps is no reason to destroy what uses it.
#[test]
fn a_destroy_of_what_shares_a_copy_leaves_the_others_alone() {
    let seen = copies(&[("c-1", "a")], "c-1");
    let destroy = |delete_data: &[&str]| Options {
        targets: vec!["x.x/c".to_owned()],
        intent: Intent::Destroy,
        ..deleting(delete_data)
    };
    let (plan, _) = made(&user_of_a_copy("a"), &seen, &destroy(&[]));
    assert!(plan.is_empty(), "{plan:?}");
    let (plan, _) = made(&user_of_a_copy("a"), &seen, &destroy(&["x.x/c"]));
    assert_eq!(lines(&plan), ["Delete x.x/b []", "Delete x.x/c [0]"]);
}

#[test]
fn a_destroy_of_one_user_leaves_a_copy_that_another_uses() {
    let c = Spec { size: 1, fixed: "z".into(), link: None };
    let link = || Some(Link::id(&at("x.x/c")));
    let graph = want(vec![
        Resource::tagged::<Copy>(at("x.x/c"), Place::Standby, &c),
        Resource::named::<Named>(at("x.x/b"), Place::Standby, "b", &spec(link())),
        Resource::named::<Named>(at("y.y/b"), Place::Standby, "other", &spec(link())),
    ]);
    let user = |id: &str, address: &str| {
        Look::Present(found(id, address, json!({"size": 1, "fixed": "a", "link": "c-1"})))
    };
    let copy = found("c-1", "x.x/c", json!({"size": 1, "fixed": "z", "link": null}));
    let seen = seen(vec![
        ("x.x/c", Look::Present(copy)),
        ("x.x/b", user("b", "x.x/b")),
        ("y.y/b", user("other", "y.y/b")),
    ]);
    let destroy = |targets: &[&str]| Options {
        intent: Intent::Destroy,
        targets: targets.iter().map(|it| (*it).to_owned()).collect(),
        ..deleting(&["x.x"])
    };
    let (plan, report) = made(&graph, &seen, &destroy(&["x.x"]));
    assert_eq!(lines(&plan), ["Delete x.x/b []"]);
    assert_eq!(kept(&report), ["x.x/c: `c-1` stays: what is no target uses it, too"]);
    for targets in [&["x.x", "y.y"][..], &[]] {
        let (plan, _) = made(&graph, &seen, &destroy(targets));
        assert!(lines(&plan).iter().any(|it| it.starts_with("Delete x.x/c")), "{plan:?}");
    }
}
