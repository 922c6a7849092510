//! A failover that restores data before anything reads it: few random lives have one in which no other
//! edge stands for the one that is missing, so the stack is a fixed one.

use std::collections::BTreeSet;

use drstack_core::cloud::{Found, Owner};
use drstack_core::compile::compile;
use drstack_core::graph::Resource;
use drstack_core::kind::Capabilities;
use drstack_core::objective::Mode;
use drstack_core::observe::{Look, Observed};
use drstack_core::plan::{Intent, Options, plan};

use super::{Phase, broken};
use crate::loaded::{facts, stack};
use crate::props::planted::{Edge, Flaw, When, lack};

/// Traffic, and a table that a failover restores; nothing runs instances.
const STACK: &str = r#"
[stack]
name    = "fleet"
primary = "us-east-1"
standby = "us-west-2"
posture = "cold"

[traffic.api]
zone           = "example.com"
record         = "api"
primary_target = "east.example.com"
standby_target = "west.example.com"
probe          = "https://api.example.com/healthz"

[table.features]
name = "acme-features"
"#;

/// A check of the table. It stands between data and traffic.
const CHECK: &str = r#"
[[table.features.check]]
table = "@table.features"
item  = { id = "1" }
"#;

/// Returns what the law misses in the plan of this intent without `edge`.
fn missed(edge: Option<Edge>, when: When, check: &str) -> Vec<String> {
    let (stack, kinds) = (stack(&format!("{STACK}{check}")), drstack_kinds::kinds());
    let graph = compile(&stack, &facts(&stack), Mode::Active).graph;
    // Traffic moves by an alarm that was there before, and what is restored was exported.
    let is_there = |of: Capabilities| of.is_read_elsewhere || of.is_found.is_some();
    let look = |it: &Resource| match kinds.get(&it.kind).filter(|kind| is_there(kind.capabilities())) {
        Some(kind) => {
            let id = it.name.clone().unwrap();
            let live = kind.expect(&it.spec, &id).unwrap();
            Look::Present(Found { id, owner: Owner::Ours(it.address.clone()), live })
        }
        None => Look::Absent,
    };
    let seen = graph.resources.values().map(|it| (it.address.clone(), look(it))).collect();
    let seen = Observed { seen, ..Observed::default() };
    let options = Options {
        intent: if when == When::Planned { Intent::PlannedFailover } else { Intent::Failover },
        mode: Mode::Active,
        targets: if when == When::Part { vec!["traffic.api".to_owned()] } else { Vec::new() },
        delete_data: BTreeSet::new(),
    };
    let (mut plan, _) = plan(&graph, &seen, &kinds, &stack.facts, &options).unwrap();
    lack(edge.map(|edge| Flaw::Lacks(edge, when)), &graph, &kinds, &options, &mut plan);
    broken(&graph, &seen, &kinds, &options, &plan)
}

/// The plans of a failover.
const FAILOVERS: [When; 3] = [When::Failover, When::Planned, When::Part];

#[test]
fn a_failover_that_restores_data_keeps_the_order() {
    for when in FAILOVERS {
        assert_eq!(missed(None, when, ""), [""; 0], "{when:?}");
        assert_eq!(missed(None, when, CHECK), [""; 0], "{when:?}");
    }
}

#[test]
fn traffic_before_restored_data_is_found_by_the_law_of_order() {
    for when in FAILOVERS {
        let missed = missed(Some(Edge::Phases(Phase::Data, Phase::Traffic)), when, "");
        assert!(missed.iter().any(|it| it.starts_with("up before traffic")), "{when:?}: {missed:?}");
    }
}

#[test]
fn a_check_before_restored_data_is_found_by_the_law_of_order() {
    for when in FAILOVERS {
        let missed = missed(Some(Edge::Phases(Phase::Data, Phase::Check)), when, CHECK);
        assert!(missed.iter().any(|it| it.starts_with("up before it is asked")), "{when:?}: {missed:?}");
    }
}
