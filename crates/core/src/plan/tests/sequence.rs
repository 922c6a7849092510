//! Tests of the order of failover and failback, which follows from the properties of the kinds.

use super::*;
use crate::graph::Waits;
use crate::plan::waits::go_without;

fn sized(size: u32) -> Spec {
    Spec { size, ..spec(None) }
}

fn of<K: Kind<Spec = Spec>>(address: &str, tier: u8, size: u32) -> Resource {
    Resource { tier, ..Resource::named::<K>(at(address), Place::Standby, address, &sized(size)) }
}

/// Two resources of each phase in tiers 1 and 2, and one of tier 3; no resource names another.
fn parts(size: u32) -> Graph {
    let after_traffic = of::<Ask>("t.one/answer", 1, 1).after(&at("t.one/switch"));
    want(vec![
        of::<Ask>("c.one/check", 1, 1),
        of::<Ask>("c.two/check", 2, 1),
        of::<Data>("d.one/table", 1, 1),
        of::<Data>("d.two/table", 2, 1),
        of::<Pool>("p.one/group", 1, size),
        of::<Pool>("p.two/group", 2, size),
        of::<Pool>("p.three/group", 3, size),
        of::<Switch>("t.one/switch", 1, size),
        of::<Switch>("t.two/switch", 2, size),
        after_traffic,
    ])
}

fn live(size: u32, address: &str) -> Look {
    Look::Present(found(address, address, json!({"size": size, "fixed": "a", "link": null})))
}

/// Observed state in standby: pools and switches of this size, and no table.
fn standing(size: u32) -> Observed {
    let sized = ["p.one/group", "p.two/group", "p.three/group", "t.one/switch", "t.two/switch"];
    let mut all: Vec<_> = sized.into_iter().map(|it| (it, live(size, it))).collect();
    all.extend(["d.one/table", "d.two/table"].map(|it| (it, Look::Absent)));
    seen(all)
}

fn fails_over(graph: &Graph, seen: &Observed) -> (Plan, PlanReport) {
    made(graph, seen, &Options { mode: Mode::Active, ..options(Intent::Failover) })
}

/// Returns the components that have ended when the step on `address` starts.
fn before(plan: &Plan, address: &str) -> Vec<String> {
    let id = plan.steps.iter().position(|it| it.address.as_str() == address);
    let id = id.unwrap_or_else(|| panic!("no step {address}: {:?}", lines(plan)));
    let all: BTreeSet<String> =
        plan.before(id).map(|it| plan.steps[it].address.component().to_string()).collect();
    all.into_iter().collect()
}

/// Returns the components whose steps must be done before it, not only ended.
fn needed(plan: &Plan, address: &str) -> Vec<String> {
    let id = plan.steps.iter().position(|it| it.address.as_str() == address).unwrap();
    let gates = plan.gates.iter().filter(|gate| gate.holds.contains(&id)).flat_map(|gate| &gate.needs);
    let all: BTreeSet<String> = gates
        .chain(&plan.steps[id].needs)
        .map(|it| plan.steps[*it].address.component().to_string())
        .collect();
    all.into_iter().collect()
}

fn texts(remarks: &[Remark]) -> Vec<String> {
    remarks.iter().map(|it| format!("{}: {}", it.address, it.text)).collect()
}

#[test]
fn data_comes_before_capacity_before_checks_before_traffic_of_its_tier_and_those_before() {
    let (plan, report) = fails_over(&parts(4), &standing(2));
    assert_eq!(report.blocked, []);
    assert_eq!(before(&plan, "d.two/table"), [""; 0]);
    assert_eq!(before(&plan, "p.one/group"), ["d.one"]);
    assert_eq!(before(&plan, "p.two/group"), ["d.one", "d.two", "p.one"]);
    assert_eq!(before(&plan, "c.one/check"), ["d.one", "p.one"]);
    assert_eq!(before(&plan, "t.one/switch"), ["c.one", "d.one", "p.one"]);
    assert_eq!(before(&plan, "t.two/switch"), ["c.one", "c.two", "d.one", "d.two", "p.one", "p.two"]);
    assert_eq!(before(&plan, "t.one/answer"), ["t.one"], "what comes after traffic holds back none of it");
}

#[test]
fn only_traffic_needs_all_of_it_and_the_rest_goes_on_where_something_fails() {
    let (plan, _) = fails_over(&parts(4), &standing(2));
    assert_eq!(needed(&plan, "p.two/group"), [""; 0]);
    assert_eq!(needed(&plan, "c.two/check"), [""; 0]);
    assert_eq!(needed(&plan, "t.one/switch"), ["c.one", "d.one", "p.one"]);
}

#[test]
fn the_predicted_time_of_a_failover_counts_what_traffic_waits_for() {
    let (mut plan, _) = fails_over(&parts(4), &standing(2));
    for step in &mut plan.steps {
        step.estimate = match step.kind.as_str() {
            "data" => 600.0,
            "pool" => 60.0,
            "switch" => 90.0,
            _ => 1.0,
        };
    }
    let (path, length) = plan.critical_path();
    let path: Vec<&str> = path.iter().map(|it| plan.steps[*it].kind.as_str()).collect();
    assert_eq!(
        (path, length.as_secs()),
        (vec!["data", "pool", "pool", "ask", "switch"], 600 + 60 + 60 + 1 + 90)
    );
}

#[test]
fn an_after_of_the_stack_names_all_that_traffic_waits_for() {
    let mut graph = parts(4);
    let switch = graph.resources.get_mut(&at("t.two/switch")).unwrap();
    (switch.waits, switch.after) = (Waits::Named, vec![at("p.three/group")]);
    let switch = graph.resources.get_mut(&at("t.one/switch")).unwrap();
    switch.waits = Waits::Named;
    let (plan, _) = fails_over(&graph, &standing(2));
    assert_eq!(before(&plan, "t.two/switch"), ["p.three"]);
    assert_eq!(before(&plan, "t.one/switch"), [""; 0]);
}

#[test]
fn traffic_stays_while_what_it_waits_for_cannot_be_made_and_the_way_on_is_said() {
    let denied = || Look::Unknown(CloudError::Throttled { operation: "toy:Read".into() });
    let mut seen = standing(2);
    seen.seen.insert(at("p.two/group"), denied());
    let (plan, report) = fails_over(&parts(4), &seen);
    let steps: Vec<&str> = plan.steps.iter().map(|it| it.address.as_str()).collect();
    assert!(steps.contains(&"t.one/switch") && steps.contains(&"p.three/group"), "{steps:?}");
    assert!(!steps.contains(&"t.two/switch"), "{steps:?}");
    let said = "t.two/switch: traffic stays where it is: it waits for p.two/group; fix that and run this again, \
                or add `--not-waiting-for p.two` to go without";
    assert!(texts(&report.blocked).contains(&said.to_owned()), "{:?}", report.blocked);
    // Traffic does not wait for what the operator goes without.
    let mut graph = parts(4);
    go_without(&mut graph, &kinds(), &["p.two".to_owned()]);
    let (plan, _) = fails_over(&graph, &seen);
    assert_eq!(before(&plan, "t.two/switch"), ["c.one", "c.two", "d.one", "d.two", "p.one"]);
}

#[test]
fn while_the_standby_serves_an_apply_moves_no_traffic_to_capacity_that_is_not_up() {
    let active = Options { mode: Mode::Active, ..options(Intent::Converge) };
    let mut seen = standing(3);
    seen.seen.insert(at("t.one/switch"), live(2, "t.one/switch"));
    let (plan, report) = made(&parts(3), &seen, &active);
    assert!(plan.steps.iter().all(|it| it.kind != "switch"), "{plan:?}");
    assert!(report.blocked[0].text.contains("p.one/group (not all of them serve)"), "{report:?}");
}

#[test]
fn a_target_that_moves_traffic_takes_along_what_it_waits_for() {
    let active = |targets: &[&str]| Options {
        mode: Mode::Active,
        targets: targets.iter().map(|it| (*it).to_owned()).collect(),
        ..options(Intent::Converge)
    };
    let (plan, _) = made(&parts(4), &standing(2), &active(&["t.one"]));
    let steps: BTreeSet<&str> = plan.steps.iter().map(|it| it.address.as_str()).collect();
    let along = ["c.one/check", "d.one/table", "p.one/group", "t.one/answer", "t.one/switch"];
    assert_eq!(steps, along.into());
}

#[test]
fn failing_back_nothing_shrinks_before_all_traffic_has_left() {
    let (plan, _) = made(&parts(2), &standing(4), &options(Intent::Failback));
    for pool in ["p.one/group", "p.two/group", "p.three/group"] {
        assert_eq!(needed(&plan, pool), ["t.one", "t.two"], "{pool}");
    }
    assert_eq!(before(&plan, "t.one/switch"), [""; 0]);
}

#[test]
fn an_apply_in_standby_that_leads_traffic_away_shrinks_after_it() {
    let (plan, _) = made(&parts(2), &standing(4), &options(Intent::Converge));
    assert_eq!(needed(&plan, "p.one/group"), ["t.one", "t.two"]);
}

#[test]
fn shares_of_traffic_change_once_capacity_has_grown_and_before_it_shrinks() {
    let graph = want(vec![
        of::<Pool>("p.more/group", 1, 4),
        of::<Pool>("p.less/group", 1, 2),
        of::<Shares>("t.one/shares", 1, 2),
    ]);
    let sizes = [("p.more/group", 2), ("p.less/group", 4), ("t.one/shares", 4)];
    let seen = seen(sizes.map(|(address, size)| (address, live(size, address))).into());
    let (plan, _) = made(&graph, &seen, &options(Intent::Converge));
    assert_eq!(needed(&plan, "t.one/shares"), ["p.more"]);
    assert_eq!(needed(&plan, "p.less/group"), ["t.one"]);
}

#[test]
fn users_leave_before_what_serves_them_shrinks_or_goes() {
    let graph = want(vec![of::<Name>("t.one/name", 1, 2), of::<Pool>("p.one/group", 1, 2)]);
    let there = || seen(["t.one/name", "p.one/group"].map(|it| (it, live(2, it))).into());
    let (plan, _) = made(&graph, &there(), &options(Intent::Destroy));
    assert_eq!(needed(&plan, "p.one/group"), ["t.one"], "a destroy");
    // An apply and a failback of a stack without them.
    for intent in [Intent::Converge, Intent::Failback] {
        let orphan = |kind, address: &str| {
            let Look::Present(found) = live(2, address) else { unreachable!() };
            Owned { kind, place: Place::Standby, address: at(address), found }
        };
        let others = vec![orphan("pool", "p.one/group"), orphan("name", "t.one/name")];
        let (plan, _) = made(&want(vec![]), &Observed { others, ..Observed::default() }, &options(intent));
        assert_eq!(needed(&plan, "p.one/group"), ["t.one"], "{intent:?}");
    }
}

#[test]
fn a_pool_that_goes_waits_for_the_shares_of_traffic() {
    let graph = want(vec![of::<Shares>("t.one/shares", 1, 2)]);
    let mut seen = seen(vec![("t.one/shares", live(4, "t.one/shares"))]);
    let Look::Present(found) = live(4, "p.gone/group") else { unreachable!() };
    let address = at("p.gone/group");
    seen.others.push(Owned { kind: "pool", place: Place::Standby, address, found });
    let (plan, _) = made(&graph, &seen, &options(Intent::Converge));
    assert_eq!(needed(&plan, "p.gone/group"), ["t.one"]);
}

#[test]
fn the_edges_of_an_order_grow_with_the_stack_and_not_with_its_square() {
    let edges = |count: u32| {
        let each = |number: u32| {
            [
                of::<Pool>(&format!("p.n{number}/group"), 1, 4),
                of::<Switch>(&format!("t.n{number}/switch"), 1, 4),
            ]
        };
        let graph = want((0..count).flat_map(each).collect());
        let seen = graph.resources.keys().map(|it| (it.as_str(), live(2, it.as_str()))).collect();
        let (plan, _) = fails_over(&graph, &super::seen(seen));
        assert_eq!(plan.steps.len(), 2 * count as usize);
        let of_gates = plan.gates.iter().map(|it| it.before().count() + it.holds.len()).sum::<usize>();
        of_gates + plan.steps.iter().map(|it| it.before().count()).sum::<usize>()
    };
    assert_eq!(edges(200), 10 * edges(20));
}

#[test]
fn nothing_shrinks_while_the_planner_cannot_see_where_traffic_is() {
    let unseen = || Look::Unknown(CloudError::Throttled { operation: "toy:Read".into() });
    for intent in [Intent::Failback, Intent::Converge] {
        let mut seen = standing(4);
        let (plan, _) = made(&parts(2), &seen, &options(intent));
        assert!(plan.steps.iter().any(|it| it.kind == "pool"), "{intent:?} shrinks pools else");
        seen.seen.insert(at("t.one/switch"), unseen());
        let (plan, report) = made(&parts(2), &seen, &options(intent));
        assert!(plan.steps.iter().all(|it| it.kind != "pool"), "{intent:?}: {:?}", lines(&plan));
        let said = "t.one/switch: traffic may still be on the standby region, so nothing there shrinks or is \
                    deleted: p.one/group, p.three/group, p.two/group";
        assert!(texts(&report.blocked).contains(&said.to_owned()), "{:?}", report.blocked);
    }
}

/// B30
#[test]
fn checks_and_traffic_do_not_wait_for_capacity_that_serves_already_to_be_exchanged() {
    let mut graph = parts(2);
    let check = graph.resources[&at("c.one/check")].clone().after(&at("p.one/group"));
    graph.resources.insert(check.address.clone(), check);
    let (plan, report) = fails_over(&graph, &standing(4));
    assert_eq!(report.blocked, []);
    assert!(lines(&plan).iter().any(|it| it.starts_with("Update p.one/group")), "{plan:?}");
    assert_eq!(before(&plan, "c.one/check"), ["d.one"]);
    assert_eq!(before(&plan, "t.one/switch"), ["c.one", "d.one"]);
    let (plan, _) = fails_over(&parts(4), &standing(2));
    assert_eq!(before(&plan, "t.one/switch"), ["c.one", "d.one", "p.one"]);
}
