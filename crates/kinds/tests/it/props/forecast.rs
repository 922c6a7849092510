//! What a forecast predicts, a run takes: with the durations of the simulated cloud, whatever they
//! are, in stacks with more steps than slots and more instances than may be launched at once.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use drstack_app::planned::PlanOutcome;
use drstack_core::address::Address;
use drstack_core::engine::execute::PARALLELISM;
use drstack_core::forecast::{Durations, Forecast};
use drstack_core::kind::{Action, FieldChange, KindRegistry};
use drstack_core::link::has_links;
use drstack_core::observe::Look;
use drstack_core::plan::{Intent, Step};
use drstack_sim::{Sim, SimConfig};
use jiff::SignedDuration;
use proptest::prelude::*;

use super::desk::OperatorCloud;
use super::planted::{self, Flaw};
use super::program::{Program, scope};
use super::scene::expect_done;
use super::{finds, holds, run};
use crate::loaded::{seeds, stack};

/// How far a run may be from its forecast, as a share of what it took: the last write of the journal
/// comes after the last step, and the rest is rounding to milliseconds.
const TOLERANCE: f64 = 0.01;
/// How long the simulated cloud takes to end the instances of a group.
const LETTING_GO: Duration = Duration::from_secs(5);

/// A stack of this many components, in a cloud with these durations.
#[derive(Clone, Debug)]
struct Case {
    components: usize,
    seed: u64,
    /// Milliseconds that each call takes beside its work.
    latency: i64,
}

fn cases() -> impl Strategy<Value = Case> {
    (1..=200_usize, any::<u64>(), 0..100_i64).prop_map(|(components, seed, latency)| Case {
        components,
        seed,
        latency,
    })
}

/// Numbers that follow from one seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        // The generator of PCG, high bits only.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

impl Case {
    fn text(&self) -> String {
        let mut dice = Dice(self.seed);
        let posture = ["cold", "pilot-light", "warm", "hot"][dice.below(4) as usize];
        let mut out = format!(
            "[stack]\nname = \"fleet\"\nprimary = \"us-east-1\"\nstandby = \"us-west-2\"\nposture = \"{posture}\"\n\
             [network.standby]\ncidr = \"10.64.0.0/16\"\n"
        );
        for number in 1..self.components {
            let tier = 1 + dice.below(3);
            let _ = match dice.below(5) {
                0 => write!(out, "[bucket.b{number}]\nname = \"acme-{number}\"\ntier = {tier}\n"),
                1 => write!(out, "[table.t{number}]\nname = \"acme-{number}\"\ntier = {tier}\n"),
                2 => write!(out, "[image.i{number}]\nsource = \"ami-{number}\"\n"),
                _ => write!(
                    out,
                    "[pool.p{number}]\nimage = \"ami-own\"\ninstance_types = [\"g5.xlarge\"]\nnetwork = \"@network.standby\"\n\
                     capacity = {}\ntier = {tier}\n",
                    1 + dice.below(60)
                ),
            };
        }
        out
    }

    /// Returns durations that are not the priors: 0.3 to 4 times as long, by kind.
    fn config(&self) -> SimConfig {
        let mut dice = Dice(self.seed ^ 1);
        let mut work = |kind: &&'static dyn drstack_core::kind::DynKind| {
            let usual = kind.prior(Action::Create).max(kind.prior(Action::Update)).as_millis();
            let factor = 30 + i64::try_from(dice.below(371)).unwrap();
            SignedDuration::from_millis(i64::try_from(usual).unwrap() * factor / 100)
        };
        SimConfig {
            seed: self.seed,
            latency: SignedDuration::from_millis(self.latency),
            jitter: SignedDuration::ZERO,
            work: drstack_kinds::kinds().iter().map(|kind| (kind.name().to_owned(), work(&kind))).collect(),
            ..SimConfig::default()
        }
    }
}

/// The durations of the simulated cloud: a call answers once its work is done.
struct Simulated<'a> {
    kinds: KindRegistry,
    config: SimConfig,
    seen: &'a BTreeMap<Address, Look>,
}

impl Simulated<'_> {
    fn latency(&self) -> Duration {
        self.config.latency.unsigned_abs()
    }

    fn work(&self, step: &Step) -> Duration {
        self.config.work[&step.kind].unsigned_abs()
    }

    /// True if an update of a group launches nothing, so that the cloud only ends instances.
    fn lets_go(&self, step: &Step) -> bool {
        let kind = self.kinds.get(&step.kind).unwrap();
        let (Some(capacity), Some(Look::Present(found))) = (kind.capacity(), self.seen.get(&step.address))
        else {
            return false;
        };
        let during = capacity.during(&step.spec, &found.id, &found.live).unwrap();
        during == kind.expect_after(&step.spec, &found.id, &found.live).unwrap()
    }
}

impl Durations for Simulated<'_> {
    fn step(&self, step: &Step) -> Duration {
        let (latency, kind) = (self.latency(), self.kinds.get(&step.kind).unwrap());
        match step.action {
            Action::Create => {
                let id = step.id.as_deref().unwrap_or_default();
                let further = u32::try_from(kind.halfway(&step.spec, id).unwrap().len()).unwrap();
                latency + (latency * further).max(self.work(step))
            }
            // The call, and a look at what it left.
            Action::Update if self.lets_go(step) => latency * 2 + LETTING_GO,
            Action::Update => {
                let is_of_address = step.changes.iter().any(FieldChange::is_of_address);
                let looks = !step.needs.is_empty() && has_links(&step.spec) && !step.changes.is_empty();
                let looks = if looks && !is_of_address { 3 } else { 2 };
                latency * looks + self.work(step)
            }
            Action::Delete => latency * 2 + self.work(step),
        }
    }

    fn part(&self, step: &Step) -> Duration {
        self.latency() + self.work(step)
    }

    fn round(&self, _: &Step) -> Duration {
        self.latency() * 2 + LETTING_GO
    }

    fn write(&self) -> Duration {
        self.latency()
    }
}

/// Asserts that the run took what was predicted for its plan.
fn expect(case: &Case, planned: &PlanOutcome, took: Duration, flaw: Option<Flaw>) {
    let durations = Simulated { kinds: drstack_kinds::kinds(), config: case.config(), seen: &planned.seen };
    let (plan, slots) = planted::carefree(flaw, &planned.plan, PARALLELISM);
    if plan.is_empty() {
        // Such a run only opens and closes its journal.
        return;
    }
    let predicted = Forecast::of(&plan, slots, &durations);
    let (total, took) = (predicted.total.as_secs_f64(), took.as_secs_f64());
    assert!(
        (total - took).abs() <= TOLERANCE * took,
        "{} steps: {total} s predicted, {took} s taken, waits {:?}",
        plan.steps.len(),
        predicted.waits()
    );
}

/// Applies, and then fails over unless that would take a test too long.
fn check(case: &Case, fails_over: bool, flaw: Option<Flaw>) {
    run(async {
        let (stack, config) = (stack(&case.text()), case.config());
        let sim =
            Sim::in_memory(config.clone(), drstack_kinds::kinds(), &scope(&stack), seeds(&stack)).unwrap();
        let none = Default::default();
        let program = |sim: &Sim, run: &str| Program {
            stack: &stack,
            desk: OperatorCloud::at(sim, None, None),
            run: run.to_owned(),
            delete_data: &none,
            flaw: None,
            minimum: Vec::new(),
            judged: Default::default(),
            took: Default::default(),
        };
        let apply = program(&sim, "apply");
        let planned = apply.plan(Intent::Converge).await.unwrap_or_else(|end| panic!("{end:?}"));
        expect_done(apply.apply().await);
        expect(case, &planned, apply.took(), flaw);
        if !fails_over {
            return;
        }
        let sim = sim
            .restart(SimConfig { down: ["us-east-1".to_owned(), "global".to_owned()].into(), ..config })
            .unwrap();
        let failover = program(&sim, "failover");
        let planned = failover.plan_failover(&[]).await.unwrap_or_else(|end| panic!("{end:?}"));
        expect_done(failover.failover(&[]).await);
        expect(case, &planned, failover.took(), flaw);
    });
}

#[test]
fn a_run_takes_what_its_forecast_predicts() {
    holds(cases(), |case| check(&case, true, None));
}

#[test]
fn a_run_of_600_components_takes_what_its_forecast_predicts() {
    check(&Case { components: 600, seed: 6, latency: 40 }, true, None);
}

#[test]
fn a_run_of_2000_components_takes_what_its_forecast_predicts() {
    check(&Case { components: 2000, seed: 7, latency: 40 }, false, None);
}

#[test]
fn a_forecast_without_slots_is_found() {
    finds(cases(), |case| check(&case, true, Some(Flaw::EndlessSlots)));
}

#[test]
fn a_forecast_without_the_launch_budget_is_found() {
    finds(cases(), |case| check(&case, true, Some(Flaw::EndlessLaunches)));
}
