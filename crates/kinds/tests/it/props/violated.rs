//! An apply promises that the stack can fail over: if a failover would need the primary, the apply
//! fails and publishes nothing.

use std::path::{Path, PathBuf};

use drstack_core::component::{CompileCx, Component, ComponentRegistry, ErasedComponent, ResourceSet};
use drstack_core::graph::Resource;
use drstack_core::kind::Place;
use drstack_core::objective::Mode;
use drstack_core::stack::{InputValues, Stack, load};
use drstack_kinds::resources::Parameter;
use drstack_kinds::services::ssm::parameter::ParameterSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::planted::Flaw;
use super::program::End;
use super::scene::{Case, Scene, cases};
use super::{finds, holds, run};
use crate::loaded::Files;

/// The table `[anchor.NAME]`.
#[derive(Serialize, Deserialize, JsonSchema)]
struct AnchorTable {}

/// A component with a resource in the primary region that differs once the standby region serves.
struct Anchor;

impl Component for Anchor {
    const NAME: &'static str = "anchor";
    const SUMMARY: &'static str = "a parameter of the primary region that names the region which serves";
    type Spec = AnchorTable;

    fn compile(_: &AnchorTable, cx: &CompileCx<'_>, out: &mut ResourceSet) {
        let value = if cx.mode == Mode::Active { "standby" } else { "primary" };
        let spec = ParameterSpec { name: "/anchor".to_owned(), value: value.to_owned(), along: None };
        out.add(Resource::named::<Parameter>(cx.resource("parameter"), Place::Primary, &spec.name, &spec));
    }
}

/// Returns the stack `text` with an anchor added.
fn anchored(text: &str) -> Stack {
    let usual = drstack_kinds::components();
    let all: Vec<_> = usual.iter().chain([&ErasedComponent::<Anchor>::NEW as _]).collect();
    let all = ComponentRegistry::new(&all).with_checks(usual.check().unwrap());
    let files = Files([(PathBuf::from("stack.toml"), format!("{text}\n[anchor.it]\n"))].into());
    match load(Path::new("stack.toml"), &InputValues::new(), &all, &files) {
        Ok(loaded) => loaded.stack,
        Err(failed) => panic!("{:?}", failed.problems),
    }
}

fn check(case: &Case, flaw: Option<Flaw>) {
    run(async {
        let mut scene = Scene::of(&case.afresh(), None).await;
        scene.plant(flaw);
        scene.stack = anchored(&case.text());
        let sim = scene.begin();
        let end = scene.apply(&sim, "first").await;
        let End::Failed(why) = end else { panic!("{end:?}") };
        let expected = "anchor.it/parameter: a failover would have to change it";
        assert!(why.contains(expected) && why.contains("it is in the primary region"), "{why}");
        let is_published =
            sim.see(|world| world.buckets.values().any(|it| it.objects.contains_key("bundle.json")));
        assert!(!is_published, "a bundle of a stack that cannot fail over");
    });
}

#[test]
fn an_apply_of_what_cannot_fail_over_fails_and_publishes_nothing() {
    holds(cases(), |case| check(&case, None));
}

#[test]
fn a_violation_that_does_not_block_is_found_by_the_property_of_violations() {
    finds(cases(), |case| check(&case, Some(Flaw::BlocksNothing)));
}
