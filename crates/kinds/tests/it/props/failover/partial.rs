//! A failover of one component, and of what it waits for, leaves every other resource as it is, to
//! the byte.

use std::collections::BTreeMap;

use drstack_core::part::Sequence;
use drstack_sim::{Holder, World};
use proptest::prelude::*;
use proptest::sample::Index;

use super::Disaster;
use crate::props::program::End;
use crate::props::scene::{Case, EXCHANGED, cases, objects};
use crate::props::{holds, run};

/// Returns all resources outside `only`. The traffic switch is a setting without an owner, so its
/// name decides.
fn others(world: &World, only: &[String]) -> BTreeMap<String, String> {
    let is_meant = |holder: &Holder| matches!(holder, Holder::Stack { address, .. } if only.iter().any(|it| address.is_within(it)));
    let names: Vec<String> = only.iter().map(|it| it.replace('.', "-")).collect();
    let others = objects(world).filter(|(.., object)| !is_meant(&object.owner));
    others
        .filter(|(kind, _, id, _)| *kind != "traffic-switch" || !names.iter().any(|it| id.ends_with(it)))
        .map(|(kind, region, id, object)| {
            (format!("{region}/{kind}/{id}"), serde_json::to_string(object).unwrap())
        })
        .collect()
}

fn check(case: &Case, which: Index) {
    run(async {
        let disaster = Disaster::of(case, None).await;
        let stack = &disaster.scene.stack;
        let components: Vec<String> = stack.components.keys().map(ToString::to_string).collect();
        let named = &components[which.index(components.len())];
        // The components that the named one waits for.
        let sequence = Sequence::of(stack, &drstack_kinds::kinds());
        let along = sequence.along(stack, std::slice::from_ref(named));
        let mut only: Vec<String> = along.keys().map(ToString::to_string).chain([named.clone()]).collect();
        only.sort();
        // Auto Scaling exchanges instances by itself after an apply from on-demand to spot, also in
        // pools that do not fail over. It is done by now.
        let sim = disaster.begin_with(|config| config.between_runs = EXCHANGED);
        let before = others(&sim.world(), &only);
        let end = disaster.failover_of(&sim, "part", std::slice::from_ref(named)).await;
        assert!(matches!(end, End::Done(_)), "{end:?}");
        let after = others(&disaster.later(&sim).world(), &only);
        assert_eq!(after, before, "{only:?} alone were to fail over");
        assert_eq!(disaster.mode(&sim).await.standing().only, only);
    });
}

#[test]
fn a_failover_of_one_component_and_what_it_waits_for_leaves_all_others_to_the_byte() {
    holds((cases(), any::<Index>()), |(case, which)| check(&case, which));
}
