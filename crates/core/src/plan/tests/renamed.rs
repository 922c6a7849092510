//! Tests of the planner with components whose address differs from their objects' address.

use super::*;
use crate::address::ComponentAddress;

fn live(size: u32, fixed: &str, link: Option<&str>) -> Value {
    json!({"size": size, "fixed": fixed, "link": link})
}

fn owned(kind: &'static str, id: &str, address: &str, live: Value) -> Owned {
    Owned { kind, place: Place::Standby, address: at(address), found: found(id, address, live) }
}

fn tagged<K: Kind<Spec = Spec>>(address: &str, size: u32, fixed: &str) -> Resource {
    let spec = Spec { size, fixed: fixed.into(), link: None };
    Resource::tagged::<K>(at(address), Place::Standby, &spec)
}

/// The data `d` of `x.new`, made for `x.old`, with the feed that `x.old` had; `feed` is the
/// observed state of the new one.
fn fed(feed: Look) -> (Graph, Observed) {
    let link = Some(Link::Known("d".to_owned()));
    let graph = want(vec![
        Resource::named::<Data>(at("x.new/d"), Place::Standby, "d", &spec(None)),
        Resource::named::<Feed>(at("x.new/f"), Place::Standby, "f-new", &spec(link)),
    ]);
    let data = Look::Present(found("d", "x.old/d", live(1, "a", None)));
    let mut seen = seen(vec![("x.new/d", data), ("x.new/f", feed)]);
    seen.others.push(owned("feed", "f-old", "x.old/f", live(1, "a", Some("d"))));
    (graph, seen)
}

#[test]
fn what_a_name_leads_to_is_tagged_anew_in_place() {
    let graph = want(vec![Resource::named::<Data>(at("x.new/d"), Place::Standby, "d", &spec(None))]);
    let seen = seen(vec![("x.new/d", Look::Present(found("d", "x.old/d", live(1, "a", None))))]);
    let (plan, report) = made(&graph, &seen, &options(Intent::Converge));
    assert_eq!(lines(&plan), ["Update x.new/d []"]);
    assert_eq!(plan.steps[0].reason, "renamed: it was x.old/d");
    assert_eq!(plan.steps[0].changes, [FieldChange::of_address(&at("x.old/d"), &at("x.new/d"))]);
    assert_eq!((report.blocked, report.kept), (vec![], vec![]));
}

#[test]
fn a_failover_uses_what_has_another_address_and_leaves_its_tags() {
    let graph = |size| want(vec![tagged::<Tagged>("x.new/a", size, "a")]);
    let mut seen = seen(vec![("x.new/a", Look::Absent)]);
    seen.others = vec![owned("tagged", "a-1", "x.old/a", live(1, "a", None))];
    let (plan, report) = made(&graph(1), &seen, &options(Intent::Failover));
    assert!(plan.is_empty() && report.blocked.is_empty(), "{plan:?} {report:?}");
    assert_eq!(plan.outputs[&at("x.new/a")]["id"], "a-1");
}

#[test]
fn what_is_found_by_its_tag_is_recognised_where_one_alone_is_like_it() {
    let graph = want(vec![
        tagged::<Tagged>("x.new/a", 1, "a"),
        Resource::tagged::<Tagged>(at("x.new/b"), Place::Standby, &spec(Some(Link::id(&at("x.new/a"))))),
    ]);
    let mut seen = seen(vec![("x.new/a", Look::Absent), ("x.new/b", Look::Absent)]);
    seen.others = vec![
        owned("tagged", "a-1", "x.old/a", live(1, "a", None)),
        owned("tagged", "b-1", "x.old/b", live(1, "a", Some("a-1"))),
    ];
    let (plan, report) = made(&graph, &seen, &options(Intent::Converge));
    assert_eq!(lines(&plan), ["Update x.new/a []", "Update x.new/b [0]"]);
    assert_eq!(plan.steps.iter().filter_map(|it| it.id.as_deref()).collect::<Vec<_>>(), ["a-1", "b-1"]);
    assert_eq!((report.blocked, report.kept), (vec![], vec![]));
}

#[test]
fn what_was_made_before_a_run_was_cut_off_changes_nothing_about_what_is_recognised() {
    let of = |address| Some(Link::id(&at(address)));
    let graph = |link| {
        want(vec![
            Resource::tagged::<Tagged>(at("x.new/a"), Place::Standby, &spec(link)),
            Resource::named::<Tagged>(at("x.new/role"), Place::Standby, "new", &spec(None)),
            Resource::named::<Tagged>(at("x.other/a"), Place::Standby, "other", &spec(None)),
        ])
    };
    let now = |role: Look, other: Look| {
        let mut seen = seen(vec![("x.new/a", Look::Absent), ("x.new/role", role), ("x.other/a", other)]);
        seen.others = vec![owned("tagged", "a-1", "x.old/a", live(1, "a", Some("theirs")))];
        seen
    };
    let is_made = |address| Look::Present(found(address, address, live(1, "a", None)));
    let first = |graph: &Graph, seen: &Observed| {
        let (plan, _) = made(graph, seen, &options(Intent::Converge));
        lines(&plan).into_iter().find(|line| line.contains("x.new/a")).unwrap_or_default()
    };
    // A missing part of its own is one of the changes.
    let own = graph(of("x.new/role"));
    for role in [Look::Absent, is_made("x.new/role")] {
        assert!(first(&own, &now(role, Look::Absent)).starts_with("Update x.new/a"));
    }
    // A part of another component that must be created is not what the old one has.
    let others = graph(of("x.other/a"));
    for other in [Look::Absent, is_made("x.other/a")] {
        assert!(first(&others, &now(Look::Absent, other)).starts_with("Create x.new/a"));
    }
}

#[test]
fn a_module_that_is_renamed_has_its_components_under_their_own_names() {
    let graph = want(vec![
        tagged::<Tagged>("module.n.x.one/a", 1, "a"),
        tagged::<Tagged>("module.n.x.two/a", 1, "a"),
    ]);
    let mut seen = seen(vec![("module.n.x.one/a", Look::Absent), ("module.n.x.two/a", Look::Absent)]);
    seen.others = vec![
        owned("tagged", "a-2", "module.o.x.one/a", live(1, "a", None)),
        owned("tagged", "a-1", "module.o.x.two/a", live(1, "a", None)),
    ];
    let (plan, _) = made(&graph, &seen, &options(Intent::Converge));
    assert_eq!(lines(&plan), ["Update module.n.x.one/a []", "Update module.n.x.two/a []"]);
    assert_eq!(plan.steps[0].id.as_deref(), Some("a-2"));
}

#[test]
fn where_two_are_alike_the_new_one_is_made_before_either_goes() {
    let graph = want(vec![tagged::<Serving>("x.new/a", 1, "a")]);
    let mut seen = seen(vec![("x.new/a", Look::Absent)]);
    seen.others = vec![
        owned("serving", "a-1", "x.one/a", live(1, "a", None)),
        owned("serving", "a-2", "x.two/a", live(1, "a", None)),
    ];
    let (plan, _) = made(&graph, &seen, &options(Intent::Converge));
    assert_eq!(lines(&plan), ["Create x.new/a []", "Delete x.one/a [0]", "Delete x.two/a [0]"]);
}

#[test]
fn what_serves_goes_once_what_comes_in_its_place_is_ready() {
    let graph = want(vec![tagged::<Serving>("x.new/a", 3, "a")]);
    let now = |size| seen(vec![("x.new/a", Look::Present(found("a-2", "x.new/a", live(size, "a", None))))]);
    let old = owned("serving", "a-1", "x.old/a", live(3, "z", None));
    let with = |seen: Observed| Observed { others: vec![old.clone()], ..seen };
    // Not all of it serves and the stack wants another size: that update must come first.
    let (plan, _) = made(&graph, &with(now(1)), &options(Intent::Converge));
    assert_eq!(lines(&plan), ["Update x.new/a []", "Delete x.old/a [0]"]);
    let (plan, _) = made(&graph, &with(now(3)), &options(Intent::Converge));
    assert_eq!(lines(&plan), ["Delete x.old/a []"]);
}

#[test]
fn what_feeds_kept_data_goes_after_its_successor_is_made() {
    let (graph, seen) = fed(Look::Absent);
    let (plan, _) = made(&graph, &seen, &options(Intent::Converge));
    assert_eq!(lines(&plan), ["Update x.new/d []", "Create x.new/f []", "Delete x.old/f [1]"]);
}

#[test]
fn what_feeds_kept_data_stays_while_its_successor_is_blocked() {
    let error = CloudError::Throttled { operation: "toy:Read".into() };
    let theirs = Found { owner: Owner::Foreign, ..found("f-new", "x.new/f", live(1, "a", Some("d"))) };
    for feed in [Look::Unknown(error), Look::Present(theirs)] {
        let (graph, seen) = fed(feed);
        let (plan, report) = made(&graph, &seen, &options(Intent::Converge));
        assert_eq!(lines(&plan), ["Update x.new/d []"]);
        assert_eq!(report.kept[0].text, "`f-old` goes once x.new/f is there");
    }
}

#[test]
fn what_feeds_kept_data_stays_where_nothing_comes_in_its_place() {
    let (mut graph, mut seen) = fed(Look::Absent);
    graph.resources.remove(&at("x.new/f"));
    seen.seen.remove(&at("x.new/f"));
    let (plan, report) = made(&graph, &seen, &options(Intent::Converge));
    assert_eq!(lines(&plan), ["Update x.new/d []"]);
    assert_eq!(report.kept[0].text, "it feeds `d`, which stays");
}

#[test]
fn what_the_stack_names_still_is_no_others() {
    let graph = want(vec![
        Resource::named::<Data>(at("x.a/d"), Place::Standby, "one", &spec(None)),
        Resource::named::<Data>(at("x.b/d"), Place::Standby, "two", &spec(None)),
    ]);
    let swapped = |id: &str, address: &str| Look::Present(found(id, address, live(1, "a", None)));
    let seen = seen(vec![("x.a/d", swapped("one", "x.b/d")), ("x.b/d", swapped("two", "x.a/d"))]);
    let (plan, report) = made(&graph, &seen, &options(Intent::Converge));
    assert!(plan.is_empty(), "{plan:?}");
    assert!(
        report.blocked[0].text.contains("give x.b and this component names that neither has had"),
        "{report:?}"
    );
}

#[test]
fn which_of_two_like_components_was_renamed_is_asked_and_the_stack_can_say_it() {
    let mut graph = want(vec![tagged::<Tagged>("x.one/a", 1, "a"), tagged::<Tagged>("x.two/a", 2, "a")]);
    let mut seen = seen(vec![("x.one/a", Look::Absent), ("x.two/a", Look::Absent)]);
    seen.others = vec![
        owned("tagged", "a-1", "x.old/a", live(3, "a", None)),
        owned("tagged", "a-2", "x.older/a", live(4, "a", None)),
    ];
    let (plan, report) = made(&graph, &seen, &options(Intent::Converge));
    assert!(plan.steps.iter().all(|step| step.action != Action::Update), "{:?}", lines(&plan));
    let asked: Vec<_> = report.notes.iter().map(|it| it.address.as_str()).collect();
    assert_eq!(asked, ["x.old", "x.older"]);
    // Pasted together they say one thing of each.
    for (note, pair) in report
        .notes
        .iter()
        .zip(["`from = \"x.old\"` and `to = \"x.one\"`", "`from = \"x.older\"` and `to = \"x.two\"`"])
    {
        assert!(note.text.contains(pair), "{}", note.text);
    }

    let component = ComponentAddress::new;
    graph.moved =
        [("x.old", "x.two"), ("x.older", "x.one")].map(|(a, b)| (component(a), component(b))).into();
    let (plan, report) = made(&graph, &seen, &options(Intent::Converge));
    let of: Vec<_> = plan.steps.iter().map(|step| (step.address.as_str(), step.id.as_deref())).collect();
    assert_eq!(of, [("x.one/a", Some("a-2")), ("x.two/a", Some("a-1"))]);
    assert!(plan.steps.iter().all(|step| step.action == Action::Update));
    assert_eq!(report.notes, []);
}

#[test]
fn a_rename_that_the_stack_says_is_done_once() {
    let mut graph = want(vec![tagged::<Tagged>("x.new/a", 1, "a")]);
    graph.moved.insert(ComponentAddress::new("x.old"), ComponentAddress::new("x.new"));
    let seen = seen(vec![("x.new/a", Look::Present(found("a-1", "x.new/a", live(1, "a", None))))]);
    let (plan, report) = made(&graph, &seen, &options(Intent::Converge));
    assert!(plan.is_empty() && report.notes.is_empty(), "{plan:?} {report:?}");
}

#[test]
fn a_question_about_a_key_of_for_each_is_valid_toml() {
    let graph = want(vec![tagged::<Tagged>("x.one[\"a\"]/a", 1, "a")]);
    let mut seen = seen(vec![("x.one[\"a\"]/a", Look::Absent)]);
    seen.others = vec![owned("tagged", "a-1", "x.old/a", live(3, "b", None))];
    let (_, report) = made(&graph, &seen, &options(Intent::Converge));
    let text = &report.notes[0].text;
    assert!(text.contains("`from = \"x.old\"` and `to = 'x.one[\"a\"]'`"), "{text}");
}

#[test]
fn a_question_about_any_key_is_valid_toml() {
    for key in ["it's", "a\\b", "tab\there", "both ' and \\"] {
        let new = format!("x.one[\"{key}\"]");
        let graph = want(vec![tagged::<Tagged>(&format!("{new}/a"), 1, "a")]);
        let mut seen = seen(vec![(&format!("{new}/a"), Look::Absent)]);
        seen.others = vec![owned("tagged", "a-1", "x.old/a", live(3, "b", None))];
        let (_, report) = made(&graph, &seen, &options(Intent::Converge));
        let text = &report.notes[0].text;
        let said = text.split("`to = ").nth(1).and_then(|it| it.split("`, and").next()).unwrap();
        let parsed: toml::Table = toml::from_str(&format!("to = {said}")).expect(said);
        assert_eq!(parsed["to"].as_str(), Some(new.as_str()), "{said}");
    }
}

#[test]
fn a_chain_of_renames_is_followed_from_whichever_name_exists() {
    let component = ComponentAddress::new;
    for old in ["x.first", "x.second"] {
        let mut graph = want(vec![tagged::<Tagged>("x.third/a", 1, "a")]);
        graph.moved = [("x.first", "x.second"), ("x.second", "x.third")]
            .map(|(a, b)| (component(a), component(b)))
            .into();
        let mut seen = seen(vec![("x.third/a", Look::Absent)]);
        seen.others = vec![owned("tagged", "a-1", &format!("{old}/a"), live(7, "a", None))];
        let (plan, report) = made(&graph, &seen, &options(Intent::Converge));
        assert_eq!(plan.steps[0].id.as_deref(), Some("a-1"), "{:?}", lines(&plan));
        assert_eq!(report.notes, []);
    }
}

#[test]
fn a_mistyped_from_is_named_with_the_one_that_was_meant() {
    let mut graph = want(vec![tagged::<Tagged>("x.new/a", 1, "a")]);
    graph.moved.insert(ComponentAddress::new("x.serving"), ComponentAddress::new("x.new"));
    let mut seen = seen(vec![("x.new/a", Look::Absent)]);
    seen.others = vec![owned("tagged", "a-1", "x.servings/a", live(7, "a", None))];
    let (_, report) = made(&graph, &seen, &options(Intent::Converge));
    let asked = |text: &str| report.notes.iter().any(|it| it.text.contains(text));
    assert!(
        asked("`from = \"x.serving\"`, which the stack never made; did you mean \"x.servings\"?"),
        "{report:?}"
    );
}

/// Two components that exchanged the data they feed, in several applies: an older feed goes, since
/// the other component's feeds the data now.
#[test]
fn what_feeds_data_goes_once_another_component_feeds_it() {
    let link = Some(Link::Known("d".to_owned()));
    let graph = want(vec![
        Resource::named::<Data>(at("x.a/d"), Place::Standby, "d", &spec(None)),
        Resource::named::<Feed>(at("x.a/f"), Place::Standby, "f-a", &spec(link)),
        Resource::named::<Data>(at("x.b/d"), Place::Standby, "e", &spec(None)),
    ]);
    let mut seen = seen(vec![
        ("x.a/d", Look::Present(found("d", "x.a/d", live(1, "a", None)))),
        ("x.a/f", Look::Present(found("f-a", "x.a/f", live(1, "a", Some("d"))))),
        ("x.b/d", Look::Present(found("e", "x.b/d", live(1, "a", None)))),
    ]);
    seen.others = vec![owned("feed", "f-b", "x.b/f", live(1, "a", Some("d")))];
    let (plan, report) = made(&graph, &seen, &options(Intent::Converge));
    assert_eq!((lines(&plan), report.kept), (vec!["Delete x.b/f []".to_owned()], vec![]));
}
