//! The graph as DOT, Mermaid and JSON, with the critical path marked.

use std::collections::BTreeSet;
use std::fmt::Write;

use drstack_core::address::Address;
use drstack_core::graph::Graph;
use drstack_core::plan::Plan;

use crate::lines::{EdgeLine, GraphLine, NodeLine};

/// Returns the addresses on the critical path of a first apply.
pub(crate) fn critical(plan: &Plan) -> BTreeSet<Address> {
    plan.critical_path().0.into_iter().map(|id| plan.steps[id].address.clone()).collect()
}

/// Returns the edges, each from a resource to one that needs it.
pub(crate) fn edges(graph: &Graph) -> Vec<(Address, Address)> {
    let needs = graph.resources.iter().flat_map(|(address, resource)| {
        resource.needs().into_iter().map(move |need| (need, address.clone()))
    });
    needs.filter(|(need, _)| graph.resources.contains_key(need)).collect()
}

/// Writes the graph for Graphviz.
pub(crate) fn dot(graph: &Graph, critical: &BTreeSet<Address>) -> String {
    let mut out = "digraph drstack {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
    for address in graph.resources.keys() {
        let mark = if critical.contains(address) { " penwidth=3" } else { "" };
        let _ = writeln!(out, "  {:?} [label={:?}{mark}];", address.as_str(), address.as_str());
    }
    for (from, to) in edges(graph) {
        let mark = if critical.contains(&from) && critical.contains(&to) { " [penwidth=3]" } else { "" };
        let _ = writeln!(out, "  {:?} -> {:?}{mark};", from.as_str(), to.as_str());
    }
    out + "}\n"
}

/// Writes the graph in Mermaid, as GitHub draws it.
pub(crate) fn mermaid(graph: &Graph, critical: &BTreeSet<Address>) -> String {
    let mut out = "graph LR\n".to_owned();
    let ids: Vec<&Address> = graph.resources.keys().collect();
    let id = |address: &Address| ids.binary_search(&address).unwrap_or_default();
    for (at, address) in ids.iter().enumerate() {
        let _ = writeln!(out, "  n{at}[\"{}\"]", address.as_str().replace('"', "#quot;"));
    }
    for (from, to) in edges(graph) {
        let arrow = if critical.contains(&from) && critical.contains(&to) { "==>" } else { "-->" };
        let _ = writeln!(out, "  n{} {arrow} n{}", id(&from), id(&to));
    }
    out
}

/// Writes nodes and edges in JSON, indented.
pub(crate) fn json(graph: &Graph, critical: &BTreeSet<Address>) -> String {
    let line = serde_json::to_value(line(graph, critical)).unwrap_or_default();
    format!("{line:#}\n")
}

/// Describes nodes and edges for programs.
pub(crate) fn line<'a>(graph: &'a Graph, critical: &BTreeSet<Address>) -> GraphLine<'a> {
    let nodes = graph.resources.values().map(|it| NodeLine {
        address: &it.address,
        kind: &it.kind,
        place: it.place,
        critical: critical.contains(&it.address),
    });
    let edges = edges(graph).into_iter().map(|(from, to)| EdgeLine { from, to });
    GraphLine { nodes: nodes.collect(), edges: edges.collect() }
}
