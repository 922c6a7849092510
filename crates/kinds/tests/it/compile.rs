//! What the reference stack becomes, in each posture and mode.

use std::fmt::Write;

use drstack_core::address::Address;
use drstack_core::compile::compile;
use drstack_core::graph::Graph;
use drstack_core::kind::Place;
use drstack_core::objective::{Mode, Posture};

use crate::loaded::{facts, stack};

/// One of each component, and a module.
pub(crate) fn reference(posture: Posture) -> String {
    let posture = posture.name();
    format!(
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
"##
    )
}

/// Address, kind, place, name and needs of every resource; sizes, where it runs anything.
fn picture(graph: &Graph) -> String {
    let mut out = String::new();
    for (address, resource) in &graph.resources {
        let place = format!("{:?}", resource.place).to_lowercase();
        let name = resource.name.as_deref().map(|it| format!(" `{it}`")).unwrap_or_default();
        let _ = writeln!(out, "{address}  [tier {}]\n    {} in {place}{name}", resource.tier, resource.kind);
        let kind = drstack_kinds::kinds().get(&resource.kind).unwrap();
        if let Some(demand) = kind.demand(&resource.spec).unwrap() {
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
fn the_same_stack_and_facts_give_the_same_bytes() {
    let text = reference(Posture::Hot);
    let bytes = || {
        let stack = stack(&text);
        serde_json::to_string(&compile(&stack, &facts(&stack), Mode::Active).graph).unwrap()
    };
    assert_eq!(bytes(), bytes());
}

/// A failover never looks outside the standby region: whatever stands there is the same in both modes, and so is needed by
/// nothing that changes.
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
        assert_eq!(needs, ["pool.batch[\"eta\"]/group", "pool.inference/group", "traffic.api/alarm"]);
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
