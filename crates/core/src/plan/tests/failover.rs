//! Tests of failover and failback plans, and of the rehearsal.

use super::*;
use crate::plan::stability::{Beside, rehearse};

fn stack() -> StackFacts {
    StackFacts {
        name: "s".into(),
        primary: "us-east-1".into(),
        standby: "us-west-2".into(),
        control: "c".into(),
        permissions_boundary: None,
    }
}

fn sized(size: u32, link: Option<Link>) -> Spec {
    Spec { size, ..spec(link) }
}

fn pool(address: &str, size: u32, tier: u8) -> Resource {
    let id = at(address).to_string();
    Resource { tier, ..Resource::named::<Pool>(at(address), Place::Standby, id, &sized(size, None)) }
}

/// Observes objects that exist with their address as name.
fn there(all: &[(&str, u32)]) -> Observed {
    let look = |size: u32, address: &str| {
        Look::Present(found(address, address, json!({"size": size, "fixed": "a", "link": null})))
    };
    seen(all.iter().map(|(address, size)| (*address, look(*size, address))).collect())
}

fn texts(remarks: &[Remark]) -> Vec<String> {
    remarks.iter().map(|it| format!("{}: {}", it.address, it.text)).collect()
}

/// `b` in the standby region uses `a`, which is in another region.
fn user_of_elsewhere(place: Place) -> Graph {
    let link = Link::output(&at("x.x/a"), "id");
    want(vec![
        Resource::named::<Named>(at("x.x/a"), place, "a", &sized(7, None)),
        Resource::named::<Named>(at("x.x/b"), Place::Standby, "b", &sized(2, Some(link))),
    ])
}

#[test]
fn nothing_elsewhere_is_planned_and_its_record_is_what_links_lead_to() {
    for place in [Place::Primary, Place::Global] {
        // The recorded size differs from the stack: a failover must not fix that.
        let mut seen = both();
        seen.seen.insert(
            at("x.x/a"),
            Look::Present(found("a", "x.x/a", json!({"size": 1, "fixed": "a", "link": null}))),
        );
        let (plan, report) = made(&user_of_elsewhere(place), &seen, &options(Intent::Failover));
        assert_eq!(lines(&plan), ["Update x.x/b []"], "{place:?}");
        assert_eq!(plan.outputs[&at("x.x/a")]["id"], "a");
        assert_eq!(report.blocked, []);
    }
}

#[test]
fn what_needs_something_elsewhere_that_nobody_saw_is_left_out_and_said() {
    for look in [Look::Absent, Look::Unknown(CloudError::Throttled { operation: "toy:Read".into() })] {
        let seen = seen(vec![("x.x/a", look), ("x.x/b", Look::Absent)]);
        let (plan, report) = made(&user_of_elsewhere(Place::Primary), &seen, &options(Intent::Failover));
        assert!(plan.is_empty(), "{plan:?}");
        assert_eq!(texts(&report.notes), ["x.x/a: it is not in what was last seen of the primary"]);
        assert_eq!(texts(&report.blocked), ["x.x/b: it needs x.x/a"]);
    }
}

#[test]
fn nothing_is_replaced_and_nothing_is_taken_away() {
    let mut seen = both();
    let orphan = found("old", "z.z/n", json!({"size": 1, "fixed": "a", "link": null}));
    seen.others.push(Owned { kind: "named", place: Place::Standby, address: at("z.z/n"), found: orphan });
    let (plan, report) = made(&pair(1, "z"), &seen, &options(Intent::Failover));
    assert!(plan.is_empty(), "{plan:?}");
    let said = "x.x/a: fixed cannot be changed in place; it stays as it is: a failover replaces nothing";
    assert_eq!(texts(&report.notes), [said]);
    let (plan, _) = made(&pair(1, "z"), &seen, &options(Intent::Converge));
    assert!(plan.steps.iter().any(|step| step.action == Action::Delete), "an apply does both");
}

#[test]
fn an_interrupted_replacement_goes_on_with_the_new_one_and_leaves_the_old_one() {
    let mut seen = both();
    let new = found("a-2", "x.x/a", json!({"size": 1, "fixed": "z", "link": null}));
    seen.others.push(Owned { kind: "tagged", place: Place::Standby, address: at("x.x/a"), found: new });
    let (plan, _) = made(&pair(1, "z"), &seen, &options(Intent::Failover));
    assert_eq!(lines(&plan), ["Update x.x/b []"]);
}

/// `b` uses the bucket `a`.
fn user_of_a_bucket() -> Graph {
    want(vec![
        Resource::named::<Bucket>(at("x.x/a"), Place::Standby, "a", &sized(2, None)),
        Resource::named::<Named>(
            at("x.x/b"),
            Place::Standby,
            "b",
            &spec(Some(Link::output(&at("x.x/a"), "id"))),
        ),
        Resource::named::<Named>(at("y.y/c"), Place::Standby, "c", &spec(None)),
    ])
}

#[test]
fn a_bucket_is_not_made_and_what_needs_it_is_left_out() {
    let absent = ["x.x/a", "x.x/b", "y.y/c"].map(|address| (address, Look::Absent));
    let (plan, report) = made(&user_of_a_bucket(), &seen(absent.into()), &options(Intent::Failover));
    assert_eq!(lines(&plan), ["Create y.y/c []"]);
    let said = "x.x/a: a failover would have to create it (it does not exist), and it calls S3's bucket names \
                (us-east-1); run `drstack apply STACK` while the primary answers";
    assert_eq!(texts(&report.blocked), [said]);
}

#[test]
fn a_bucket_that_is_there_is_changed_where_it_differs() {
    let mut seen = there(&[("x.x/a", 1), ("y.y/c", 1)]);
    seen.seen.insert(at("x.x/b"), Look::Absent);
    let (plan, report) = made(&user_of_a_bucket(), &seen, &options(Intent::Failover));
    assert_eq!(lines(&plan), ["Update x.x/a []", "Create x.x/b [0]"]);
    assert_eq!(report.blocked, []);
}

#[test]
fn later_tiers_launch_once_earlier_ones_have_ended() {
    let graph =
        want(vec![pool("a.a/p", 4, 3), pool("b.b/p", 4, 1), pool("c.c/p", 4, 1), pool("d.d/p", 4, 2)]);
    let seen = there(&[("a.a/p", 1), ("b.b/p", 1), ("c.c/p", 1), ("d.d/p", 1)]);
    let after = |plan: &Plan| -> Vec<(String, Vec<String>)> {
        let name = |id: &StepId| plan.steps[*id].address.to_string();
        let mut all: Vec<_> = plan
            .steps
            .iter()
            .enumerate()
            .map(|(id, it)| (it.address.to_string(), plan.before(id).map(|it| name(&it)).collect()))
            .collect();
        all.sort();
        all
    };
    let (plan, _) = made(&graph, &seen, &options(Intent::Failover));
    let text = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let waves = [
        ("a.a/p", text(&["b.b/p", "c.c/p", "d.d/p"])),
        ("b.b/p", vec![]),
        ("c.c/p", vec![]),
        ("d.d/p", text(&["b.b/p", "c.c/p"])),
    ];
    assert_eq!(after(&plan), waves.map(|(address, after)| (address.to_owned(), after)));
    let (plan, _) = made(&graph, &seen, &options(Intent::Converge));
    assert!(plan.gates.is_empty(), "an apply has no waves");
}

/// A switch of traffic that needs a pool.
fn switched(size: u32) -> Graph {
    let link = Link::output(&at("a.a/p"), "id");
    let switch = Resource::named::<Switch>(at("t.t/s"), Place::Standby, "t.t/s", &sized(size, Some(link)));
    want(vec![pool("a.a/p", size, 1), switch])
}

fn switched_seen(size: u32) -> Observed {
    let mut seen = there(&[("a.a/p", size)]);
    let live = json!({"size": size, "fixed": "a", "link": "a.a/p"});
    seen.seen.insert(at("t.t/s"), Look::Present(found("t.t/s", "t.t/s", live)));
    seen
}

#[test]
fn failing_back_lets_traffic_go_before_what_served_shrinks() {
    let (plan, _) = made(&switched(4), &switched_seen(1), &options(Intent::Failover));
    assert_eq!(lines(&plan), ["Update a.a/p []", "Update t.t/s [0]"]);
    let (plan, _) = made(&switched(1), &switched_seen(4), &options(Intent::Failback));
    assert_eq!(lines(&plan), ["Update t.t/s []", "Update a.a/p [0]"]);
}

#[test]
fn failing_back_takes_away_what_only_the_failover_needed_once_traffic_is_gone() {
    let mut seen = switched_seen(4);
    let made_by_it = found("n", "z.z/n", json!({"size": 1, "fixed": "a", "link": null}));
    seen.others.push(Owned { kind: "named", place: Place::Standby, address: at("z.z/n"), found: made_by_it });
    let (plan, _) = made(&switched(1), &seen, &options(Intent::Failback));
    assert_eq!(lines(&plan), ["Update t.t/s []", "Update a.a/p [0]", "Delete z.z/n [0]"]);
}

#[test]
fn failing_back_goes_to_what_may_have_left_something_that_no_look_shows() {
    let burst = |size| {
        let spec = sized(size, None);
        want(vec![Resource::named::<Burst>(at("a.a/b"), Place::Standby, "a.a/b", &spec)])
    };
    let seen = there(&[("a.a/b", 2)]);
    let (plan, _) = made(&burst(2), &seen, &options(Intent::Failback));
    assert_eq!(lines(&plan), ["Update a.a/b []"]);
    assert_eq!(plan.steps[0].reason, "a failover may have left instances beside it");
    for intent in [Intent::Converge, Intent::Failover, Intent::PlannedFailover] {
        assert!(made(&burst(2), &seen, &options(intent)).0.is_empty(), "{intent:?}");
    }
    let nothing = made(&burst(1), &there(&[("a.a/b", 1)]), &options(Intent::Failback));
    assert!(nothing.0.is_empty());
}

#[test]
fn a_rehearsal_says_what_a_failover_does_from_what_will_stand() {
    let rehearsal = rehearse(&switched(1), &switched(4), &kinds(), &stack(), &Beside::default()).unwrap();
    assert_eq!(lines(&rehearsal.plan), ["Update a.a/p []", "Update t.t/s [0]"]);
    assert_eq!(rehearsal.violations, []);
}

#[test]
fn a_rehearsal_names_each_call_that_would_leave_the_region() {
    let standby = want(vec![
        Resource::named::<Named>(at("g.g/g"), Place::Global, "g", &sized(1, None)),
        Resource::named::<Named>(at("p.p/p"), Place::Primary, "p", &sized(1, None)),
    ]);
    let mut active = want(vec![
        Resource::named::<Named>(at("g.g/g"), Place::Global, "g", &sized(2, None)),
        Resource::named::<Named>(at("p.p/p"), Place::Primary, "p", &sized(2, None)),
    ]);
    active.resources.extend(user_of_a_bucket().resources);
    let rehearsal = rehearse(&standby, &active, &kinds(), &stack(), &Beside::default()).unwrap();
    let said = [
        "g.g/g: a failover would have to change it (size differs), and it calls a service of the whole partition",
        "p.p/p: a failover would have to change it (size differs), and it is in the primary region, us-east-1",
        "x.x/a: a failover would have to create it (it does not exist), and it calls S3's bucket names (us-east-1)",
    ];
    let mut violations = texts(&rehearsal.violations);
    violations.sort();
    assert_eq!(violations, said);
    assert_eq!(lines(&rehearsal.plan), ["Create y.y/c []"], "what may be done is in its plan all the same");
}

/// Data that the standby region serves and that no longer matches the stack.
#[test]
fn data_that_serves_is_replaced_only_where_it_is_named() {
    let graph = want(vec![Resource::named::<Data>(
        at("x.x/d"),
        Place::Standby,
        "d",
        &Spec { fixed: "z".into(), ..spec(None) },
    )]);
    let live = json!({"size": 1, "fixed": "a", "link": null});
    let seen = seen(vec![("x.x/d", Look::Present(found("d", "x.x/d", live)))]);
    let active = Options { mode: Mode::Active, ..options(Intent::Converge) };
    let (plan, report) = made(&graph, &seen, &active);
    assert!(plan.is_empty() && report.blocked.is_empty(), "{plan:?} {report:?}");
    let said =
        "x.x/d: fixed cannot be changed in place; it stays as it is: it holds what the standby region serves";
    assert_eq!(texts(&report.notes), [said]);
    let (plan, _) = made(&graph, &seen, &Options { mode: Mode::Active, ..deleting(&["x.x"]) });
    assert_eq!(plan.steps.len(), 2, "named, it is taken away and made again: {plan:?}");
    let (_, report) = made(&graph, &seen, &options(Intent::Converge));
    assert_eq!(report.blocked.len(), 1, "in standby whoever wants it otherwise has to say so");
}

/// Data of the same name left by another posture serves as well; data of another component does
/// not.
#[test]
fn data_of_the_same_component_serves_in_the_place_of_what_is_wanted() {
    let graph = want(vec![Resource::named::<Data>(at("x.x/restored"), Place::Standby, "d", &spec(None))]);
    let live = json!({"size": 1, "fixed": "a", "link": null});
    for (of, blocked) in [("x.x/replica", 0), ("y.y/replica", 1)] {
        let seen = seen(vec![("x.x/restored", Look::Present(found("d", of, live.clone())))]);
        let failover = Options { mode: Mode::Active, ..options(Intent::Failover) };
        let (plan, report) = made(&graph, &seen, &failover);
        assert!(plan.is_empty(), "{plan:?}");
        assert_eq!((report.blocked.len(), report.notes.len()), (blocked, 1 - blocked), "{of}: {report:?}");
        let (_, report) = made(&graph, &seen, &options(Intent::Converge));
        assert_eq!(report.blocked.len(), 1, "{of}: in standby it is in the way");
    }
}

/// A route is not linked from what runs behind it, and has to be there first all the same, whatever
/// else the failover leaves out.
#[test]
fn what_is_created_on_the_carried_starts_after_its_route() {
    let link = || Some(Link::output(&at("z.z/net"), "id"));
    let mut graph = user_of_a_bucket();
    graph.resources.extend(
        want(vec![
            Resource::named::<Named>(at("z.z/net"), Place::Standby, "z.z/net", &sized(2, None)),
            Resource::named::<Named>(at("z.z/alone"), Place::Standby, "z.z/alone", &sized(2, link())),
            Resource::named::<Route>(at("z.z/route"), Place::Standby, "z.z/route", &sized(2, link())),
        ])
        .resources,
    );
    let mut seen = there(&[("z.z/net", 2), ("y.y/c", 1)]);
    for address in ["x.x/a", "x.x/b", "z.z/alone", "z.z/route"] {
        seen.seen.insert(at(address), Look::Absent);
    }
    let (plan, report) = made(&graph, &seen, &options(Intent::Failover));
    assert!(!report.blocked.is_empty(), "something is left out");
    let route = plan.steps.iter().position(|it| it.address == at("z.z/route")).unwrap();
    let user = plan.steps.iter().find(|it| it.address == at("z.z/alone")).unwrap();
    assert_eq!((&user.after, &user.needs), (&vec![route], &Vec::new()));
}
