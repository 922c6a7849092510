//! Checks of a loaded stack: names, regions, cycles, the components' own checks, and objectives per
//! posture.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;
use toml::Spanned;

use super::Declared;
use super::decode::{At, guess};
use super::head::no_template;
use super::load::{Pending, quoted};
use super::regions::{self, Known};
use crate::address::ComponentAddress;
use crate::component::StackFacts;
use crate::diagnostic::{Diagnostic, Label, Severity, Span};
use crate::objective::{Objective, Posture};

/// Checks names and regions of the `[stack]` table.
pub(super) fn head(
    name: Option<&Spanned<String>>,
    primary: Option<&Spanned<String>>,
    standby: Option<&Spanned<String>>,
    control: Option<&Spanned<String>>,
    at: &At,
) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    if let Some(name) = name.filter(|name| !is_stack_name(name.get_ref())) {
        let help = "use 2 to 32 lower-case letters, digits and `-`, a letter first; names of AWS objects are made from it";
        let message = format!("{} cannot name a stack", quoted(name.get_ref()));
        let help = no_template(name.get_ref()).unwrap_or(help);
        problems.push(at.error("DR014", name.span(), message, help.to_owned()));
    }
    problems.extend([primary, standby].into_iter().flatten().filter_map(|it| region(it, at)));
    problems.extend(primary.zip(standby).and_then(|(primary, standby)| both(primary, standby, at)));
    if let Some(control) = control.filter(|control| !is_bucket_name(control.get_ref())) {
        let message = format!("{} is not a bucket name", quoted(control.get_ref()));
        let help = no_template(control.get_ref()).unwrap_or(BUCKET_HELP);
        problems.push(at.error("DR214", control.span(), message, help.to_owned()));
    }
    problems
}

/// Checks the name of a region. One that may be newer than the list of regions is only warned of.
fn region(region: &Spanned<String>, at: &At) -> Option<Diagnostic> {
    let (text, span) = (region.get_ref(), region.span());
    let severity = match regions::known(text) {
        Known::Region => return None,
        Known::New => Severity::Warning,
        Known::No => Severity::Error,
    };
    let is_padded = is_region(text.trim());
    let candidates = if is_padded { regions::candidates(text.trim()) } else { Default::default() };
    let nearest = candidates.into_iter().find_map(|all| guess(text, all.into_iter()));
    let mean = nearest.map(|it| format!("did you mean `{it}`?"));
    if severity == Severity::Warning {
        let message = format!("this drstack knows no region {}", quoted(text));
        let mean = mean.unwrap_or_else(|| "check its name".to_owned());
        let help = format!("{mean} A region that is newer than this drstack works too");
        return Some(Diagnostic { severity, ..at.error("DR018", span, message, help) });
    }
    let help = no_template(text).map(str::to_owned).or(mean);
    let help = help.unwrap_or_else(|| "write it as `us-west-2`".to_owned());
    Some(at.error("DR015", span, format!("{} is not a region", quoted(text)), help))
}

/// Checks that the two regions are a pair.
fn both(primary: &Spanned<String>, standby: &Spanned<String>, at: &At) -> Option<Diagnostic> {
    let (one, other) = (primary.get_ref(), standby.get_ref());
    if one == other {
        let help = "name another region to fall back to".to_owned();
        return Some(at.error("DR016", standby.span(), "primary and standby are the same region", help));
    }
    let partitions = [one, other].map(|it| regions::partition(it));
    let is_mistyped = |it: &str| regions::known(it) == Known::No;
    if is_mistyped(one) || is_mistyped(other) || partitions[0] == partitions[1] {
        return None;
    }
    let message = format!("`{one}` is in partition `{}`, `{other}` in `{}`", partitions[0], partitions[1]);
    let help = format!("name a region of `{}`: nothing is replicated between partitions", partitions[0]);
    Some(at.error("DR019", standby.span(), message, help))
}

/// True if [`head`] would find no problem.
pub(super) fn is_sound(facts: &StackFacts) -> bool {
    let StackFacts { name, primary, standby, control, .. } = facts;
    is_stack_name(name)
        && is_region(primary)
        && is_region(standby)
        && primary != standby
        && is_bucket_name(control)
}

/// Help on valid bucket names.
pub const BUCKET_HELP: &str = "use 3 to 63 lower-case letters, digits, `.` and `-`; a letter or digit first and last, no `..`, no IP address";

/// True if S3 accepts `name` for a bucket.
pub fn is_bucket_name(name: &str) -> bool {
    let outer = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let inner = |c: char| outer(c) || matches!(c, '-' | '.');
    (3..=63).contains(&name.len())
        && name.chars().all(inner)
        && name.starts_with(outer)
        && name.ends_with(outer)
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
}

fn is_stack_name(name: &str) -> bool {
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (2..=32).contains(&name.len())
        && name.chars().all(lower)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// True for names like `us-west-2` and `us-gov-west-1`: words of letters, then a number.
pub fn is_region(text: &str) -> bool {
    let Some((words, number)) = text.rsplit_once('-') else { return false };
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
    words.contains('-') && words.split('-').all(is_word) && number.parse::<u8>().is_ok()
}

/// Runs the component's own checks, which do not depend on facts.
pub(super) fn component(declared: &Declared, stack: &StackFacts) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    declared.component.check(&declared.spec, stack, declared.posture, &mut problems);
    problems.iter().map(|problem| declared.diagnose(problem)).collect()
}

/// Finds cycles of components that refer to each other; shows every edge.
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
                within.filter_map(move |target| {
                    let span = declared.origin.first()?.clone();
                    Some(Label { span, text: format!("{address} refers to {target}") })
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

/// Checks that each posture can meet its objective, and shows the arithmetic.
///
/// `fields` has the spans of the stack's own objectives.
pub(super) fn objectives(
    components: &[Pending],
    posture: Posture,
    objective: Objective,
    fields: &BTreeMap<String, Span>,
) -> Vec<Diagnostic> {
    let here = |span: Option<&Span>| {
        span.map(|span| Label { span: span.clone(), text: String::new() }).into_iter().collect::<Vec<_>>()
    };
    let labels = |field: &str| here(fields.get(field).or_else(|| fields.get("")));
    let mut problems = Vec::new();
    problems.extend(rto(posture, objective, "the stack", labels("rto")));
    problems.extend(rpo(posture, objective, "the stack", labels("rpo")));
    for Pending { address, own, header, at, .. } in components {
        let who = address.without_keys();
        let labels = |field: &str| {
            let place = own.fields.get(field).or_else(|| own.fields.get("posture")).or(Some(header));
            here(place).into_iter().chain(at.used_here()).collect()
        };
        if (own.posture, own.objective.rto) != (posture, objective.rto) {
            problems.extend(rto(own.posture, own.objective, &who, labels("rto")));
        }
        if (own.posture, own.objective.rpo) != (posture, objective.rpo) {
            problems.extend(rpo(own.posture, own.objective, &who, labels("rpo")));
        }
    }
    problems
}

fn rto(posture: Posture, objective: Objective, who: &str, labels: Vec<Label>) -> Option<Diagnostic> {
    let (band, rto) = (posture.band(), objective.rto?);
    let floor = SignedDuration::from_secs(band.rto_floor);
    if rto < floor {
        let enough =
            Posture::ALL.into_iter().find(|it| it.band().rto_floor <= rto.as_secs()).unwrap_or(Posture::Hot);
        let message = format!(
            "{who}: {} recovers in {} and needs {floor:#} at least, the RTO is {rto:#}",
            posture.name(),
            band.rto
        );
        let help = Some(format!("choose `posture = \"{}\"`, or a longer `rto`", enough.name()));
        return Some(Diagnostic { code: "DR201", severity: Severity::Error, message, labels, help });
    }
    if rto.as_secs() < band.rto_usual && posture == Posture::Warm && rto.as_secs() < 600 {
        let message = format!("{who}: warm usually recovers in {}, the RTO is {rto:#}", band.rto);
        let help = Some("prove it with a drill, or choose `hot`".to_owned());
        return Some(Diagnostic { code: "DR202", severity: Severity::Warning, message, labels, help });
    }
    None
}

fn rpo(posture: Posture, objective: Objective, who: &str, labels: Vec<Label>) -> Option<Diagnostic> {
    let (band, rpo) = (posture.band(), objective.rpo?);
    if rpo.is_zero() {
        let message =
            format!("{who}: the RPO is 0, and replication is asynchronous: what is in flight is lost");
        let help = Some("write an `rpo` of seconds, `rpo = \"5s\"`".to_owned());
        return Some(Diagnostic { code: "DR203", severity: Severity::Error, message, labels, help });
    }
    if posture == Posture::Cold && rpo < SignedDuration::from_mins(1) {
        let message = format!("{who}: cold loses {} of data, the RPO is {rpo:#}", band.rpo);
        let help = Some("choose `posture = \"pilot-light\"`, or a longer `rpo`".to_owned());
        return Some(Diagnostic { code: "DR204", severity: Severity::Error, message, labels, help });
    }
    None
}
