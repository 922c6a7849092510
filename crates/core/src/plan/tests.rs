//! Tests of the planner's guarantees, on a toy kind whose spec is a size, a fixed part and a link.

mod by_itself;
mod claims;
mod copies;
mod failover;
mod lacking;
mod renamed;
mod sequence;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;
use crate::address::Address;
use crate::cloud::{CloudError, Found, Owner};
use crate::component::StackFacts;
use crate::graph::{Graph, Resource};
use crate::kind::*;
use crate::link::Link;
use crate::objective::Mode;
use crate::observe::{Look, Observed, Owned};

#[derive(Clone, Serialize, Deserialize)]
struct Spec {
    size: u32,
    fixed: String,
    link: Option<Link>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Live {
    size: u32,
    fixed: String,
    link: Option<String>,
}

macro_rules! toy {
    ($type:ident, $name:literal, $lookup:expr, $role:expr $(, $($more:tt)+)?) => {
        toy!(@ $type, $name, $lookup, $role, &[], {}, $($($more)+)?);
    };
    (@ $type:ident, $name:literal, $lookup:expr, $role:expr, $operations:expr, {$($can:tt)*}, $($more:tt)*) => {
        struct $type;
        impl Kind for $type {
            const NAME: &'static str = $name;
            const SUMMARY: &'static str = "a toy";
            const LOOKUP: Lookup = $lookup;
            const ROLE: Role = $role;
            const OPERATIONS: &'static [Operation] = $operations;
            const CAPABILITIES: Capabilities =
                Capabilities { revised: Some(&Erased::<Self>::NEW), $($can)* ..Capabilities::NONE };
            $($more)*
            type Spec = Spec;
            type Live = Live;
            fn diff(spec: &Spec, live: &Live) -> Vec<FieldChange> {
                let link = spec.link.as_ref().map(|link| link.text().to_owned());
                [
                    FieldChange::of("size", &live.size, &spec.size),
                    FieldChange::replacing("fixed", &live.fixed, &spec.fixed),
                    FieldChange::of("link", &live.link, &link),
                ]
                .into_iter()
                .flatten()
                .collect()
            }
            fn expect(spec: &Spec, _id: &str) -> Live {
                let link = spec.link.as_ref().map(|link| link.text().to_owned());
                Live { size: spec.size, fixed: spec.fixed.clone(), link }
            }
            fn outputs(id: &str, live: &Live) -> std::collections::BTreeMap<String, String> {
                [("id", id.to_owned()), ("version", live.size.to_string())]
                    .map(|(k, v)| (k.to_owned(), v))
                    .into()
            }
            fn links(live: &Live) -> Vec<String> {
                live.link.iter().cloned().collect()
            }
        }
        impl Revised for $type {
            const VOLATILE: &'static [&'static str] = &["version"];
            fn expect_after(spec: &Spec, id: &str, _before: &Live) -> Live {
                Self::expect(spec, id)
            }
        }
    };
}
toy!(Named, "named", Lookup::Name, Role::Object);
toy!(Tagged, "tagged", Lookup::Tag, Role::Object);
toy!(Data, "data", Lookup::Name, Role::Data);
toy!(Feed, "feed", Lookup::Name, Role::Feed);
toy!(Copy, "copy", Lookup::Tag, Role::Data);
toy! {
    @ Pool, "pool", Lookup::Name, Role::Object, &[], { capacity: Some(&Erased::<Self>::NEW), },
    fn ready(_: &Spec, live: &Live) -> Readiness {
        // An odd size is still in progress.
        match live.size % 2 {
            0 => Readiness::Ready,
            _ => Readiness::Waiting("not all of them serve".to_owned()),
        }
    }
}
toy! {
    @ Burst, "burst", Lookup::Name, Role::Object, &[], { capacity: Some(&Erased::<Self>::NEW), },
}
toy! {
    @ Serving, "serving", Lookup::Tag, Role::Object, &[], { capacity: Some(&Erased::<Self>::NEW), },
    fn ready(spec: &Spec, live: &Live) -> Readiness {
        if live.size < spec.size { Readiness::Waiting("some start".to_owned()) } else { Readiness::Ready }
    }
}
toy!(@ Switch, "switch", Lookup::Name, Role::Object, &[], { traffic: Some(&Erased::<Self>::NEW), },);
toy! {
    @ Shares, "shares", Lookup::Name, Role::Object, &[],
    { traffic: Some(&Erased::<Self>::NEW), needs_both_regions: true, },
}
toy!(@ Theirs, "theirs", Lookup::Name, Role::Data, &[], { adopted_by: Some("adopt = true"), },);
toy!(@ Adopted, "adopted", Lookup::Name, Role::Setting, &[], { adopts: Some("theirs"), },);
toy!(@ Name, "name", Lookup::Name, Role::Object, &[], { leads_users: true, },);
toy!(@ Route, "route", Lookup::Name, Role::Object, &[], { carries: Some("link"), },);
toy!(@ Ask, "ask", Lookup::Name, Role::Object, &[], { check: Some(&Erased::<Self>::NEW), },);
toy!(
    @ Bucket,
    "bucket",
    Lookup::Name,
    Role::Data,
    &[Operation::new("s3", "CreateBucket").at("S3's bucket names (us-east-1)"), Operation::new("s3", "PutBucketPolicy")],
    {},
);

/// Spot instances of no type in particular.
fn instances(count: u32) -> Demand {
    Demand { types: Vec::new(), weights: BTreeMap::new(), count, on_demand: 0 }
}

macro_rules! runs_instances {
    ($type:ident $(, $more:item)*) => {
        impl Capacity for $type {
            fn demand(spec: &Spec) -> Demand {
                instances(spec.size)
            }
            fn serving(live: &Live) -> u32 {
                live.size
            }
            fn bought(live: &Live) -> Option<Demand> {
                Some(instances(live.size))
            }
            fn by_hand(_spec: &Spec, _region: &str) -> String {
                String::new()
            }
            fn during(spec: &Spec, id: &str, _before: &Live) -> Live {
                Self::expect(spec, id)
            }
            $($more)*
        }
    };
}
runs_instances!(Pool);
runs_instances! {
    Burst,
    fn may_leave_unseen(spec: &Spec) -> bool {
        spec.size > 1
    }
}
runs_instances!(Serving);
impl Traffic for Switch {}
impl Traffic for Shares {}
impl Check for Ask {
    fn asks_service(_spec: &Spec) -> bool {
        true
    }
    fn command(_spec: &Spec) -> Option<Vec<String>> {
        None
    }
}

fn kinds() -> KindRegistry {
    KindRegistry::new(&[
        &Erased::<Named>::NEW,
        &Erased::<Tagged>::NEW,
        &Erased::<Data>::NEW,
        &Erased::<Feed>::NEW,
        &Erased::<Copy>::NEW,
        &Erased::<Pool>::NEW,
        &Erased::<Burst>::NEW,
        &Erased::<Switch>::NEW,
        &Erased::<Shares>::NEW,
        &Erased::<Ask>::NEW,
        &Erased::<Name>::NEW,
        &Erased::<Route>::NEW,
        &Erased::<Serving>::NEW,
        &Erased::<Theirs>::NEW,
        &Erased::<Adopted>::NEW,
        &Erased::<Bucket>::NEW,
    ])
}

fn at(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn spec(link: Option<Link>) -> Spec {
    Spec { size: 1, fixed: "a".into(), link }
}

fn want(resources: Vec<Resource>) -> Graph {
    resources.into_iter().collect()
}

/// `b` (by name) uses `a` (by tag).
fn pair(size: u32, fixed: &str) -> Graph {
    let a = Spec { size, fixed: fixed.into(), link: None };
    want(vec![
        Resource::tagged::<Tagged>(at("x.x/a"), Place::Standby, &a),
        Resource::named::<Named>(
            at("x.x/b"),
            Place::Standby,
            "b",
            &spec(Some(Link::output(&at("x.x/a"), "id"))),
        ),
    ])
}

fn found(id: &str, address: &str, live: Value) -> Found {
    Found { id: id.into(), owner: Owner::Ours(at(address)), live }
}

fn seen(all: Vec<(&str, Look)>) -> Observed {
    Observed {
        seen: all.into_iter().map(|(address, look)| (at(address), look)).collect(),
        ..Observed::default()
    }
}

fn both() -> Observed {
    seen(vec![
        ("x.x/a", Look::Present(found("a-1", "x.x/a", json!({"size": 1, "fixed": "a", "link": null})))),
        ("x.x/b", Look::Present(found("b", "x.x/b", json!({"size": 1, "fixed": "a", "link": "a-1"})))),
    ])
}

fn options(intent: Intent) -> Options {
    Options { intent, mode: Mode::Standby, targets: vec![], delete_data: BTreeSet::new() }
}

fn made(want: &Graph, seen: &Observed, options: &Options) -> (Plan, PlanReport) {
    let stack = StackFacts {
        name: "s".into(),
        primary: "us-east-1".into(),
        standby: "us-west-2".into(),
        control: "c".into(),
        permissions_boundary: None,
    };
    plan(want, seen, &kinds(), &stack, options).unwrap()
}

fn lines(plan: &Plan) -> Vec<String> {
    let before = |id: StepId| plan.before(id).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
    let steps = plan.steps.iter().enumerate();
    steps.map(|(id, step)| format!("{:?} {} {:?}", step.action, step.address, before(id))).collect()
}

#[test]
fn what_is_absent_is_created_after_what_it_needs() {
    let seen = seen(vec![("x.x/a", Look::Absent), ("x.x/b", Look::Absent)]);
    let (plan, report) = made(&pair(1, "a"), &seen, &options(Intent::Converge));
    assert_eq!(lines(&plan), ["Create x.x/a []", "Create x.x/b [0]"]);
    assert_eq!(report, PlanReport::default());
    assert_eq!(plan.critical_path().0, [0, 1]);
}

#[test]
fn what_is_as_wanted_makes_no_step() {
    let (plan, report) = made(&pair(1, "a"), &both(), &options(Intent::Converge));
    assert!(plan.is_empty(), "{plan:?}");
    assert_eq!(report.unchanged, 2);
}

#[test]
fn a_replacement_by_tag_makes_the_new_one_first_and_drops_the_old_one_last() {
    let (plan, _) = made(&pair(1, "z"), &both(), &options(Intent::Converge));
    assert_eq!(lines(&plan), ["Create x.x/a []", "Update x.x/b [0]", "Delete x.x/a [0, 1]"]);
    assert_eq!(plan.steps[1].changes[0].to, json!(crate::link::KNOWN_LATER));
    assert!(plan.steps[0].replaces && plan.steps[2].replaces);
}

#[test]
fn an_interrupted_replacement_goes_on_with_the_new_one() {
    let mut seen = both();
    let new = found("a-2", "x.x/a", json!({"size": 1, "fixed": "z", "link": null}));
    seen.others.push(Owned { kind: "tagged", place: Place::Standby, address: at("x.x/a"), found: new });
    let (plan, _) = made(&pair(1, "z"), &seen, &options(Intent::Converge));
    assert_eq!(lines(&plan), ["Update x.x/b []", "Delete x.x/a [0]"]);
    assert_eq!(plan.steps[1].id.as_deref(), Some("a-1"));
}

fn deleting(addresses: &[&str]) -> Options {
    let delete_data = addresses.iter().map(|it| (*it).to_owned()).collect();
    Options { delete_data, ..options(Intent::Converge) }
}

fn kept(report: &PlanReport) -> Vec<String> {
    assert_eq!(report.blocked, []);
    report.kept.iter().map(|it| format!("{}: {}", it.address, it.text)).collect()
}

#[test]
fn what_another_target_left_interrupted_is_not_deleted() {
    let mut seen = both();
    let new = found("a-2", "x.x/a", json!({"size": 1, "fixed": "z", "link": null}));
    seen.others.push(Owned { kind: "tagged", place: Place::Standby, address: at("x.x/a"), found: new });
    let targets = vec!["y.y".to_owned()];
    let (plan, _) = made(&pair(1, "z"), &seen, &Options { targets, ..options(Intent::Converge) });
    assert!(plan.is_empty(), "{plan:?}");
}

#[test]
fn a_failed_look_blocks_and_never_creates() {
    let error = CloudError::Throttled { operation: "toy:Read".into() };
    let seen = seen(vec![("x.x/a", Look::Unknown(error)), ("x.x/b", Look::Absent)]);
    let (plan, report) = made(&pair(1, "a"), &seen, &options(Intent::Converge));
    assert!(plan.is_empty());
    assert_eq!(report.blocked.len(), 2);
    assert!(report.blocked[1].text.contains("it needs x.x/a"));
    assert!(report.silent.is_empty(), "the region answered");
}

#[test]
fn what_waits_for_a_region_that_does_not_answer_is_named_with_what_needs_it() {
    let message = "timed out".to_owned();
    let error = CloudError::Unreachable { operation: "toy:Read".into(), region: "us-east-1".into(), message };
    let mut seen = seen(vec![("x.x/a", Look::Unknown(error.clone())), ("x.x/b", Look::Absent)]);
    seen.unlisted.push(("tagged", Place::Primary, error));
    let (_, report) = made(&pair(1, "a"), &seen, &options(Intent::Converge));
    let silent: Vec<&str> = report.silent["us-east-1"].iter().map(String::as_str).collect();
    assert_eq!((silent, report.silent.len()), (vec!["tagged", "x.x/a", "x.x/b"], 1));
    assert_eq!(report.blocked.len(), 3);
}

#[test]
fn what_is_not_ours_is_left_alone() {
    for owner in [Owner::Foreign, Owner::Stack("other".into())] {
        let mut seen = both();
        let Some(Look::Present(b)) = seen.seen.get_mut(&at("x.x/b")) else { unreachable!() };
        b.owner = owner;
        for intent in [Intent::Converge, Intent::Destroy] {
            let (plan, _) = made(&pair(9, "a"), &seen, &options(intent));
            assert!(plan.steps.iter().all(|step| step.address != at("x.x/b")), "{plan:?}");
        }
    }
}

/// E8
#[test]
fn data_of_others_that_a_component_can_adopt_is_refused_with_the_field_for_that() {
    let graph = want(vec![Resource::named::<Theirs>(at("x.x/t"), Place::Standby, "t", &spec(None))]);
    let found = Found {
        owner: Owner::Foreign,
        ..found("t", "x.x/t", json!({"size": 1, "fixed": "a", "link": null}))
    };
    let (plan, report) =
        made(&graph, &seen(vec![("x.x/t", Look::Present(found))]), &options(Intent::Converge));
    assert!(plan.is_empty(), "{plan:?}");
    assert!(report.blocked[0].text.contains("to use it so, write `adopt = true`"), "{report:?}");
}

#[test]
fn an_orphan_goes_and_data_stays_with_what_feeds_it_unless_named() {
    let live = json!({"size": 1, "fixed": "a", "link": null});
    let owned = |kind, address: &str, id: &str, live: &Value| Owned {
        kind,
        place: Place::Standby,
        address: at(address),
        found: found(id, address, live.clone()),
    };
    let fed = json!({"size": 1, "fixed": "a", "link": "d"});
    let seen = Observed {
        others: vec![
            owned("data", "y.y/d", "d", &live),
            owned("feed", "y.y/f", "f", &fed),
            owned("named", "z.z/n", "n", &live),
        ],
        ..Observed::default()
    };
    let (plan, report) = made(&Graph::default(), &seen, &options(Intent::Converge));
    assert_eq!(lines(&plan), ["Delete z.z/n []"]);
    assert_eq!(report.kept.len(), 2);
    let named = Options { delete_data: BTreeSet::from(["y.y".to_owned()]), ..options(Intent::Converge) };
    let (plan, report) = made(&Graph::default(), &seen, &named);
    assert_eq!(lines(&plan), ["Delete y.y/f []", "Delete y.y/d [0]", "Delete z.z/n []"]);
    assert!(report.kept.is_empty());
}

#[test]
fn what_may_feed_data_that_could_not_be_listed_stays() {
    let fed = json!({"size": 1, "fixed": "a", "link": "d"});
    let feed =
        Owned { kind: "feed", place: Place::Primary, address: at("y.y/f"), found: found("f", "y.y/f", fed) };
    let denied = |kind| {
        let error = CloudError::Denied { operation: "list".to_owned(), message: String::new() };
        (kind, Place::Standby, error)
    };
    for intent in [Intent::Converge, Intent::Destroy] {
        for (kind, steps) in [("data", vec![]), ("copy", vec![]), ("named", vec!["Delete y.y/f []"])] {
            let unlisted = vec![denied(kind)];
            let seen = Observed { others: vec![feed.clone()], unlisted, ..Observed::default() };
            let (plan, report) = made(&Graph::default(), &seen, &options(intent));
            assert_eq!(lines(&plan), steps, "{kind}");
            assert_eq!(report.kept.len(), 1 - steps.len(), "{kind}");
            assert_eq!(report.blocked.len(), 1, "{kind}");
        }
    }
}

#[test]
fn a_destroy_lets_go_before_it_deletes() {
    let (plan, _) = made(&pair(1, "a"), &both(), &options(Intent::Destroy));
    assert_eq!(lines(&plan), ["Delete x.x/b []", "Delete x.x/a [0]"]);
}

#[test]
fn a_target_takes_what_it_needs_along_and_nothing_else() {
    let mut graph = pair(2, "a");
    let c = Resource::named::<Named>(at("c.c/c"), Place::Standby, "c", &spec(None));
    graph.resources.insert(c.address.clone(), c);
    let mut seen = both();
    seen.seen.insert(at("c.c/c"), Look::Absent);
    let targets = vec!["x.x/b".to_owned()];
    let (plan, _) = made(&graph, &seen, &Options { targets, ..options(Intent::Converge) });
    assert_eq!(lines(&plan), ["Update x.x/a []"]);
}

#[test]
fn a_destroy_of_a_target_takes_what_needs_it_along_and_nothing_else() {
    for (target, gone) in
        [("x.x/a", vec!["Delete x.x/b []", "Delete x.x/a [0]"]), ("x.x/b", vec!["Delete x.x/b []"])]
    {
        let options = Options { targets: vec![target.to_owned()], ..options(Intent::Destroy) };
        let (plan, _) = made(&pair(1, "a"), &both(), &options);
        assert_eq!(lines(&plan), gone, "{target}");
    }
}

#[test]
fn what_feeds_data_stays_even_where_it_alone_is_the_target() {
    let live = json!({"size": 1, "fixed": "a", "link": null});
    let owned = |kind, address: &str| Owned {
        kind,
        place: Place::Standby,
        address: at(address),
        found: found(address, address, live.clone()),
    };
    let seen =
        Observed { others: vec![owned("data", "y.y/d"), owned("feed", "y.y/f")], ..Observed::default() };
    for intent in [Intent::Converge, Intent::Destroy] {
        let options = Options { targets: vec!["y.y/f".to_owned()], ..options(intent) };
        let (plan, report) = made(&Graph::default(), &seen, &options);
        assert!(plan.is_empty(), "{plan:?}");
        assert_eq!(report.kept[0].text, "it still feeds data that is kept");
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let plan = || serde_json::to_string(&made(&pair(3, "z"), &both(), &options(Intent::Converge))).unwrap();
    assert_eq!(plan(), plan());
}

/// A call of an earlier run may undo what this plan has no step for, and it is done again.
#[test]
fn a_step_that_is_not_of_the_plan_waits_for_nothing() {
    assert_eq!(Plan::default().before(3).count(), 0);
}

#[test]
fn what_a_run_was_cut_off_while_making_is_made_again_and_nothing_else_of_others_is() {
    let foreign = Found {
        owner: Owner::Foreign,
        ..found("b", "x.x/b", json!({"size": 1, "fixed": "a", "link": "a-1"}))
    };
    let mut seen = both();
    seen.seen.insert(at("x.x/b"), Look::Present(foreign));
    let (plan, report) = made(&pair(1, "a"), &seen, &options(Intent::Converge));
    assert!(plan.is_empty() && report.blocked.len() == 1, "{report:?}");
    seen.begun = [at("x.x/b")].into();
    let (plan, report) = made(&pair(1, "a"), &seen, &options(Intent::Converge));
    assert!(report.blocked.is_empty(), "{report:?}");
    let steps: Vec<_> = plan.steps.iter().map(|step| (step.action, step.address.as_str())).collect();
    assert_eq!(steps, [(Action::Create, "x.x/b")]);
}
