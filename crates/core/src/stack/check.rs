//! Checks of a loaded stack: names, regions, cycles, and whether a posture can meet its objectives.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;
use toml::Spanned;

use super::Declared;
use super::decode::At;
use crate::address::ComponentAddress;
use crate::diagnostic::{Diagnostic, Label, Severity, Span};
use crate::objective::{Objective, Posture};

/// Name and regions of the `[stack]` table.
pub(super) fn head(
    name: &Spanned<String>,
    primary: &Spanned<String>,
    standby: &Spanned<String>,
    at: &At,
) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let text = name.get_ref();
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !(2..=32).contains(&text.len())
        || !text.chars().all(lower)
        || !text.starts_with(|c: char| c.is_ascii_lowercase())
    {
        let help = "use 2 to 32 lower-case letters, digits and `-`; names of AWS objects are made from it"
            .to_owned();
        problems.push(at.error("DR014", name.span(), format!("`{text}` cannot name a stack"), help));
    }
    for region in [primary, standby] {
        let parts: Vec<&str> = region.get_ref().split('-').collect();
        let fine = parts.len() >= 3 && parts.last().is_some_and(|it| it.parse::<u8>().is_ok());
        if !fine {
            let message = format!("`{}` is not a region", region.get_ref());
            problems.push(at.error("DR015", region.span(), message, "write it as `us-west-2`".to_owned()));
        }
    }
    if primary.get_ref() == standby.get_ref() {
        let help = "name another region to fall back to".to_owned();
        problems.push(at.error("DR016", standby.span(), "primary and standby are the same region", help));
    }
    problems
}

/// Components that refer to each other in a circle, every edge shown.
pub(super) fn cycles(components: &BTreeMap<ComponentAddress, Declared>) -> Vec<Diagnostic> {
    let mut graph = DiGraph::new();
    let nodes: BTreeMap<_, _> = components.keys().map(|address| (address, graph.add_node(address))).collect();
    for (address, declared) in components {
        for target in declared.refers_to.iter().filter_map(|target| nodes.get(target)) {
            graph.add_edge(nodes[address], *target, ());
        }
    }
    let is_cycle = |scc: &Vec<_>| scc.len() > 1 || graph.contains_edge(scc[0], scc[0]);
    let cycles = tarjan_scc(&graph).into_iter().filter(is_cycle);
    cycles
        .map(|scc| {
            let mut members: Vec<&ComponentAddress> = scc.into_iter().map(|node| graph[node]).collect();
            members.sort();
            let members = &members;
            let edges = members.iter().copied().flat_map(move |address| {
                let declared = &components[address];
                let within = declared.refers_to.iter().filter(|target| members.contains(target));
                within.map(move |target| Label {
                    span: declared.origin[0].clone(),
                    text: format!("{address} refers to {target}"),
                })
            });
            let names: Vec<String> = members.iter().map(ToString::to_string).collect();
            Diagnostic {
                code: "DR141",
                severity: Severity::Error,
                message: format!("components refer to each other in a circle: {}", names.join(", ")),
                labels: edges.collect(),
                help: Some("remove one of these references".to_owned()),
            }
        })
        .collect()
}

/// Whether each posture can meet its objective, with the arithmetic.
pub(super) fn objectives(
    components: &BTreeMap<ComponentAddress, Declared>,
    posture: Posture,
    objective: Objective,
    head: &Span,
) -> Vec<Diagnostic> {
    let mut problems = one(posture, objective, "the stack", head);
    for declared in components.values() {
        if (declared.posture, declared.objective.rto, declared.objective.rpo)
            != (posture, objective.rto, objective.rpo)
        {
            problems.extend(one(
                declared.posture,
                declared.objective,
                declared.address.as_str(),
                &declared.origin[0],
            ));
        }
    }
    problems
}

fn one(posture: Posture, objective: Objective, who: &str, span: &Span) -> Vec<Diagnostic> {
    let band = posture.band();
    let problem = |code, severity, message, help: &str| Diagnostic {
        code,
        severity,
        message,
        labels: vec![Label { span: span.clone(), text: String::new() }],
        help: Some(help.to_owned()),
    };
    let mut problems = Vec::new();
    if let Some(rto) = objective.rto {
        let floor = SignedDuration::from_secs(band.rto_floor);
        if rto < floor {
            let enough = Posture::ALL
                .into_iter()
                .find(|it| it.band().rto_floor <= rto.as_secs())
                .unwrap_or(Posture::Hot);
            let message = format!(
                "{who}: {} recovers in {} and needs {floor:#} at least, the RTO is {rto:#}",
                posture.name(),
                band.rto
            );
            let help = format!("choose `posture = \"{}\"`, or a longer `rto`", enough.name());
            problems.push(problem("DR201", Severity::Error, message, &help));
        } else if rto.as_secs() < band.rto_usual && posture == Posture::Warm && rto.as_secs() < 600 {
            let message = format!("{who}: warm usually recovers in {}, the RTO is {rto:#}", band.rto);
            problems.push(problem(
                "DR202",
                Severity::Warning,
                message,
                "prove it with a drill, or choose `hot`",
            ));
        }
    }
    if let Some(rpo) = objective.rpo {
        if rpo.is_zero() {
            let message =
                format!("{who}: the RPO is 0, and replication is asynchronous: what is in flight is lost");
            problems.push(problem(
                "DR203",
                Severity::Error,
                message,
                "write an `rpo` of seconds, `rpo = \"5s\"`",
            ));
        } else if posture == Posture::Cold && rpo < SignedDuration::from_mins(1) {
            let message = format!("{who}: cold loses {} of data, the RPO is {rpo:#}", band.rpo);
            problems.push(problem(
                "DR204",
                Severity::Error,
                message,
                "choose `pilot-light`, or a longer `rpo`",
            ));
        }
    }
    problems
}
