//! A verdict is earned, and a failover that is short of its minimum goes on with the minimum that
//! its hint names.

use std::collections::BTreeMap;

use drstack_app::accepted::Accepted;
use drstack_core::address::ComponentAddress;
use drstack_core::minimum::Minimum;
use drstack_core::verdict::{Evidence, Verdict};
use drstack_sim::{Holder, Sim};

use super::Disaster;
use super::shortage::{Shortage, shortages};
use crate::props::planted::Flaw;
use crate::props::program::{End, Program};
use crate::props::scene::{Case, cases, expect_done};
use crate::props::service::serving;
use crate::props::{finds, holds, run};

/// Fails over with the accepted `minimum`, and returns the verdict.
async fn failover(
    disaster: &Disaster,
    sim: &Sim,
    run: &str,
    minimum: &[Accepted],
) -> (End, Option<(Verdict, Evidence)>) {
    let desk = disaster.desk(sim);
    let program = disaster.scene.program_with(&desk, run, disaster.flaw);
    let program = Program { minimum: minimum.to_vec(), ..program };
    let end = program.failover(&[]).await;
    let judged = program.judged.lock().unwrap().take();
    (end, judged)
}

/// Returns the minimums that the hint of a failover names; `None` if no pool is short, or if one
/// has nothing in service.
fn named(evidence: &Evidence) -> Option<Vec<Accepted>> {
    let short = evidence.pools.iter().filter(|pool| !pool.is_up);
    let named: Option<Vec<Accepted>> = short
        .map(|pool| Some(Accepted { pool: Some(pool.component().to_string()), minimum: pool.acceptable()? }))
        .collect();
    named.filter(|named| !named.is_empty())
}

/// Asserts that each pool of a recovered failover serves, with the accepted minimum at least, and
/// that a check was answered.
fn expect_earned(
    disaster: &Disaster,
    sim: &Sim,
    judged: Option<&(Verdict, Evidence)>,
    accepted: &[Accepted],
) {
    let Some((verdict, _)) = judged.filter(|(verdict, _)| verdict.is_recovery()) else { return };
    let world = disaster.later(sim).world();
    let serving = serving(&world);
    let groups = world.objects.get("group").into_iter().flat_map(BTreeMap::values).flatten();
    let mut pools = 0;
    for (id, group) in groups {
        let Holder::Stack { address, .. } = &group.owner else { continue };
        pools += 1;
        let component = address.component();
        let share = match accepted
            .iter()
            .find(|it| it.pool.as_deref() == Some(component.as_str()))
            .map(|it| it.minimum)
        {
            Some(Minimum::Share(share)) => share.min(60),
            Some(Minimum::Instances(_)) => 0,
            None => 60,
        };
        let wanted = group.live["desired"].as_u64().unwrap();
        let least = (wanted * u64::from(share)).div_ceil(100).max(1);
        assert!(serving[id] >= least, "{verdict:?}: {address} serves {} of {wanted}", serving[id]);
    }
    let named = |kind: &str| {
        let components = disaster.scene.stack.components.keys().map(ComponentAddress::as_str);
        components.filter(|it| it.starts_with(kind)).count()
    };
    assert!(pools >= named("pool."), "{verdict:?}: {pools} groups of {} pools", named("pool."));
    // Random checks of buckets ask for an object, all other checks for an answer as users get it.
    let of_service = named("pool.") + named("traffic.") > 0;
    let asked = sim.calls().into_iter().filter(|call| call.kind == "check" && call.failure.is_none());
    let answered = asked.filter(|call| !of_service || !call.subject.starts_with("bucket."));
    let answered: Vec<String> = answered.map(|call| call.subject).collect();
    assert!(!answered.is_empty(), "{verdict:?}, and nothing asked it");
    // Each pool answered itself, or traffic was answered from behind it.
    let is_asked = |pool: &str| answered.iter().any(|it| it.starts_with("traffic.") || it.starts_with(pool));
    let pools = disaster.scene.stack.components.keys().map(ComponentAddress::as_str);
    let unasked: Vec<&str> = pools.filter(|it| it.starts_with("pool.") && !is_asked(it)).collect();
    assert!(unasked.is_empty(), "{verdict:?}, and nothing asked {unasked:?}: {answered:?}");
}

fn check(case: &Case, shortage: &Shortage, flaw: Option<Flaw>) {
    run(async {
        let disaster = Disaster::of(case, flaw).await;
        let world = disaster.scene.stands.world();
        let sim = disaster.begin_with(|config| shortage.limit(&world, config));
        let (_, judged) = failover(&disaster, &sim, "short", &[]).await;
        expect_earned(&disaster, &sim, judged.as_ref(), &[]);
        let Some(accepted) = judged.and_then(|(_, evidence)| named(&evidence)) else { return };
        let later = |sim: &Sim| {
            disaster.scene.after_with(sim, |config| {
                config.down = disaster.elsewhere();
                shortage.limit(&world, config);
            })
        };
        let sim = later(&sim);
        let (end, judged) = failover(&disaster, &sim, "accepting", &accepted).await;
        expect_done(end);
        expect_earned(&disaster, &sim, judged.as_ref(), &accepted);
        // The accepted minimum is kept with the mode, so the same shortage does not fail a later
        // run without it.
        let sim = later(&sim);
        let (end, judged) = failover(&disaster, &sim, "again", &[]).await;
        expect_done(end);
        expect_earned(&disaster, &sim, judged.as_ref(), &accepted);
    });
}

#[test]
fn what_is_called_recovered_serves_and_answered_and_what_is_short_goes_on_with_the_minimum_it_names() {
    holds((cases(), shortages()), |(case, shortage)| check(&case, &shortage, None));
}

#[test]
fn a_verdict_by_steps_alone_is_found() {
    finds((cases(), shortages()), |(case, shortage)| check(&case, &shortage, Some(Flaw::Hopeful)));
}

#[test]
fn an_accepted_minimum_that_is_not_heeded_is_found() {
    finds((cases(), shortages()), |(case, shortage)| check(&case, &shortage, Some(Flaw::ForgetsMinimum)));
}
