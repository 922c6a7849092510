//! Draws the graph as SVG: a band for each component, columns by depth, the critical path in bold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use drstack_core::address::{Address, ComponentAddress};
use drstack_core::graph::Graph;
use drstack_core::kind::Place;

use super::graph::edges;

/// Width of a character of the 12 px monospace face, in pixels.
const CHAR: usize = 8;
const BOX_HEIGHT: usize = 26;
const ROW: usize = 36;
const TITLE: usize = 24;
const PADDING: usize = 10;
const GAP: usize = 60;
const MARGIN: usize = 16;

/// The colour of each place, and its name in the legend.
const PLACES: [(Place, &str, &str); 3] = [
    (Place::Primary, "#fde2c8", "primary region"),
    (Place::Standby, "#d8ecd8", "standby region"),
    (Place::Global, "#e6e0f5", "global (IAM)"),
];

struct Spot {
    x: usize,
    y: usize,
    width: usize,
}

/// Draws the graph.
pub(crate) fn svg(graph: &Graph, critical: &BTreeSet<Address>) -> String {
    let edges = shortest(&edges(graph));
    let depth = depths(graph, &edges);
    let columns = columns(&depth);
    let right = columns.last().map_or(MARGIN, |(x, width)| x + width + PADDING);
    let (spots, bands, bottom) = place(&depth, &columns);
    let (width, height) = (right + MARGIN, bottom + ROW);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"monospace\" font-size=\"12\">\n\
         <defs><marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#555\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (component, y, height) in bands {
        let (width, title, name) = (right - MARGIN, y + 16, escape(component.as_str()));
        let _ = writeln!(
            out,
            "<rect x=\"{MARGIN}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"#f6f6f6\"/>\
             <text x=\"{}\" y=\"{title}\" fill=\"#555\">{name}</text>",
            MARGIN + PADDING
        );
    }
    for (from, to) in &edges {
        let (a, b) = (&spots[from], &spots[to]);
        let (x1, y1, x2, y2) = (a.x + a.width, a.y + BOX_HEIGHT / 2, b.x, b.y + BOX_HEIGHT / 2);
        let bold = weight(critical.contains(from) && critical.contains(to));
        let middle = usize::midpoint(x1, x2);
        let _ = writeln!(
            out,
            "<path d=\"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}\" fill=\"none\" stroke=\"#555\" stroke-width=\"{bold}\" marker-end=\"url(#a)\"/>"
        );
    }
    for (address, Spot { x, y, width }) in &spots {
        let (fill, bold) = (color(graph, address), weight(critical.contains(*address)));
        let (left, line, name) = (x + CHAR, y + 17, escape(address.resource()));
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BOX_HEIGHT}\" rx=\"4\" fill=\"{fill}\" stroke=\"#333\" stroke-width=\"{bold}\"/>\
             <text x=\"{left}\" y=\"{line}\">{name}</text>"
        );
    }
    legend(&mut out, bottom + 8);
    out + "</svg>\n"
}

fn legend(out: &mut String, y: usize) {
    let mut x = MARGIN;
    for (_, fill, name) in PLACES {
        let (text, line) = (x + 20, y + 11);
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"14\" height=\"14\" fill=\"{fill}\" stroke=\"#333\"/><text x=\"{text}\" y=\"{line}\">{name}</text>"
        );
        x = text + (name.len() + 2) * CHAR;
    }
    let _ = writeln!(out, "<text x=\"{x}\" y=\"{}\">bold: the longest path</text>", y + 11);
}

fn weight(is_critical: bool) -> usize {
    if is_critical { 3 } else { 1 }
}

/// Returns the edges without those that longer paths imply. It searches backwards: thousands of
/// resources may need one, but each needs few.
fn shortest(edges: &[(Address, Address)]) -> Vec<(Address, Address)> {
    let mut before: BTreeMap<&Address, Vec<&Address>> = BTreeMap::new();
    for (from, to) in edges {
        before.entry(to).or_default().push(from);
    }
    let reaches = |from: &Address, to: &Address| {
        let mut open: Vec<&Address> = before.get(to).into_iter().flatten().copied().collect();
        let mut seen = BTreeSet::new();
        while let Some(at) = open.pop() {
            if at == from {
                return true;
            }
            if seen.insert(at) {
                open.extend(before.get(at).into_iter().flatten());
            }
        }
        false
    };
    let implied = |(from, to): &&(Address, Address)| {
        before.get(to).into_iter().flatten().any(|last| *last != from && reaches(from, last))
    };
    edges.iter().filter(|edge| !implied(edge)).cloned().collect()
}

/// Returns the column of each address: the length of the longest chain of resources that it needs.
fn depths<'a>(graph: &'a Graph, edges: &[(Address, Address)]) -> BTreeMap<&'a Address, usize> {
    let mut needs: BTreeMap<&Address, Vec<&Address>> = BTreeMap::new();
    for (from, to) in edges {
        if let Some((from, _)) = graph.resources.get_key_value(from) {
            needs.entry(to).or_default().push(from);
        }
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
    // A resource that needs nothing is drawn next to the first one that needs it, so that no arrow
    // crosses a box on the way.
    let mut first: BTreeMap<&Address, usize> = BTreeMap::new();
    for (from, to) in edges {
        let first = first.entry(from).or_insert(usize::MAX);
        *first = depth[to].min(*first);
    }
    for address in graph.resources.keys().filter(|address| !needs.contains_key(address)) {
        depth.insert(address, first.get(address).map_or(0, |first| first - 1));
    }
    depth
}

/// Returns the left edge and the width of each column.
fn columns(depth: &BTreeMap<&Address, usize>) -> Vec<(usize, usize)> {
    let count = depth.values().max().map_or(0, |deepest| deepest + 1);
    let mut widths = vec![0; count];
    for (address, at) in depth {
        widths[*at] = widths[*at].max((address.resource().len() + 2) * CHAR);
    }
    let mut x = MARGIN + PADDING;
    let lay = |width: usize| {
        let left = x;
        x += width + GAP;
        (left, width)
    };
    widths.into_iter().map(lay).collect()
}

type Bands = Vec<(ComponentAddress, usize, usize)>;

/// Returns the position of every resource, the components' bands (name, top, height), and the end
/// of the picture.
fn place<'a>(
    depth: &BTreeMap<&'a Address, usize>,
    columns: &[(usize, usize)],
) -> (BTreeMap<&'a Address, Spot>, Bands, usize) {
    let mut by_component: BTreeMap<ComponentAddress, Vec<(&Address, usize)>> = BTreeMap::new();
    for (address, at) in depth {
        by_component.entry(address.component()).or_default().push((address, *at));
    }
    let (mut spots, mut bands, mut y) = (BTreeMap::new(), Vec::new(), MARGIN);
    for (component, members) in by_component {
        let mut rows = vec![0; columns.len()];
        for (address, at) in members {
            let (x, width) = columns[at];
            spots.insert(address, Spot { x, y: y + TITLE + rows[at] * ROW, width });
            rows[at] += 1;
        }
        let height = TITLE + rows.into_iter().max().unwrap_or(0) * ROW;
        bands.push((component, y, height));
        y += height + PADDING;
    }
    (spots, bands, y)
}

fn color(graph: &Graph, address: &Address) -> &'static str {
    let place = graph.resources.get(address).map_or(Place::Standby, |it| it.place);
    PLACES.iter().find(|(it, ..)| *it == place).map_or("white", |(_, fill, _)| fill)
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
