//! Facts without an answer: for each kind of fact and each error, the plan gives the reason in
//! place of the step.

use std::collections::BTreeSet;

use drstack_core::cloud::CloudError;
use drstack_core::compile::{compile, queries};
use drstack_core::diagnostic::{is_invalid, render};
use drstack_core::facts::{FactQuery, Facts};
use drstack_core::kind::Place;
use drstack_core::objective::Mode;
use drstack_core::observe::{Look, Observed};
use drstack_core::plan::{Intent, Options, Plan, PlanReport, plan};
use drstack_core::stack::Stack;

use crate::loaded::{facts, stack};

/// A stack that asks every kind of fact, and another one for the components that exclude it.
const STACKS: [&str; 2] = [
    "[bucket.models]\nname = \"acme-models\"\n\
     [table.features]\nname = \"acme-features\"\n\
     [image.base]\nsource = \"acme-base\"\n\
     [network.standby]\ncidr = \"10.64.0.0/16\"\n\
     [pool.inference]\nfollows = \"fleet-inference\"\nnetwork = \"@network.standby\"\nreservations = [\"cr-0abc\"]\n\
     buckets = [\"@bucket.models\"]\n\
     [traffic.api]\nzone = \"example.com\"\nrecord = \"api\"\nprimary_target = \"east.example.com\"\n\
     standby_target = \"west.example.com\"\nprobe = \"https://api.example.com/healthz\"\n",
    "[network.standby]\ntags = { team = \"fleet\" }\n\
     [table.features]\nname = \"acme-features\"\nposture = \"cold\"\n",
];

/// Facts that only the standby region is asked for. No resource outside it depends on them.
const WITHIN: [&str; 3] = ["network", "reservation", "zones"];

fn loaded(body: &str) -> Stack {
    stack(&format!(
        "[stack]\nname = \"fleet\"\nprimary = \"us-east-1\"\nstandby = \"us-west-2\"\nposture = \"warm\"\n\n{body}"
    ))
}

/// Returns each error that a question can end with.
fn errors() -> [CloudError; 5] {
    let (operation, message) = ("svc:Ask".to_owned(), "said so".to_owned());
    [
        CloudError::Throttled { operation: operation.clone() },
        CloudError::Denied { operation: operation.clone(), message: message.clone() },
        CloudError::Unreachable {
            operation: operation.clone(),
            region: "us-east-1".to_owned(),
            message: message.clone(),
        },
        CloudError::Invalid {
            operation: operation.clone(),
            code: "CannotFollow".to_owned(),
            message: message.clone(),
        },
        CloudError::Other { operation, message },
    ]
}

/// Makes `query` fail in this run. An earlier run had an answer if `is_kept`.
fn fail(facts: &mut Facts, query: &FactQuery, error: &CloudError, is_kept: bool) {
    facts.failed.insert(query.key(), error.clone());
    if !is_kept {
        assert!(facts.answers.remove(&query.key()).is_some(), "no seed for {}", query.key());
    }
}

/// Returns the errors in the stack, and the plan of a first apply.
fn planned(stack: &Stack, facts: &Facts) -> (String, Option<(Plan, PlanReport)>) {
    let compiled = compile(stack, facts, Mode::Standby);
    let text = render(&compiled.problems, &stack.sources, false);
    if compiled.has_errors() {
        return (text, None);
    }
    let seen = compiled.graph.resources.keys().map(|address| (address.clone(), Look::Absent)).collect();
    let seen = Observed { seen, ..Observed::default() };
    let options = Options {
        intent: Intent::Converge,
        mode: Mode::Standby,
        targets: Vec::new(),
        delete_data: BTreeSet::new(),
    };
    (text, plan(&compiled.graph, &seen, &drstack_kinds::kinds(), &stack.facts, &options).ok())
}

/// Returns the steps of the components that ask `query`, except those in the standby region and
/// those on the stack's own resources.
fn steps_on_the_primary(stack: &Stack, plan: &Plan, query: &FactQuery) -> Vec<String> {
    let asks = |component: &str| {
        stack.components.values().any(|it| {
            it.address.to_string() == component && it.component.facts(&it.spec, &stack.facts).contains(query)
        })
    };
    let through_primary = |kind: &str| kind == "table-replica";
    let all = plan.steps.iter().filter(|it| it.place != Place::Standby || through_primary(&it.kind));
    // The role of instances is the stack's own. It only depends on the fact of the account that has
    // to own the buckets.
    let is_own = |kind: &str| kind.starts_with("instance-") && query.kind != "account";
    let all = all.filter(|it| !is_own(&it.kind) && asks(&it.address.component().to_string()));
    all.map(|it| it.address.to_string()).collect()
}

#[test]
fn a_fact_that_was_not_answered_shows_its_error_in_the_place_of_every_step_on_the_primary() {
    let mut asked = BTreeSet::new();
    for stack in STACKS.map(loaded) {
        for query in queries(&stack) {
            asked.insert(query.kind.clone());
            for (error, is_kept) in errors().iter().flat_map(|it| [(it, false), (it, true)]) {
                let what = format!("{} {error} kept: {is_kept}", query.key());
                let mut facts = facts(&stack);
                fail(&mut facts, &query, error, is_kept);
                let (problems, planned) = planned(&stack, &facts);
                let Some((plan, report)) = planned else {
                    assert!(problems.contains(&error.to_string()), "{what}: {problems}");
                    continue;
                };
                assert_eq!(steps_on_the_primary(&stack, &plan, &query), [""; 0], "{what}");
                let says = |text: &str| text.contains(&error.to_string()) && text.contains(&error.hint());
                let is_said = report.blocked.iter().filter(|it| says(&it.text)).count();
                let touches = !WITHIN.contains(&&*query.kind) && !["group", "image"].contains(&&*query.kind);
                // The account is a fact of the bucket and of the pool's role.
                let said = if query.kind == "account" { 2 } else { usize::from(touches) };
                assert_eq!(is_said, said, "{what}: {:?}", report.blocked);
            }
        }
    }
    let known = ["account", "bucket", "dns", "group", "image", "network", "reservation", "table", "zones"];
    assert_eq!(asked, known.map(str::to_owned).into(), "a kind of fact is not held against this");
}

/// Components that compile to nothing without their fact, beside those of [`STACKS`].
const NEEDY: &str = "[queue.jobs]\nname = \"acme-jobs\"\n\
     [table.features]\nname = \"acme-features\"\nposture = \"cold\"\n\
     [[table.features.check]]\ntable = \"@table.features\"\n";

#[test]
fn of_facts_without_an_answer_a_refusal_alone_makes_the_stack_invalid() {
    let mut needed = BTreeSet::new();
    for stack in [STACKS[0], STACKS[1], NEEDY].map(loaded) {
        for (query, error) in queries(&stack).iter().flat_map(|it| errors().map(|error| (it, error))) {
            let mut facts = facts(&stack);
            fail(&mut facts, query, &error, false);
            for mode in [Mode::Standby, Mode::Active] {
                let compiled = compile(&stack, &facts, mode);
                let is_refused = matches!(error, CloudError::Invalid { .. });
                let expected = compiled.has_errors() && is_refused;
                let text = render(&compiled.problems, &stack.sources, false);
                assert_eq!(is_invalid(&compiled.problems), expected, "{} {error}: {text}", query.key());
                needed.extend(compiled.has_errors().then(|| query.kind.clone()));
            }
        }
    }
    let known = ["dns", "group", "image", "network", "queue", "zones"];
    assert_eq!(needed, known.map(str::to_owned).into());
}

#[test]
fn a_refusal_is_not_hidden_by_what_was_answered_before() {
    let stack = loaded(STACKS[0]);
    let query = FactQuery::primary("group", "fleet-inference");
    for error in errors() {
        let mut facts = facts(&stack);
        fail(&mut facts, &query, &error, true);
        let is_refused = matches!(error, CloudError::Invalid { .. });
        assert_eq!(planned(&stack, &facts).1.is_none(), is_refused, "{error}");
    }
}

#[test]
fn what_is_made_outside_of_the_standby_region_lacks_a_fact_that_was_not_answered_now() {
    let stack = loaded("[bucket.models]\nname = \"acme-models\"\n");
    let answered = facts(&stack);
    let graph = |facts: &Facts| compile(&stack, facts, Mode::Standby).graph;
    assert!(graph(&answered).resources.values().all(|it| it.lacking.is_none()));
    let queries = queries(&stack);
    assert_eq!(queries.len(), 2, "whose the buckets are, and what the bucket is");
    for query in queries {
        let mut facts = answered.clone();
        fail(&mut facts, &query, &errors()[0], true);
        for (address, resource) in graph(&facts).resources {
            assert_eq!(resource.lacking.is_some(), resource.place != Place::Standby, "{address}");
        }
    }
}
