//! Random valid stacks, as TOML text.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter, Write};
use std::sync::LazyLock;

use drstack_core::objective::Posture;
use proptest::prelude::*;

use crate::described;

/// A random stack. A failed test shows it as TOML.
#[derive(Clone)]
pub(crate) struct Draft {
    posture: Posture,
    parts: Vec<Part>,
    /// Decides the network that every stack has for its pools.
    network: u64,
    /// The factor by which its pools are larger than random ones.
    times: u32,
    /// The name of its module, if any.
    module: Option<&'static str>,
    /// The renamed component: its kind, the name it was drawn with and its new name.
    renamed: Option<(&'static str, &'static str)>,
}

/// One component: its kind, its name and a number that decides everything else.
type Part = (usize, usize, u64);

/// Turns 37 instances into 1,480.
const LARGE: u32 = 40;
/// The kinds of components that are drawn by their position.
const DRAWN: [&str; 7] = ["bucket", "table", "network", "image", "pool", "fence", "traffic"];
/// All kinds of components that random stacks have: the drawn ones, and beside them the described
/// ones, which follow from what was drawn. So a new one changes no stack but adds itself to it.
pub(crate) static KINDS: LazyLock<Vec<&str>> =
    LazyLock::new(|| DRAWN.into_iter().chain(described::ALL.iter().map(|it| it.name)).collect());
/// Few, so that a second stack has some of the first one's components, with other fields.
const NAMES: [&str; 2] = ["a", "b"];

pub(crate) fn drafts() -> impl Strategy<Value = Draft> {
    let part = (0..DRAWN.len(), 0..NAMES.len(), any::<u64>());
    (0..Posture::ALL.len(), prop::collection::vec(part, 1..9), any::<u64>()).prop_map(
        |(posture, parts, network)| Draft {
            posture: Posture::ALL[posture],
            parts,
            network,
            times: 1,
            module: None,
            renamed: None,
        },
    )
}

impl Draft {
    /// Returns this draft with pools of which one alone may be too large to launch at once.
    pub(crate) fn with_large_pools(&self) -> Self {
        Self { times: LARGE, ..self.clone() }
    }

    /// Returns this draft with a module beside its components.
    pub(crate) fn with_module(&self) -> Self {
        Self { module: Some("training"), ..self.clone() }
    }

    /// Returns this draft with another name for one of its components, or for its module.
    pub(crate) fn renamed(&self, which: usize) -> Self {
        let parts = self.parts.iter().map(|(kind, name, _)| (DRAWN[*kind], NAMES[*name]));
        let parts =
            parts.filter(|(kind, _)| *kind != "fence").chain([("fence", "writers"), ("network", "always")]);
        let parts: Vec<_> = parts.collect();
        match which % (parts.len() + 1) {
            0 => Self { module: Some("learning"), ..self.clone() },
            one => Self { renamed: Some(parts[one - 1]), ..self.clone() },
        }
    }

    /// Returns the stack's text as it was drawn.
    pub(crate) fn text(&self) -> String {
        self.text_in(self.posture)
    }

    /// Returns `other` with this draft's components beside it, every second one of them changed.
    pub(crate) fn changed_to(&self, other: &Self) -> Self {
        let looks: Vec<u64> = other.parts.iter().map(|(.., look)| *look).collect();
        let changed = |(at, (kind, name, look)): (usize, &Part)| {
            let look = if at % 2 == 0 { looks[at % looks.len()] } else { *look };
            (*kind, *name, look)
        };
        let parts = self.parts.iter().enumerate().map(changed).chain(other.parts.iter().copied()).collect();
        Self { parts, ..other.clone() }
    }

    /// Returns the stack's text in another posture.
    pub(crate) fn text_in(&self, posture: Posture) -> String {
        let mut parts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for (kind, name, look) in &self.parts {
            // The parameters of a stack have fixed names, so it has one fence.
            let name = if DRAWN[*kind] == "fence" { "writers" } else { NAMES[*name] };
            parts.entry((DRAWN[*kind], name)).or_insert(*look);
        }
        parts.insert(("network", "always"), self.network);
        for (at, described) in (1_u32..).zip(described::ALL.iter()) {
            let look = self.network.rotate_left(17 * at);
            if !look.is_multiple_of(3) {
                parts.insert((described.name, NAMES[0]), look / 3);
            }
        }
        let named = |kind: &str| -> Vec<&str> {
            parts.keys().filter(|(of, _)| *of == kind).map(|(_, name)| *name).collect()
        };
        let mut around = Around {
            buckets: named("bucket"),
            tables: named("table"),
            networks: named("network"),
            images: named("image"),
            pools: Vec::new(),
        };
        let mut out = format!(
            "[stack]\nname = \"fleet\"\nprimary = \"us-east-1\"\nstandby = \"us-west-2\"\nposture = \"{}\"\n",
            posture.name()
        );
        for ((kind, name), look) in &parts {
            let _ = writeln!(out, "\n[{kind}.{name}]");
            let mut dice = Dice(*look);
            let lines = match *kind {
                "bucket" => bucket(name, &mut dice),
                "table" => table(name, &mut dice),
                "network" => network(&mut dice),
                "image" => image(&mut dice),
                "fence" => fence(&around, &mut dice),
                "traffic" => traffic(name, &around, &mut dice),
                "pool" => pool(&around, self.times, &mut dice),
                of => as_described(of, name, &mut dice),
            };
            // A component with `for_each` has no name of its own to refer to. Traffic comes after
            // the pools.
            if *kind == "pool" && !lines.iter().any(|line| line.starts_with("for_each")) {
                around.pools.push(name);
            }
            lines.iter().filter(|line| !line.is_empty()).for_each(|line| {
                let _ = writeln!(out, "{line}");
            });
            if let Some(check) = check(kind, name, *look) {
                let _ = writeln!(out, "[[{kind}.{name}.check]]\n{check}");
            }
        }
        if let Some(module) = self.module {
            let _ =
                writeln!(out, "\n[module.{module}]\nsource = \"training\"\nbucket = \"acme-checkpoints\"");
        }
        let Some((kind, name)) = self.renamed else { return out };
        [("[", "]"), ("[[", ".check]]"), ("\"@", "\"")].iter().fold(out, |out, (before, after)| {
            out.replace(&format!("{before}{kind}.{name}{after}"), &format!("{before}{kind}.renamed{after}"))
        })
    }
}

impl Debug for Draft {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.text())
    }
}

/// Decisions drawn from one number. Once it is used up, each one is the first choice, so smaller
/// numbers make simpler components.
struct Dice(u64);

impl Dice {
    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        let count = all.len() as u64;
        let drawn = self.0 % count;
        self.0 /= count;
        all[usize::try_from(drawn).unwrap()]
    }

    fn some(&mut self) -> bool {
        self.one_of(&["no", "yes"]) == "yes"
    }

    /// Returns a field with one of these values, or nothing.
    fn maybe(&mut self, field: &str, values: &[&str]) -> String {
        if self.some() { format!("{field} = {}", self.one_of(values)) } else { String::new() }
    }
}

/// The components that pools and traffic can refer to.
struct Around<'a> {
    buckets: Vec<&'a str>,
    tables: Vec<&'a str>,
    networks: Vec<&'a str>,
    images: Vec<&'a str>,
    pools: Vec<&'a str>,
}

const POSTURES: [&str; 4] = ["\"cold\"", "\"pilot-light\"", "\"warm\"", "\"hot\""];
const KEYS: [&str; 2] = ["\"arn:aws:kms:us-west-2:123456789012:key/1\"", "\"alias/copies\""];

/// The first and the last tier; the second one is the default.
const TIERS: [&str; 2] = ["1", "3"];

fn posture(dice: &mut Dice) -> String {
    if dice.some() { dice.maybe("posture", &POSTURES) } else { String::new() }
}

/// Returns a check for some components, independent of the remaining dice.
fn check(kind: &str, name: &str, look: u64) -> Option<String> {
    let of = match kind {
        "bucket" => format!("object = \"@bucket.{name}\"\nkey = \"model\"\nsha256 = \"{}\"", "0f".repeat(32)),
        "pool" => "http = \"https://api.example.com/healthz\"\ncontains = \"ok\"".to_owned(),
        _ => "command = [\"true\"]\ntimeout = \"5s\"".to_owned(),
    };
    look.is_multiple_of(3).then_some(of)
}

fn as_described(kind: &str, name: &str, dice: &mut Dice) -> Vec<String> {
    let described = described::ALL.iter().find(|it| it.name == kind).unwrap();
    let line = |choices: &Vec<String>| {
        let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
        dice.one_of(&choices).replace("{name}", name)
    };
    described.random.iter().map(line).collect()
}

fn bucket(name: &str, dice: &mut Dice) -> Vec<String> {
    let other = dice.one_of(&["", "-2"]);
    vec![
        format!("name = \"acme-{name}{other}\""),
        dice.maybe("standby_name", &[&format!("\"acme-copy-of-{name}\"")]),
        dice.maybe("delete_markers", &["true", "false"]),
        dice.maybe("replication_time_control", &["true"]),
        dice.maybe("old_versions_days", &["0", "7"]),
        dice.maybe("kms_key", &KEYS),
        posture(dice),
    ]
}

fn table(name: &str, dice: &mut Dice) -> Vec<String> {
    let other = dice.one_of(&["", "-2"]);
    vec![
        format!("name = \"acme-{name}{other}\""),
        dice.maybe("point_in_time_recovery", &["false"]),
        dice.maybe("deletion_protection", &["false"]),
        dice.maybe("kms_key", &KEYS),
        posture(dice),
        dice.maybe("tier", &TIERS),
    ]
}

fn network(dice: &mut Dice) -> Vec<String> {
    match dice.one_of(&["new", "new", "exists", "tags"]) {
        "new" => {
            let cidr = dice.one_of(&["10.64.0.0/16", "10.65.0.0/20"]);
            let zones =
                ["[\"us-west-2a\", \"us-west-2c\"]", "[\"us-west-2d\", \"us-west-2b\", \"us-west-2a\"]"];
            let door = "{ port = 443, from = \"10.0.0.0/8\" }";
            let doors = [format!("[{door}]"), format!("[{{ port = 80, from = \"0.0.0.0/0\" }}, {door}]")];
            vec![
                format!("cidr = \"{cidr}\""),
                dice.maybe("zones", &zones),
                dice.maybe("ingress", &[&doors[0], &doors[1]]),
            ]
        }
        "exists" => vec![
            format!("vpc = \"{}\"", dice.one_of(&["vpc-1", "vpc-2"])),
            format!("subnets = {}", dice.one_of(&["[\"subnet-2\", \"subnet-1\"]", "[\"subnet-3\"]"])),
            dice.maybe("security_groups", &["[\"sg-1\"]", "[\"sg-2\", \"sg-1\"]"]),
        ],
        _ => vec![
            format!(
                "tags = {}",
                dice.one_of(&["{ team = \"fleet\" }", "{ team = \"fleet\", env = \"dr\" }"])
            ),
            dice.maybe("security_groups", &["[\"sg-1\"]"]),
        ],
    }
}

fn image(dice: &mut Dice) -> Vec<String> {
    vec![
        format!("source = {}", dice.one_of(&["\"base\"", "\"gpu\"", "\"ami-0123\""])),
        dice.maybe("kms_key", &KEYS),
    ]
}

fn fence(around: &Around<'_>, dice: &mut Dice) -> Vec<String> {
    let data = [("buckets", "bucket", around.buckets.first()), ("tables", "table", around.tables.first())];
    let denied: Vec<String> = data
        .iter()
        .filter_map(|(field, kind, name)| name.map(|it| format!("{field} = [\"@{kind}.{it}\"]")))
        .collect();
    if denied.is_empty() || !dice.some() {
        return Vec::new();
    }
    denied.into_iter().chain(["deny_writers = [\"serving-writers\"]".to_owned()]).collect()
}

fn pool(around: &Around<'_>, times: u32, dice: &mut Dice) -> Vec<String> {
    let references = |kind: &str, names: &[&str], dice: &mut Dice| {
        let chosen: Vec<String> =
            names.iter().filter(|_| dice.some()).map(|name| format!("\"@{kind}.{name}\"")).collect();
        if chosen.is_empty() { String::new() } else { format!("{kind}s = [{}]", chosen.join(", ")) }
    };
    let follows = dice.some();
    let images: Vec<String> = around.images.iter().map(|name| format!("\"@image.{name}\"")).collect();
    let images: Vec<&str> = std::iter::once("\"ami-own\"").chain(images.iter().map(String::as_str)).collect();
    let mut stated = |field: &str, values: &[&str]| match follows {
        true => dice.maybe(field, values),
        false => format!("{field} = {}", dice.one_of(values)),
    };
    let capacities = [4, 1, 0, 37].map(|capacity| (capacity * times).to_string());
    let needed = [
        stated("image", &images),
        stated("instance_types", &["[\"g5.xlarge\"]", "[\"g6.xlarge\", \"g5.xlarge\"]"]),
        stated("capacity", &capacities.each_ref().map(String::as_str)),
    ];
    let mut lines = vec![
        if follows { format!("follows = {}", dice.one_of(&["\"web\"", "\"jobs\""])) } else { String::new() },
        format!("network = \"@network.{}\"", dice.one_of(&around.networks)),
        references("bucket", &around.buckets, dice),
        references("table", &around.tables, dice),
        dice.maybe("standby_share", &["\"20%\"", "\"30%\"", "\"0%\""]),
        dice.maybe("purchase", &["{ standby = \"on-demand\" }", "{ active = \"spot\" }"]),
        dice.maybe("user_data", &["\"#!/bin/sh\"", "\"start ${stack.name}\""]),
        dice.maybe("instance_profile", &["\"theirs\""]),
        dice.maybe("for_each", &["[\"eta\", \"dispatch\"]", "[\"eta\"]"]),
        posture(dice),
    ];
    lines.extend(needed);
    let on_spot = lines.iter().any(|line| line.contains("active = \"spot\""));
    // Fleet launches usual types on-demand, and none into reservations.
    let engine = if on_spot { String::new() } else { dice.maybe("engine", &["\"fleet\"", "\"group\""]) };
    if !engine.contains("fleet") {
        lines.extend([
            dice.maybe("larger", &["{ \"g5.2xlarge\" = 2 }", "{ \"g5.8xlarge\" = 8, \"g6.4xlarge\" = 4 }"]),
            dice.maybe("smaller", &["{ \"g5.large\" = 2 }", "{ \"g6.medium\" = 3, \"g5.large\" = 2 }"]),
        ]);
        // Spot instances cannot use reservations.
        if !on_spot {
            lines.push(dice.maybe("reservations", &["[\"cr-1\"]", "[\"cr-2\", \"cr-1\"]"]));
        }
    }
    lines.push(engine);
    lines.push(dice.maybe("tier", &TIERS));
    lines
}

fn traffic(name: &str, around: &Around<'_>, dice: &mut Dice) -> Vec<String> {
    let record = dice.one_of(&["", "v2."]);
    let zone = dice.one_of(&["example.com", "routing.example.com", "Z0123ABC"]);
    let pools: Vec<String> =
        around.pools.iter().filter(|_| dice.some()).map(|pool| format!("\"@pool.{pool}\"")).collect();
    vec![
        format!("zone = \"{zone}\""),
        format!("record = \"{record}{name}\""),
        targets(dice),
        format!(
            "probe = \"https://{record}{name}.{}\"",
            dice.one_of(&["example.com/healthz", "example.com:8443"])
        ),
        dice.maybe("after", &[&format!("[{}]", pools.join(", "))]),
        dice.maybe("adopt", &["true"]),
        dice.one_of(&["", "", "policy = \"weighted\"", BY_WEIGHT, RAMP]).to_owned(),
        dice.maybe("tier", &TIERS),
    ]
}

/// Returns two DNS names, or two aliases.
fn targets(dice: &mut Dice) -> String {
    let east = dice.one_of(&["east.example.com", "alb.east.example.com"]);
    let west = dice.one_of(&["west.example.com", "alb.west.example.com"]);
    match dice.some() {
        true => format!("primary_target = \"{east}\"\nstandby_target = \"{west}\""),
        false => format!(
            "primary_target = {{ alias = \"{east}\", zone = \"Z1EAST\" }}\nstandby_target = {{ alias = \"{west}\", zone = \"Z1WEST\" }}"
        ),
    }
}

/// Both sides answer, by weight.
const BY_WEIGHT: &str = "policy = \"weighted\"\nstandby_share = \"10%\"";
/// The primary gets its share back step by step.
const RAMP: &str = "policy = \"weighted\"\nramp = [\"5%\", \"25%\", \"100%\"]";
