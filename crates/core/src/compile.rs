//! The compiler: stack and facts in, graph out; pure.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::toposort;
use petgraph::graph::DiGraph;
use serde_json::Value;

use crate::address::{Address, ComponentAddress};
use crate::component::{CHECKS, CompileCx, Exports, ResourceSet};
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::facts::{FactQuery, Facts};
use crate::graph::{Graph, Resource};
use crate::kind::Place;
use crate::link::Link;
use crate::objective::{Mode, Standing};
use crate::plan::Remark;
use crate::stack::{Declared, Stack};

/// Result of compiling a stack for one mode.
#[derive(Debug, Default)]
pub struct Compiled {
    /// The desired resources.
    pub graph: Graph,
    /// Problems; any error means that the graph must not be used.
    pub problems: Vec<Diagnostic>,
    /// Notes on what components deliberately leave out, and why.
    pub notes: Vec<Remark>,
    /// What is set on followed objects of the primary and not carried.
    pub not_carried: Vec<Remark>,
}

impl Compiled {
    /// True if the graph must not be used.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Compiles a component or a check; stores its problems and notes.
    fn add(&mut self, declared: &Declared, cx: &CompileCx<'_>) -> ResourceSet {
        let mut set = ResourceSet::default();
        declared.component.compile(&declared.spec, cx, &mut set);
        let asked = declared.component.facts(&declared.spec, cx.stack);
        if let Some(lacking) = asked.iter().find_map(|query| cx.facts.lacks(query)) {
            for resource in set.resources.iter_mut().filter(|it| it.rests_on_facts) {
                resource.lacking = Some(lacking.clone());
            }
        }
        self.problems.extend(set.problems.iter().map(|problem| declared.diagnose(problem)));
        let address = declared.address.to_string();
        let remark = |text| Remark { address: address.clone(), text };
        self.notes.extend(std::mem::take(&mut set.notes).into_iter().map(remark));
        self.not_carried.extend(std::mem::take(&mut set.not_carried).into_iter().map(remark));
        set
    }

    fn insert(&mut self, declared: &Declared, resources: Vec<Resource>) {
        for mut resource in resources {
            resource.tier = declared.objective.tier;
            self.graph.resources.insert(resource.address.clone(), resource);
        }
    }

    /// Returns the resources of these components in the standby region.
    fn standby_of<'a>(&self, components: impl Iterator<Item = &'a ComponentAddress>) -> Vec<Address> {
        let components: BTreeSet<&ComponentAddress> = components.collect();
        let mut found = Vec::new();
        for component in components {
            // Addresses of one component are adjacent, the shortest first.
            let from = self.graph.resources.range(Address::new(component, "")..);
            let theirs = from.take_while(|(address, _)| address.component() == *component);
            found.extend(theirs.filter(|(_, it)| it.place == Place::Standby).map(|(at, _)| at.clone()));
        }
        found
    }
}

/// What is the same for all components of a stack.
struct Around<'a> {
    stack: &'a Stack,
    facts: &'a Facts,
    standing: &'a Standing,
    sorts: BTreeSet<&'static str>,
}

impl Around<'_> {
    /// Returns the context of a component, or of its check with this `number`.
    fn cx<'a>(
        &'a self,
        declared: &'a Declared,
        number: usize,
        mode: Mode,
        (exports, shared): (&'a BTreeMap<ComponentAddress, Exports>, &'a Exports),
    ) -> CompileCx<'a> {
        CompileCx {
            stack: &self.stack.facts,
            address: &declared.address,
            posture: declared.posture,
            mode,
            epoch: self.standing.epoch,
            planned: self.standing.planned,
            minimum: self.standing.minimum.of(&declared.address),
            objective: declared.objective,
            sorts: &self.sorts,
            secrets: &self.stack.secrets,
            facts: self.facts,
            exports,
            shared,
            check: number,
        }
    }
}

/// Returns the facts that must be captured before `stack` can be compiled, without duplicates.
pub fn queries(stack: &Stack) -> Vec<FactQuery> {
    let mut queries: Vec<_> =
        stack.components.values().flat_map(|it| it.component.facts(&it.spec, &stack.facts)).collect();
    queries.sort();
    queries.dedup();
    queries
}

/// Compiles the resources of `stack` in the standby region for a [`Standing`], or for a mode that
/// never changed.
pub fn compile(stack: &Stack, facts: &Facts, standing: impl Into<Standing>) -> Compiled {
    let standing = standing.into();
    let sorts = stack.components.values().map(|it| it.component.name()).collect();
    let around = Around { stack, facts, standing: &standing, sorts };
    let mut compiled = Compiled::default();
    compiled.graph.moved.clone_from(&stack.moved);
    let mut exports: BTreeMap<ComponentAddress, Exports> = BTreeMap::new();
    let mut shared = Exports::new();
    for declared in in_order(stack) {
        let mode = standing.mode_of(&declared.address);
        let set = compiled.add(declared, &around.cx(declared, 0, mode, (&exports, &shared)));
        compiled.insert(declared, set.resources);
        for (name, links) in set.shared {
            shared.entry(name).or_insert(links);
        }
        exports.insert(declared.address.clone(), set.exports);
        let mut checks = Vec::new();
        for (number, check) in (1..).zip(&declared.checks) {
            let set = compiled.add(check, &around.cx(check, number, mode, (&exports, &shared)));
            // What has not failed over need not be up, but problems of its checks are reported all
            // the same.
            if mode == Mode::Active {
                let before = compiled.standby_of(check.refers_to.iter().chain([&declared.address]));
                checks.extend(
                    set.resources.into_iter().map(|check| before.iter().fold(check, Resource::after)),
                );
            }
        }
        let links = checks.iter().map(|check| Link::id(&check.address)).collect();
        exports.entry(declared.address.clone()).or_default().insert(CHECKS.to_owned(), links);
        compiled.insert(declared, checks);
    }
    for declared in stack.components.values() {
        let mut found = Vec::new();
        let cx = around.cx(declared, 0, standing.mode_of(&declared.address), (&exports, &shared));
        declared.component.review(&declared.spec, &cx, &mut found);
        compiled.problems.extend(found.iter().map(|problem| declared.diagnose(problem)));
    }
    let clashes = clashes(stack, &compiled.graph);
    compiled.problems.extend(clashes);
    compiled
}

/// Returns the components, each after those it refers to. The order is total, since the loader has
/// refused cycles.
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

/// Finds problems that do not depend on facts: two resources of one name.
pub fn check(stack: &Stack) -> Vec<Diagnostic> {
    let nothing = Facts::default();
    let mut problems = compile(stack, &nothing, Mode::Standby).problems;
    problems.retain(|problem| problem.code == CLASH);
    problems
}

/// Returns the part of a component's address that names of AWS objects have.
fn names_in_aws(component: &ComponentAddress) -> String {
    let text = component.as_str().rsplit('.').next().unwrap_or_default();
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

/// Diagnostic code for two resources of one name.
const CLASH: &str = "DR290";

/// Finds resources that would be the same AWS object; reports each pair of components once.
fn clashes(stack: &Stack, graph: &Graph) -> Vec<Diagnostic> {
    let mut owners: BTreeMap<(&str, Place, &str), &Address> = BTreeMap::new();
    let mut pairs = BTreeSet::new();
    let mut found = Vec::new();
    for resource in graph.resources.values() {
        let Some(name) = resource.known_name() else { continue };
        let Some(first) = owners.insert((&resource.kind, resource.place, name), &resource.address) else {
            continue;
        };
        let (first, second) = (first.component(), resource.address.component());
        let (Some(before), Some(declared)) = (stack.components.get(&first), stack.components.get(&second))
        else {
            continue;
        };
        if !pairs.insert((first.clone(), second.clone())) {
            continue;
        }
        let mut labels = declared.labels("name");
        let other = before.labels("name").into_iter().take(1).filter(|it| !labels.contains(it));
        let other: Vec<_> = other.map(|it| Label { text: format!("{first} is here"), ..it }).collect();
        let is_named = declared.spec.as_object().is_some_and(|fields| {
            let mut texts = fields.values().filter_map(Value::as_str);
            texts.any(|text| !text.is_empty() && name.contains(text))
        });
        let own = names_in_aws(&second);
        let help = match (other.is_empty(), declared.fields.contains_key("name")) {
            (true, true) => "let the name contain `${each.key}`",
            (true, false) => "choose keys that differ in letters or digits",
            (false, _) if is_named || name.contains(&*own) => {
                "give one of the two components another name, or remove it"
            }
            (false, _) => "a stack has one of it, whatever the component is called: remove one of the two",
        };
        labels.extend(other);
        found.push(Diagnostic {
            code: CLASH,
            severity: Severity::Error,
            message: format!("{first} and {second} both make {} `{name}`", resource.kind),
            labels,
            help: Some(help.to_owned()),
        });
    }
    found
}
