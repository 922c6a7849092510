//! The graph of the reference stack, in each posture and mode.

use std::fmt::Write;

use drstack_core::address::Address;
use drstack_core::compile::compile;
use drstack_core::diagnostic::render;
use drstack_core::graph::Graph;
use drstack_core::kind::Place;
use drstack_core::objective::{Mode, Posture, Standing};
use serde_json::{Value, json};

use crate::described;
use crate::loaded::{facts, stack};

/// Returns a stack with one of each component, and a module.
pub(crate) fn reference(posture: Posture) -> String {
    let posture = posture.name();
    let described: String = described::ALL.iter().map(|it| it.reference.as_str()).collect();
    let own = format!(
        r##"
[stack]
name    = "fleet"
primary = "us-east-1"
standby = "us-west-2"
posture = "{posture}"

[bucket.models]
name = "acme-models"
tier = 1

[table.features]
name = "acme-features"
tier = 1

[network.standby]
cidr = "10.64.0.0/16"

[image.base]
source = "acme-base"

[pool.inference]
follows = "fleet-inference"
network = "@network.standby"
buckets = ["@bucket.models"]
tables  = ["@table.features"]
tier    = 1

[pool.batch]
for_each       = ["eta", "dispatch"]
network        = "@network.standby"
image          = "@image.base"
instance_types = ["c7i.large"]
capacity       = 10
user_data      = "#!/bin/sh\nstart ${{each.key}}\n"

[traffic.api]
zone           = "routing.example.com"
record         = "api"
primary_target = "alb-east.example.com"
standby_target = "alb-west.example.com"
probe          = "https://api.routing.example.com/healthz"
after          = ["@pool.inference", "@pool.batch[\"eta\"]"]
tier           = 1

[module.training]
source = "training"
bucket = "acme-checkpoints"

[[pool.inference.check]]
http = "https://api.example.com/healthz"

[[pool.inference.check]]
object = "@bucket.models"
key    = "prod/model.bin"
sha256 = "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c"

[[bucket.models.check]]
command = ["true"]

[fence.writers]
tier = 1
"##
    );
    format!("{own}{described}")
}

/// Describes every resource: address, kind, place, name, needs, and size if it runs instances.
fn picture(graph: &Graph) -> String {
    let mut out = String::new();
    for (address, resource) in &graph.resources {
        let place = format!("{:?}", resource.place).to_lowercase();
        let name = resource.name.as_deref().map(|it| format!(" `{it}`")).unwrap_or_default();
        let _ = writeln!(out, "{address}  [tier {}]\n    {} in {place}{name}", resource.tier, resource.kind);
        let kind = drstack_kinds::kinds().get(&resource.kind).unwrap();
        if let Some(capacity) = kind.capacity() {
            let demand = capacity.demand(&resource.spec).unwrap();
            let _ = writeln!(
                out,
                "    runs {} of {:?}, {} on-demand",
                demand.count, demand.types, demand.on_demand
            );
        }
        for need in resource.needs() {
            assert!(graph.resources.contains_key(&need), "{address} needs {need}, which is not there");
            let _ = writeln!(out, "    needs {need}");
        }
    }
    out
}

#[test]
fn the_reference_stack_in_every_posture_and_mode() {
    for posture in Posture::ALL {
        let stack = stack(&reference(posture));
        let facts = facts(&stack);
        for mode in [Mode::Standby, Mode::Active] {
            let compiled = compile(&stack, &facts, mode);
            assert!(compiled.problems.is_empty(), "{:?}", compiled.problems);
            let mode = format!("{mode:?}").to_lowercase();
            insta::assert_snapshot!(format!("{}-{mode}", posture.name()), picture(&compiled.graph));
        }
    }
}

#[test]
fn checks_come_after_what_they_look_at_and_whoever_waits_for_them_after_both() {
    let stack = stack(&reference(Posture::Warm));
    let compiled = compile(&stack, &facts(&stack), Mode::Active);
    let needs = |address: &str| {
        let resource = &compiled.graph.resources[&Address::parse(address).unwrap()];
        resource.needs().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let pool = ["pool.inference/group", "pool.inference/launch-template"];
    let first = needs("pool.inference/check-1");
    assert!(pool.iter().all(|it| first.contains(&(*it).to_owned())), "{first:?}");
    let second = needs("pool.inference/check-2");
    for others in ["bucket.models/bucket", "bucket.models/check-1"] {
        assert!(second.contains(&others.to_owned()) && !first.contains(&others.to_owned()), "{second:?}");
    }
    assert!(first.iter().chain(&second).all(|it| !it.starts_with("pool.inference/check")), "each for itself");
    // A check of data holds back no capacity.
    assert!(!needs("pool.inference/group").contains(&"bucket.models/check-1".to_owned()));
    assert_eq!(needs("fence.writers/active-region"), ["fence.writers/epoch"]);
}

#[test]
fn the_fence_names_the_region_that_may_write_and_since_when() {
    let stack = stack(&reference(Posture::Warm));
    for (mode, epoch, region) in [(Mode::Standby, 4, "us-east-1"), (Mode::Active, 5, "us-west-2")] {
        let graph = compile(&stack, &facts(&stack), Standing { epoch, ..mode.into() }).graph;
        let said = |address: &str| graph.resources[&Address::parse(address).unwrap()].spec.clone();
        let parameter =
            |name: &str, value: &str| json!({"name": format!("/drstack/fleet/{name}"), "value": value});
        assert_eq!(said("fence.writers/active-region"), parameter("active-region", region));
        let mut counted = parameter("epoch", &epoch.to_string());
        counted["along"] = "active-region".into();
        assert_eq!(said("fence.writers/epoch"), counted);
    }
}

/// A cold table with a check of it once it is restored.
const COLD: &str = "[stack]\nname = \"fleet\"\nprimary = \"us-east-1\"\nstandby = \"us-west-2\"\nposture = \"cold\"\n\
    [table.features]\nname = \"acme-features\"\n[[table.features.check]]\ntable = \"@table.features\"\n";

#[test]
fn a_cold_table_is_checked_once_it_is_restored() {
    let stack = stack(COLD);
    let compiled = compile(&stack, &facts(&stack), Mode::Active);
    assert!(compiled.problems.is_empty(), "{:?}", compiled.problems);
    let check = &compiled.graph.resources[&Address::parse("table.features/check-1").unwrap()];
    let import = Address::parse("table.features/table-import").unwrap();
    assert!(check.needs().contains(&import), "{:?}", check.needs());
}

/// Facts of a drstack version that did not ask for keys.
#[test]
fn a_cold_table_whose_keys_nobody_knows_is_wanted_and_left_as_it_is() {
    let stack = stack(COLD);
    let mut facts = facts(&stack);
    for fact in facts.answers.values_mut() {
        fact.value.as_object_mut().map(|it| it.remove("shape"));
    }
    for (mode, name) in [(Mode::Standby, "standby"), (Mode::Active, "active")] {
        let compiled = compile(&stack, &facts, mode);
        insta::assert_snapshot!(
            format!("a_cold_table_of_unknown_keys-{name}"),
            render(&compiled.problems, &stack.sources, false)
        );
    }
    let graph = compile(&stack, &facts, Mode::Active).graph;
    let import = &graph.resources[&Address::parse("table.features/table-import").unwrap()];
    assert!(import.lacking.as_ref().is_some_and(|it| it.text.contains("keys are not known")));
}

#[test]
fn the_same_stack_and_facts_give_the_same_bytes() {
    let text = reference(Posture::Hot);
    let bytes = || {
        let stack = stack(&text);
        serde_json::to_string(&compile(&stack, &facts(&stack), Mode::Active).graph).unwrap()
    };
    assert_eq!(bytes(), bytes());
}

/// Once traffic has moved, the standby's host has to answer for the record, with the path and the
/// port of the probe.
#[test]
fn the_standby_has_to_answer_for_the_record_once_traffic_has_moved() {
    let answer = |old: &str, new: &str| {
        let stack = stack(&reference(Posture::Warm).replace(old, new));
        let compiled = compile(&stack, &facts(&stack), Mode::Active);
        let notes = compiled.notes.iter().map(|it| it.text.clone()).collect::<Vec<_>>().join("\n");
        let answer = compiled.graph.resources.get(&Address::parse("traffic.api/answer").unwrap()).cloned();
        (answer, notes)
    };
    let (watched, notes) = answer("/healthz\"\nafter", ":8443/healthz?a=1\"\nafter");
    let watched = watched.unwrap();
    let asked = &watched.spec["probe"]["answer"];
    assert_eq!(asked["url"], "https://api.routing.example.com:8443/healthz?a=1");
    assert_eq!(asked["host"], "alb-west.example.com");
    let needs: Vec<String> = watched.needs().iter().map(ToString::to_string).collect();
    assert_eq!((needs, watched.place), (vec!["traffic.api/traffic-switch".to_owned()], Place::Standby));
    assert!(!notes.contains("asks another name"), "{notes}");

    assert!(answer("after          =", "watch = false\nafter =").0.is_none());
    let (other, notes) = answer("https://api.routing", "https://east.routing");
    assert!(
        other.is_none() && notes.contains("`probe` asks another name than `api.routing.example.com`"),
        "{notes}"
    );
}

/// With weights, all but the weights is the same in both modes. The weights differ only with a
/// ramp, and a failover leaves them as they are.
#[test]
fn a_ramp_ends_with_the_share_that_stands_and_begins_with_none() {
    let weights = |more: &str, mode| {
        let more = format!("policy = \"weighted\"\n{more}\nafter          =");
        let stack = stack(&reference(Posture::Hot).replace("after          =", &more));
        let graph = compile(&stack, &facts(&stack), mode).graph;
        let pair = &graph.resources[&Address::parse("traffic.api/dns-record").unwrap()].spec["weighted"];
        let weights = &graph.resources[&Address::parse("traffic.api/dns-weights").unwrap()];
        (
            pair.clone(),
            weights.spec["share"].clone(),
            weights.spec["steps"].clone(),
            weights.spec["gate"].clone(),
        )
    };
    let plain = "standby_share = \"10%\"";
    for mode in [Mode::Standby, Mode::Active] {
        assert_eq!(weights(plain, mode), (90.into(), 90.into(), Value::Null, Value::Null));
    }
    let ramp = format!("{plain}\nramp = [\"1%\", \"25%\", \"100%\"]\nramp_pause = \"5m\"");
    let (pair, share, steps, gate) = weights(&ramp, Mode::Standby);
    assert_eq!((pair, share, steps), (90.into(), 90.into(), json!([1, 22])));
    assert_eq!((&gate["seconds"], &gate["host"]), (&300.into(), &"alb-east.example.com".into()));
    assert_eq!(gate["url"], "https://api.routing.example.com/healthz");
    assert_eq!(weights(&ramp, Mode::Active), (90.into(), 0.into(), Value::Null, Value::Null));
}

/// A planned failover has both regions: it ramps down before the switch, and asks the standby for
/// its answer.
#[test]
fn a_planned_failover_ramps_before_it_switches_where_the_standby_can_be_asked() {
    let ramp = "policy = \"weighted\"\nstandby_share = \"10%\"\nramp = [\"1%\", \"25%\", \"100%\"]\n";
    let text = reference(Posture::Hot).replace("after          =", &format!("{ramp}after          ="));
    let planned = |text: &str| {
        let stack = stack(text);
        let graph = compile(&stack, &facts(&stack), Standing { planned: true, ..Mode::Active.into() }).graph;
        let of = |name: &str| graph.resources[&Address::parse(name).unwrap()].clone();
        (of("traffic.api/dns-weights"), of("traffic.api/traffic-switch"))
    };
    let (weights, switch) = planned(&text);
    let gate = &weights.spec["gate"];
    assert_eq!((&weights.spec["share"], &weights.spec["steps"]), (&0.into(), &json!([89, 68])));
    assert_eq!((&gate["host"], &gate["back"]), (&"alb-west.example.com".into(), &90.into()));
    assert!(gate["check"].is_null() && switch.needs().contains(&weights.address), "{gate}");
    assert!(weights.needs().iter().any(|it| it.is_within("pool.inference")), "what serves comes first");
    // The answer of another name shows nothing about the standby, so all traffic moves at once, by
    // the switch.
    let (weights, switch) = planned(&text.replace("https://api.routing", "https://east.routing"));
    assert!(
        weights.spec["gate"].is_null() && !switch.needs().contains(&weights.address),
        "{:?}",
        weights.spec
    );
}

/// A failover never observes outside the standby region. Resources there are the same in both
/// modes, so no changing resource needs them.
#[test]
fn traffic_moves_by_its_switch_alone() {
    for posture in Posture::ALL {
        let stack = stack(&reference(posture));
        let [waiting, active] = [Mode::Standby, Mode::Active].map(|mode| {
            let mut resources = compile(&stack, &facts(&stack), mode).graph.resources;
            resources.retain(|address, _| address.is_within("traffic"));
            resources
        });
        assert_eq!(waiting.len(), 6);
        let more: Vec<&str> =
            active.keys().filter(|it| !waiting.contains_key(*it)).map(|it| it.as_str()).collect();
        assert_eq!(more, ["traffic.api/answer"]);
        let changed: Vec<&str> = waiting
            .iter()
            .filter(|(address, resource)| active[*address] != **resource)
            .map(|(address, _)| address.as_str())
            .collect();
        assert_eq!(changed, ["traffic.api/traffic-switch"]);
        for resource in active.values().filter(|resource| resource.place == Place::Standby) {
            let outside = |need: &Address| active.get(need).is_some_and(|it| it.place != Place::Standby);
            assert!(!resource.needs().iter().any(outside), "{}", resource.address);
        }
        let switch = &active[&Address::parse("traffic.api/traffic-switch").unwrap()];
        let needs: Vec<String> = switch.needs().iter().map(ToString::to_string).collect();
        let mut waits_for = vec![
            "pool.batch[\"eta\"]/group",
            "pool.inference/check-1",
            "pool.inference/check-2",
            "pool.inference/group",
            "traffic.api/alarm",
        ];
        // A restored table that the pool reads.
        if posture == Posture::Cold {
            waits_for.insert(4, "table.features/table-import");
        }
        assert_eq!(needs, waits_for);
    }
}

#[test]
fn every_resource_stands_where_its_kind_can_stand() {
    for posture in Posture::ALL {
        let stack = stack(&reference(posture));
        for resource in compile(&stack, &facts(&stack), Mode::Active).graph.resources.values() {
            let kind = drstack_kinds::kinds().get(&resource.kind).unwrap();
            assert!(kind.places().contains(&resource.place), "{}", resource.address);
        }
    }
}
