//! Writes the stack that protects what was found, or adds to one that exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use drstack_core::stack::is_bucket_name;
use drstack_core::text::{is_unprintable, plain};

use super::{Fate, Thing, fate};

/// What a new stack is to be.
#[derive(Clone, Debug)]
pub struct Target {
    /// Name of the stack.
    pub name: String,
    /// The region that serves.
    pub primary: String,
    /// The region to fall back to.
    pub standby: String,
}

/// The components that were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Composed {
    /// The text of the stack, or of what is added to it.
    pub text: String,
    /// Addresses of the components in it.
    pub components: Vec<String>,
}

/// Kinds of components in the order in which a stack reads, each with what stands above the first.
const ORDER: [(&str, &str); 4] = [
    ("bucket", "Buckets of the primary. Their objects are replicated from the first apply on."),
    ("table", "Tables of the primary. The standby region gets a replica of each."),
    ("queue", "Queues of the primary. The standby region gets empty ones with the same settings."),
    (
        "pool",
        "Auto Scaling groups of the primary: image, user data, types and size are followed at each plan.",
    ),
];

/// Longest name of a component that is written; EC2 names are made from it.
const LONGEST: usize = 32;

/// Address ranges for a new network, of which the first is taken that no network of the primary has.
const RANGES: [&str; 4] = ["10.64.0.0/16", "10.128.0.0/16", "10.192.0.0/16", "172.20.0.0/16"];

/// Writes a stack for `things`.
pub fn compose(target: &Target, things: &[Thing]) -> Composed {
    let Target { name, primary, standby } = target;
    let mut text = format!(
        "#:schema stack.schema.json\n\
         # Written by `drstack discover` from what exists. Read it: postures and tiers are proposals, and what drstack\n\
         # does not protect is not in it. What a component does not say is followed from the primary at each plan.\n\n\
         [stack]\n\
         name    = \"{name}\"\n\
         primary = \"{primary}\"\n\
         standby = \"{standby}\"\n\
         posture = \"warm\"                    # cold, pilot-light, warm or hot; a component may say its own\n\
         rto     = \"30m\"                     # how long until it serves again\n\
         # rpo   = \"15m\"                     # how much of the latest data may be lost\n"
    );
    let mut used = BTreeSet::new();
    let place = Place { uses: dead_letter_queues(things), network: "standby", queues: BTreeMap::new() };
    let mut composed = components(target, things, place, &mut used);
    if composed.components.iter().any(|it| it.starts_with("pool.")) {
        text.push_str(&standby_network(things));
        composed.components.insert(0, "network.standby".to_owned());
    }
    text.push_str(&composed.text);
    text.push_str(
        "\n# The name that users call. A failover moves it once the pools serve and the checks hold.\n\
         # [traffic.api]\n\
         # zone           = \"example.com\"\n\
         # record         = \"api\"\n\
         # primary_target = \"lb-primary.example.com\"\n\
         # standby_target = \"lb-standby.example.com\"\n\
         # probe          = \"https://api.example.com/healthz\"\n",
    );
    Composed { text, ..composed }
}

/// Returns what a stack of this `text` lacks of `things`, to be added at its end. What stands in it stays.
///
/// # Errors
/// The text is not TOML.
pub fn merge(target: &Target, text: &str, things: &[Thing]) -> Result<Composed, toml::de::Error> {
    let stack: toml::Table = text.parse()?;
    let tables = |kind: &str| stack.get(kind).and_then(toml::Value::as_table).into_iter().flatten();
    let mut used = BTreeSet::new();
    let mut known: Vec<(&str, &str)> = Vec::new();
    for (kind, _) in ORDER {
        for (name, fields) in tables(kind) {
            used.insert(format!("{kind}.{name}"));
            let said = ["name", "follows"].into_iter().filter_map(|field| fields.get(field)?.as_str());
            known.extend(said.map(|it| (kind, it)));
        }
    }
    let is_new = |it: &&Thing| {
        let kind = component(it, target);
        let is_known =
            |kind: &str, name: &str| known.iter().any(|(of, said)| *of == kind && may_be(said, name));
        kind.zip(it.name.as_deref()).is_some_and(|(kind, name)| !is_known(kind, name))
    };
    let new: Vec<Thing> = things.iter().filter(is_new).cloned().collect();
    let network = tables("network").next().map(|(name, _)| name.clone());
    let queues =
        tables("queue").filter_map(|(name, it)| Some((it.get("name")?.as_str()?, format!("queue.{name}"))));
    let place = Place {
        uses: dead_letter_queues(things),
        network: network.as_deref().unwrap_or("standby"),
        queues: queues.collect(),
    };
    let mut composed = components(target, &new, place, &mut used);
    if network.is_none() && composed.components.iter().any(|it| it.starts_with("pool.")) {
        composed.text = format!("{}{}", standby_network(things), composed.text);
        composed.components.insert(0, "network.standby".to_owned());
    }
    Ok(composed)
}

/// True if a text of a stack may stand for `name`: each template in it stands for anything.
fn may_be(said: &str, name: &str) -> bool {
    let mut parts = said.split("${");
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut is_open = false;
    for part in parts {
        let literal = part.split_once('}').map_or("", |(_, literal)| literal);
        is_open = literal.is_empty();
        let Some(at) = rest.find(literal) else { return false };
        rest = &rest[at + literal.len()..];
    }
    is_open || rest.is_empty()
}

/// Writes a new network, of a range that no network of the primary has.
fn standby_network(things: &[Thing]) -> String {
    let taken: Vec<&str> = things.iter().filter_map(|it| it.cidr.as_deref()).collect();
    let beginning = |range: &str| range.split('.').take(2).collect::<Vec<_>>().join(".") + ".";
    let is_free = |range: &&&str| taken.iter().all(|it| !it.starts_with(&beginning(range)));
    let range = RANGES.iter().find(is_free).unwrap_or(&RANGES[0]);
    format!(
        "\n# Where instances of the standby region run: a new network, private, with endpoints for S3 and DynamoDB alone.\n\
         # `vpc` and `subnets`, or `tags`, name one that exists.\n\
         [network.standby]\ncidr = \"{range}\"\n"
    )
}

/// True if a component can have this name.
fn is_name(kind: &str, name: &str) -> bool {
    let plain = |most: usize| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        (1..=most).contains(&name.chars().count()) && name.chars().all(is_plain)
    };
    match kind {
        "bucket" => is_bucket_name(name),
        "table" => plain(255),
        "queue" => plain(80),
        _ => !name.is_empty() && !name.contains(is_unprintable),
    }
}

/// Returns the kind of component that protects `thing`.
fn component(thing: &Thing, target: &Target) -> Option<&'static str> {
    let is_there = thing.region.as_deref().is_none_or(|it| it == target.primary);
    match fate(thing)? {
        Fate::Protected(kind) | Fate::Partly(Some(kind), _) if is_there => {
            thing.name.as_deref().is_some_and(|name| is_name(kind, name)).then_some(kind)
        }
        _ => None,
    }
}

/// What the components are written beside.
struct Place<'a> {
    /// How many queues use each dead-letter queue.
    uses: BTreeMap<&'a str, usize>,
    /// Name of the network that pools run in.
    network: &'a str,
    /// Components of queues, by the name of the queue.
    queues: BTreeMap<&'a str, String>,
}

/// Writes the components of `things`, under names that are not `used` yet.
fn components<'a>(
    target: &Target,
    things: &'a [Thing],
    place: Place<'a>,
    used: &mut BTreeSet<String>,
) -> Composed {
    let Place { uses, network, mut queues } = place;
    let mut composed = Composed::default();
    // Two states may know the same object.
    let mut written = BTreeSet::new();
    for (kind, about) in ORDER {
        let of = |it: &&Thing| component(it, target) == Some(kind) && it.name.is_some();
        let mut of: Vec<&Thing> =
            things.iter().filter(of).filter(|it| written.insert((kind, it.name.clone()))).collect();
        // One that a single queue uses is made with it; those that several use come first.
        let used_by = |it: &Thing| it.name.as_deref().and_then(|name| uses.get(name)).copied().unwrap_or(0);
        of.retain(|it| kind != "queue" || used_by(it) != 1);
        of.sort_by_key(|it| kind == "queue" && used_by(it) == 0);
        for (number, it) in of.into_iter().enumerate() {
            let address = address(kind, it, used);
            // What begins a template is no template in a name.
            let name = it.name.as_deref().unwrap_or_default().replace("${", "$${");
            let name = toml::Value::from(name);
            if number == 0 {
                let _ = write!(composed.text, "\n# {about}\n");
            } else {
                composed.text.push('\n');
            }
            let _ = writeln!(composed.text, "[{address}]          # {}", plain(&it.address));
            match kind {
                "pool" => {
                    let _ = write!(
                        composed.text,
                        "follows = {name}\nnetwork = \"@network.{network}\"\n\
                         # buckets = [\"@bucket.NAME\"]        # what the instances may read: with it they get a role of their own\n\
                         # tables  = [\"@table.NAME\"]\n\
                         # [[{address}.check]]                 # without a check nobody knows whether it answers after a failover\n\
                         # http = \"https://standby.example.com/healthz\"\n"
                    );
                }
                _ => {
                    let _ = writeln!(composed.text, "name = {name}");
                }
            }
            if kind == "queue" && used_by(it) > 1 {
                queues.insert(it.name.as_deref().unwrap_or_default(), address.clone());
            }
            if let Some(queue) = it.dead_letters.as_deref().and_then(|name| queues.get(name)) {
                let _ = writeln!(composed.text, "dead_letters = \"@{queue}\"");
            }
            if it.replicas.contains(&target.standby) {
                composed.text.push_str(
                    "adopt = true               # it has a replica in the standby region already\n",
                );
            }
            composed.components.push(address);
        }
    }
    composed
}

/// Returns how many queues use each dead-letter queue.
fn dead_letter_queues(things: &[Thing]) -> BTreeMap<&str, usize> {
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for name in things.iter().filter_map(|it| it.dead_letters.as_deref()) {
        *uses.entry(name).or_default() += 1;
    }
    uses
}

/// Returns a free address for the component of `thing`.
fn address(kind: &str, thing: &Thing, used: &mut BTreeSet<String>) -> String {
    // `this` and `main` are what modules call the one thing that they hold.
    let label = match thing.label.as_str() {
        "this" | "main" | "default" | "" => thing.name.as_deref().unwrap_or("one"),
        _ if thing.address.ends_with(']') => thing.name.as_deref().unwrap_or(&thing.label),
        label => label,
    };
    let mut name: String =
        label.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    name.truncate(LONGEST);
    let name = name.trim_matches('-').to_ascii_lowercase();
    let name = if name.is_empty() { "one".to_owned() } else { name };
    let numbered = (2..).map(|number| format!("{kind}.{name}-{number}"));
    let free = std::iter::once(format!("{kind}.{name}")).chain(numbered).find(|it| used.insert(it.clone()));
    free.unwrap_or_default()
}
