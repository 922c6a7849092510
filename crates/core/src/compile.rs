//! Compile: stack and facts in, graph out; pure.

use std::collections::BTreeMap;

use petgraph::algo::toposort;
use petgraph::graph::DiGraph;

use crate::address::{Address, ComponentAddress};
use crate::component::{CompileCx, Exports, Problem, ResourceSet};
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::facts::{FactQuery, Facts};
use crate::graph::Graph;
use crate::kind::Place;
use crate::objective::Mode;
use crate::plan::Remark;
use crate::stack::{Declared, Stack};

/// What a stack becomes for one mode.
#[derive(Debug, Default)]
pub struct Compiled {
    /// The wanted resources.
    pub graph: Graph,
    /// What is wrong; any error means that the graph must not be used.
    pub problems: Vec<Diagnostic>,
    /// What components deliberately leave out, and why.
    pub notes: Vec<Remark>,
}

impl Compiled {
    /// True when the graph must not be used.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

/// What the live regions have to be asked before `stack` can be compiled, each question once.
pub fn queries(stack: &Stack) -> Vec<FactQuery> {
    let mut queries: Vec<_> =
        stack.components.values().flat_map(|it| it.component.facts(&it.spec, &stack.facts)).collect();
    queries.sort();
    queries.dedup();
    queries
}

/// The resources that `stack` needs in the standby region for `mode`.
pub fn compile(stack: &Stack, facts: &Facts, mode: Mode) -> Compiled {
    let mut compiled = Compiled::default();
    let mut exports: BTreeMap<ComponentAddress, Exports> = BTreeMap::new();
    for declared in in_order(stack) {
        let cx = CompileCx {
            stack: &stack.facts,
            address: &declared.address,
            posture: declared.posture,
            mode,
            objective: declared.objective,
            facts,
            exports: &exports,
        };
        let mut set = ResourceSet::default();
        declared.component.compile(&declared.spec, &cx, &mut set);
        compiled.problems.extend(set.problems.iter().map(|problem| diagnose(declared, problem)));
        let address = declared.address.to_string();
        compiled.notes.extend(set.notes.into_iter().map(|text| Remark { address: address.clone(), text }));
        for mut resource in set.resources {
            resource.tier = declared.objective.tier;
            compiled.graph.resources.insert(resource.address.clone(), resource);
        }
        exports.insert(declared.address.clone(), set.exports);
    }
    let clashes = clashes(stack, &compiled.graph);
    compiled.problems.extend(clashes);
    compiled
}

/// Components, each after those it refers to. The loader has refused cycles; without one the order is total.
fn in_order(stack: &Stack) -> Vec<&Declared> {
    let mut graph = DiGraph::new();
    let nodes: BTreeMap<_, _> =
        stack.components.keys().rev().map(|address| (address, graph.add_node(address))).collect();
    for (address, declared) in &stack.components {
        for target in &declared.refers_to {
            if let Some(target) = nodes.get(target) {
                graph.add_edge(*target, nodes[address], ());
            }
        }
    }
    match toposort(&graph, None) {
        Ok(order) => order.into_iter().map(|node| &stack.components[graph[node]]).collect(),
        Err(_) => stack.components.values().collect(),
    }
}

/// Two resources that would be one and the same AWS object.
fn clashes(stack: &Stack, graph: &Graph) -> Vec<Diagnostic> {
    let mut owners: BTreeMap<(&str, Place, &str), &Address> = BTreeMap::new();
    let mut found = Vec::new();
    for resource in graph.resources.values() {
        let Some(name) = &resource.name else { continue };
        let Some(first) = owners.insert((&resource.kind, resource.place, name), &resource.address) else {
            continue;
        };
        let problem = Problem {
            code: "DR290",
            severity: Severity::Error,
            message: format!("{} and {first} are both {} `{name}`", resource.address, resource.kind),
            field: "name",
            help: "give one of the two components another name, or remove it".to_owned(),
        };
        if let Some(declared) = stack.components.get(&resource.address.component()) {
            found.push(diagnose(declared, &problem));
        }
    }
    found
}

fn diagnose(declared: &Declared, problem: &Problem) -> Diagnostic {
    let mut spans = Vec::new();
    spans.extend(declared.fields.get(problem.field).or(declared.origin.first()).cloned().map(|it| (it, "")));
    spans.extend(declared.origin.iter().skip(1).cloned().map(|it| (it, "used here")));
    Diagnostic {
        code: problem.code,
        severity: problem.severity,
        message: format!("{}: {}", declared.address, problem.message),
        labels: spans.into_iter().map(|(span, text)| Label { span, text: text.to_owned() }).collect(),
        help: Some(problem.help.clone()),
    }
}
