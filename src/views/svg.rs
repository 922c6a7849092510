//! The graph as SVG, drawn here: columns by depth, one box a resource, the longest path in bold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use drstack_core::address::Address;
use drstack_core::graph::Graph;

use super::graph::edges;

/// Width of a character of the 12 px monospace face, in pixels.
const CHAR: usize = 8;
const BOX_HEIGHT: usize = 40;
const ROW: usize = 58;
const GAP: usize = 70;
const MARGIN: usize = 20;

struct Spot {
    x: usize,
    y: usize,
    width: usize,
}

/// The picture.
pub(crate) fn svg(graph: &Graph, critical: &BTreeSet<Address>) -> String {
    let edges = edges(graph);
    let columns = columns(graph, &edges);
    let mut spots: BTreeMap<&Address, Spot> = BTreeMap::new();
    let (mut x, mut height) = (MARGIN, 0);
    for column in &columns {
        let width = column.iter().map(|it| text_width(it)).max().unwrap_or(0);
        for (row, address) in column.iter().enumerate() {
            spots.insert(address, Spot { x, y: MARGIN + row * ROW, width });
        }
        height = height.max(MARGIN + column.len() * ROW);
        x += width + GAP;
    }
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{x}\" height=\"{height}\" font-family=\"monospace\" font-size=\"12\">\n\
         <defs><marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">\
         <path d=\"M0 0L8 4L0 8z\" fill=\"#555\"/></marker></defs>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (from, to) in &edges {
        let (a, b) = (&spots[from], &spots[to]);
        let (x1, y1, x2, y2) = (a.x + a.width, a.y + BOX_HEIGHT / 2, b.x, b.y + BOX_HEIGHT / 2);
        let bold = if critical.contains(from) && critical.contains(to) { 3 } else { 1 };
        let middle = usize::midpoint(x1, x2);
        let _ = writeln!(
            out,
            "<path d=\"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}\" fill=\"none\" stroke=\"#555\" stroke-width=\"{bold}\" marker-end=\"url(#a)\"/>"
        );
    }
    for (address, spot) in &spots {
        let Spot { x, y, width } = spot;
        let (fill, bold) = (color(graph, address), if critical.contains(*address) { 3 } else { 1 });
        let (left, first, second) = (x + CHAR, y + 16, y + 32);
        let component = escape(address.component().as_str());
        let resource = escape(address.resource());
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BOX_HEIGHT}\" rx=\"4\" fill=\"{fill}\" stroke=\"#333\" stroke-width=\"{bold}\"/>\
             <text x=\"{left}\" y=\"{first}\" fill=\"#555\">{component}</text><text x=\"{left}\" y=\"{second}\">{resource}</text>"
        );
    }
    out + "</svg>\n"
}

/// Addresses by depth; within a column by component, so that what belongs together stands together.
fn columns<'a>(graph: &'a Graph, edges: &[(Address, Address)]) -> Vec<Vec<&'a Address>> {
    let mut needs: BTreeMap<&Address, Vec<&Address>> = BTreeMap::new();
    for (from, to) in edges {
        needs.entry(to).or_default().push(from);
    }
    let mut depth: BTreeMap<&Address, usize> = BTreeMap::new();
    let mut open: Vec<&Address> = graph.resources.keys().rev().collect();
    while let Some(address) = open.pop() {
        if depth.contains_key(address) {
            continue;
        }
        let before = needs.get(address).cloned().unwrap_or_default();
        let unknown: Vec<&Address> = before.iter().copied().filter(|it| !depth.contains_key(it)).collect();
        if unknown.is_empty() {
            let at = before.iter().map(|it| depth[*it] + 1).max().unwrap_or(0);
            depth.insert(address, at);
        } else {
            open.push(address);
            open.extend(unknown);
        }
    }
    let mut columns = vec![Vec::new(); depth.values().max().map_or(0, |it| it + 1)];
    for address in graph.resources.keys() {
        columns[depth[address]].push(address);
    }
    columns
}

fn text_width(address: &Address) -> usize {
    let longest = address.component().as_str().len().max(address.resource().len());
    longest * CHAR + 2 * CHAR
}

fn color(graph: &Graph, address: &Address) -> &'static str {
    use drstack_core::kind::Place;
    match graph.resources.get(address).map(|it| it.place) {
        Some(Place::Primary) => "#fde2c8",
        Some(Place::Global) => "#e6e0f5",
        _ => "#d8ecd8",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
