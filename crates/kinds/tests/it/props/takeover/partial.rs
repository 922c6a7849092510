//! A takeover of one component leaves every other resource as it is, to the byte.

use std::collections::BTreeMap;

use drstack_sim::{Holder, World};
use proptest::prelude::*;
use proptest::sample::Index;

use super::Disaster;
use crate::props::program::End;
use crate::props::scene::{Case, cases, objects};
use crate::props::{holds, run};

/// All that is there and was not made for `only`. What moves traffic is a setting, which nobody owns: its name says whose it is.
fn others(world: &World, only: &str) -> BTreeMap<String, String> {
    let is_meant =
        |holder: &Holder| matches!(holder, Holder::Stack { address, .. } if address.is_within(only));
    let name = only.replace('.', "-");
    let others = objects(world).filter(|(.., object)| !is_meant(&object.owner));
    others
        .filter(|(kind, _, id, _)| *kind != "traffic-switch" || !id.ends_with(&name))
        .map(|(kind, region, id, object)| {
            (format!("{region}/{kind}/{id}"), serde_json::to_string(object).unwrap())
        })
        .collect()
}

fn check(case: &Case, which: Index) {
    run(async {
        let disaster = Disaster::of(case, None).await;
        let components: Vec<String> =
            disaster.scene.stack.components.keys().map(ToString::to_string).collect();
        let only = &components[which.index(components.len())];
        let sim = disaster.begin();
        let before = others(&sim.world(), only);
        let end = disaster.failover_of(&sim, "part", std::slice::from_ref(only)).await;
        assert!(matches!(end, End::Done(_)), "{end:?}");
        let after = others(&disaster.later(&sim).world(), only);
        assert_eq!(after, before, "{only} alone was to take over");
        assert_eq!(disaster.mode(&sim).await.standing().only, std::slice::from_ref(only));
    });
}

#[test]
fn a_takeover_of_one_component_leaves_all_others_to_the_byte() {
    holds((cases(), any::<Index>()), |(case, which)| check(&case, which));
}
