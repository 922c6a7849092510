//! The scene of a property: a world in which one stack exists, the stack that is desired now, and
//! the world after an undisturbed apply of it.

use std::collections::{BTreeMap, BTreeSet};

use drstack_app::planned::PlanOutcome;
use drstack_core::address::Address;
use drstack_core::cloud::{Found, Owner};
use drstack_core::control::record;
use drstack_core::kind::{Lookup, Role};
use drstack_core::plan::{Intent, Plan};
use drstack_core::stack::Stack;
use drstack_sim::{Holder, Sim, SimConfig, World};
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::Value;

use super::desk::{Nap, OperatorCloud};
use super::planted::Flaw;
use super::program::{End, Program, scope};
use crate::loaded::{seeds, stack};
use crate::random::{Draft, drafts};
use crate::samples::samples;

/// Time until all instances are exchanged, however large the pools of a random stack are.
pub(crate) const EXCHANGED: SignedDuration = SignedDuration::from_hours(4);

/// The input of a property.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The stack that exists already.
    before: Option<Draft>,
    wanted: Draft,
    conditions: Conditions,
}

/// How a simulated cloud behaves if nothing goes wrong.
#[derive(Clone, Debug)]
struct Conditions {
    seed: u64,
    latency: i64,
    jitter: i64,
    /// Milliseconds for which reads may miss a created resource.
    lag: i64,
    /// Seconds that each change takes.
    work: i64,
    /// Available instances of the type that pools prefer and can do without.
    best: u32,
}

pub(crate) fn cases() -> impl Strategy<Value = Case> {
    let conditions = (any::<u64>(), 0..200_i64, 0..200_i64, 0..10_000_i64, 0..40_i64, 0..40_u32).prop_map(
        |(seed, latency, jitter, lag, work, best)| Conditions { seed, latency, jitter, lag, work, best },
    );
    (prop::option::of((drafts(), any::<bool>())), drafts(), conditions).prop_map(
        |(before, wanted, conditions)| {
            let (before, wanted) = match before {
                Some((before, true)) => (Some(before.clone()), before.changed_to(&wanted)),
                Some((before, false)) => (Some(before), wanted),
                None => (None, wanted),
            };
            Case { before, wanted, conditions }
        },
    )
}

impl Case {
    /// Returns this case with reads that find every created resource.
    pub(crate) fn without_lag(&self) -> Self {
        Self { conditions: Conditions { lag: 0, ..self.conditions.clone() }, ..self.clone() }
    }

    /// Returns this case with pools of more instances than may be launched at once.
    pub(crate) fn with_large_pools(&self) -> Self {
        Self { before: None, wanted: self.wanted.with_large_pools(), ..self.clone() }
    }

    /// Returns this case with its stack in existence already, one component or module of it
    /// renamed.
    pub(crate) fn with_a_rename(&self, which: usize) -> Self {
        let before = self.wanted.with_module();
        Self { wanted: before.renamed(which), before: Some(before), ..self.clone() }
    }

    /// Returns the text of the desired stack.
    pub(crate) fn text(&self) -> String {
        self.wanted.text()
    }

    /// Returns this case for a world in which no stack exists yet.
    pub(crate) fn afresh(&self) -> Self {
        Self { before: None, ..self.clone() }
    }
}

impl Conditions {
    fn config(&self) -> SimConfig {
        let work = SignedDuration::from_secs(self.work);
        SimConfig {
            seed: self.seed,
            latency: SignedDuration::from_millis(self.latency),
            jitter: SignedDuration::from_millis(self.jitter),
            lag: SignedDuration::from_millis(self.lag),
            work: drstack_kinds::kinds().iter().map(|kind| (kind.name().to_owned(), work)).collect(),
            capacity: [("g6.xlarge".to_owned(), self.best)].into(),
            ..SimConfig::default()
        }
    }
}

/// A case with its simulated cloud, and with the world after an undisturbed apply.
pub(crate) struct Scene {
    pub(crate) stack: Stack,
    /// The world before any run.
    start: Sim,
    /// The world after an undisturbed apply.
    pub(crate) stands: Sim,
    config: SimConfig,
    flaw: Option<Flaw>,
    /// Data that the operator allows to be replaced.
    pub(crate) delete_data: BTreeSet<String>,
    /// Calls of an undisturbed apply, its steps, and the world after it.
    pub(crate) calls: u64,
    pub(crate) steps: usize,
    undisturbed: Vec<String>,
}

impl Scene {
    pub(crate) async fn of(case: &Case, flaw: Option<Flaw>) -> Self {
        let wanted = stack(&case.wanted.text());
        let before = case.before.as_ref().map(|before| stack(&before.text()));
        let config = case.conditions.config();
        let all = before.iter().chain([&wanted]).flat_map(seeds).collect();
        let sim = Sim::in_memory(config.clone(), drstack_kinds::kinds(), &scope(&wanted), all).unwrap();
        plant_foreign(&sim, &wanted);
        let mut scene = Self {
            stack: before.unwrap_or_else(|| stack(&case.wanted.text())),
            start: sim.clone(),
            stands: sim.clone(),
            config,
            flaw: None,
            delete_data: BTreeSet::new(),
            calls: 0,
            steps: 0,
            undisturbed: Vec::new(),
        };
        if case.before.is_some() {
            expect_done(scene.apply(&sim, "before").await);
            scene.start = scene.later(&sim);
        }
        scene.stack = wanted;
        scene.flaw = flaw;
        scene.delete_data = scene.to_be_allowed().await;
        let sim = scene.begin();
        scene.steps = expect_done(scene.apply(&sim, "first").await);
        scene.calls = sim.calls().len() as u64;
        scene.undisturbed = scene.finished(&sim).await;
        scene.stands = scene.later(&sim);
        scene
    }

    /// Changes the desired stack to the one that existed before, or back.
    pub(crate) fn change_stack(&mut self, case: &Case) {
        let Some(before) = &case.before else { return };
        let other = stack(&before.text());
        let is_changed = self.stack.hash == other.hash;
        self.stack = if is_changed { stack(&case.wanted.text()) } else { other };
    }

    /// Makes programs commit this mistake from here on.
    pub(crate) fn plant(&mut self, flaw: Option<Flaw>) {
        self.flaw = flaw;
    }

    /// Returns the data whose replacement has to be allowed. The remark that blocks it names the
    /// address.
    async fn to_be_allowed(&self) -> BTreeSet<String> {
        let sim = self.begin();
        let planned = self.plan(&sim, Intent::Converge).await;
        let named = planned.report.blocked.iter().filter_map(|it| it.text.split("--delete-data ").nth(1));
        named.map(|it| it.trim_matches(['`', '\'']).to_owned()).collect()
    }

    /// Returns the world before any run.
    pub(crate) fn begin(&self) -> Sim {
        self.start.restart(self.config.clone()).unwrap()
    }

    /// Returns the world before any run, with a changed configuration such as a fault.
    pub(crate) fn begin_with(&self, change: impl FnOnce(&mut SimConfig)) -> Sim {
        let mut config = self.config.clone();
        change(&mut config);
        self.start.restart(config).unwrap()
    }

    /// Returns the world after `sim`, at a time when an unrenewed lock has expired.
    pub(crate) fn later(&self, sim: &Sim) -> Sim {
        self.after_with(sim, |_| {})
    }

    /// Returns the world after `sim` at that time, with a changed configuration.
    pub(crate) fn after_with(&self, sim: &Sim, change: impl FnOnce(&mut SimConfig)) -> Sim {
        let between_runs = SignedDuration::from_secs(75);
        let mut config = SimConfig { between_runs, ..self.config.clone() };
        change(&mut config);
        sim.restart(config).unwrap()
    }

    /// Returns all resources once Auto Scaling has done what it does by itself: runs that differ end
    /// at different moments of it.
    pub(crate) fn settled(&self, sim: &Sim) -> Vec<String> {
        shape(&self.after_with(sim, |config| config.between_runs = EXCHANGED).world())
    }

    /// Returns the world immediately after `sim`.
    pub(crate) fn at_once(&self, sim: &Sim) -> Sim {
        let between_runs = SignedDuration::from_millis(1);
        sim.restart(SimConfig { between_runs, ..self.config.clone() }).unwrap()
    }

    pub(crate) fn desk(&self, sim: &Sim, nap: Option<Nap>) -> OperatorCloud {
        OperatorCloud::at(sim, self.flaw, nap)
    }

    /// Returns a program at that machine.
    pub(crate) fn program(&self, desk: &OperatorCloud, run: &str) -> Program<'_> {
        self.program_with(desk, run, self.flaw)
    }

    /// Returns a program at that machine that makes this mistake.
    pub(crate) fn program_with(&self, desk: &OperatorCloud, run: &str, flaw: Option<Flaw>) -> Program<'_> {
        Program {
            stack: &self.stack,
            desk: desk.clone(),
            run: run.to_owned(),
            delete_data: &self.delete_data,
            flaw,
            minimum: Default::default(),
            judged: Default::default(),
            took: Default::default(),
        }
    }

    /// Applies from a new machine. Every change's intent has to be stored before the change.
    pub(crate) async fn apply(&self, sim: &Sim, run: &str) -> End {
        let desk = self.desk(sim, None);
        let end = self.program(&desk, run).apply().await;
        expect_intended(&desk);
        end
    }

    /// Applies from a new machine, which has to succeed.
    pub(crate) async fn applied(&self, sim: &Sim, run: &str) {
        expect_done(self.apply(sim, run).await);
    }

    pub(crate) async fn plan(&self, sim: &Sim, intent: Intent) -> PlanOutcome {
        let desk = self.desk(sim, None);
        match self.program(&desk, "plan").plan(intent).await {
            Ok(planned) => planned,
            Err(failure) => panic!("{failure:?}"),
        }
    }

    /// Asserts that the world of `sim` is complete: nothing is left to do, no resource exists twice
    /// or as an unreported orphan, and other owners' resources are unchanged. Returns all
    /// resources.
    pub(crate) async fn finished(&self, sim: &Sim) -> Vec<String> {
        let now = self.later(sim);
        let PlanOutcome { plan, report, compiled, .. } = self.plan(&now, Intent::Converge).await;
        assert_eq!(left_to_do(&plan), [""; 0], "left to do");
        assert_eq!((&report.blocked, &report.waiting), (&vec![], &vec![]));
        let kept: BTreeSet<&str> = report.kept.iter().map(|it| it.address.as_str()).collect();
        let world = now.world();
        for (address, count) in owned(&world) {
            let wanted = usize::from(compiled.graph.resources.keys().any(|it| it.as_str() == address));
            assert!(
                count == wanted || kept.contains(address.as_str()),
                "{count} of {address}, kept are {kept:?}"
            );
        }
        assert_eq!(self.foreign(&now), self.foreign(&self.start), "what belongs to others");
        assert_eq!(begun(&world), [""; 0], "begun and forgotten");
        self.settled(&now)
    }

    /// Asserts that the world of `sim` is the one that an undisturbed apply leaves.
    pub(crate) async fn expect_same(&self, sim: &Sim) {
        let there = self.finished(sim).await;
        let only = |these: &[String], those: &[String]| -> Vec<String> {
            these.iter().filter(|it| !those.contains(it)).cloned().collect()
        };
        let (more, less) = (only(&there, &self.undisturbed), only(&self.undisturbed, &there));
        assert!(there == self.undisturbed, "there is {more:#?}\nthere should be {less:#?}");
    }

    /// Returns the resources of other owners, to the byte.
    pub(crate) fn foreign(&self, sim: &Sim) -> BTreeMap<String, String> {
        let world = sim.world();
        let is_foreign = |it: &Holder| matches!(it, Holder::Foreign | Holder::Claimed { .. });
        let all = objects(&world).filter(|(.., object)| is_foreign(&object.owner));
        // A resource that a run has begun to create has its token, and no tags yet.
        all.filter(|(.., object)| object.token.is_empty())
            .map(|(kind, region, id, object)| {
                (format!("{region}/{kind}/{id}"), serde_json::to_string(object).unwrap())
            })
            .collect()
    }
}

/// Returns the steps of a plan, without checks, which run each time.
pub(crate) fn left_to_do(plan: &Plan) -> Vec<String> {
    let kinds = drstack_kinds::kinds();
    let left = plan.steps.iter().filter(|step| kinds.get(&step.kind).unwrap().check().is_none());
    left.map(|it| format!("{:?} {}: {}", it.action, it.address, it.reason)).collect()
}

/// Returns the number of steps of a program that is done.
pub(crate) fn expect_done(end: End) -> usize {
    match end {
        End::Done(steps) => steps,
        other => panic!("{other:?}"),
    }
}

/// Asserts that the intent of every change was stored before it.
pub(crate) fn expect_intended(desk: &OperatorCloud) {
    let early: Vec<_> = desk.changes().into_iter().filter(|change| !change.intended).collect();
    assert!(early.is_empty(), "not in the journal: {early:#?}");
}

/// Returns all resources, without the second mode record, which belongs to no component.
pub(crate) fn objects(world: &World) -> impl Iterator<Item = (&str, &str, &str, &drstack_sim::Object)> {
    let record = record::address();
    let all = world.objects.iter().flat_map(|(kind, regions)| {
        regions.iter().flat_map(move |(region, objects)| {
            objects.iter().map(move |(id, object)| (kind.as_str(), region.as_str(), id.as_str(), object))
        })
    });
    all.filter(
        move |(.., object)| !matches!(&object.owner, Holder::Stack { address, .. } if *address == record),
    )
}

/// Counts the resources of each address.
pub(crate) fn owned(world: &World) -> BTreeMap<String, usize> {
    let mut owned = BTreeMap::new();
    for (.., object) in objects(world) {
        if let Holder::Stack { address, .. } = &object.owner {
            *owned.entry(address.to_string()).or_insert(0) += 1;
        }
    }
    owned
}

/// Returns the resources that a run has begun to create and not yet tagged.
fn begun(world: &World) -> Vec<String> {
    let all = objects(world).filter(|(.., it)| it.owner == Holder::Foreign && !it.token.is_empty());
    all.map(|(kind, region, id, _)| format!("{region}/{kind}/{id}")).collect()
}

/// Returns all resources, without times, tokens, and the ids that the cloud chose.
pub(crate) fn shape(world: &World) -> Vec<String> {
    let kinds = drstack_kinds::kinds();
    let mut chosen = BTreeMap::new();
    for (kind, _, id, object) in objects(world) {
        if let (Holder::Stack { address, .. }, Lookup::Tag) =
            (&object.owner, kinds.get(kind).unwrap().lookup())
        {
            chosen.insert(id, format!("<{address}>"));
        }
    }
    let mut all: Vec<String> = objects(world)
        .map(|(kind, region, id, object)| {
            let instances: u32 = object.runs.values().sum();
            let mut live = object.live.clone();
            // The epoch of the mode that a group was last sized for only rises.
            live.as_object_mut().map(|fields| fields.remove("sized_for"));
            sort_by_name(&mut live, &chosen);
            let text = format!("{region}/{kind}/{id} {:?} {live} {instances}", object.owner);
            chosen.iter().fold(text, |text, (id, name)| text.replace(id, name))
        })
        .collect();
    all.sort();
    all
}

/// Sorts the lists of ids that the cloud chose by what the ids stand for: their order follows from
/// the ids.
fn sort_by_name(live: &mut Value, chosen: &BTreeMap<&str, String>) {
    let name = |it: &Value| it.as_str().and_then(|id| chosen.get(id)).cloned();
    match live {
        Value::Array(items) if items.iter().all(|it| name(it).is_some()) => items.sort_by_key(name),
        Value::Array(items) => items.iter_mut().for_each(|it| sort_by_name(it, chosen)),
        Value::Object(fields) => fields.values_mut().for_each(|it| sort_by_name(it, chosen)),
        _ => {}
    }
}

/// Creates a resource of each kind in each place for other owners, and two replication rules in the
/// buckets of random stacks.
fn plant_foreign(sim: &Sim, stack: &Stack) {
    let (kinds, scope) = (drstack_kinds::kinds(), scope(stack));
    for (number, sample) in samples().iter().enumerate() {
        let kind = kinds.get(sample.kind).unwrap();
        for place in kind.places() {
            let names: &[&str] = match sample.kind {
                "replication-rule" => &["acme-a/theirs", "acme-b/theirs", "acme-a-2/theirs"],
                _ => &["theirs"],
            };
            for name in names {
                let id = format!("{name}-{number}");
                let live = kind.expect(&sample.spec, &id).unwrap();
                sim.put(sample.kind, &scope, *place, &Found { id, owner: Owner::Foreign, live }).unwrap();
            }
            if kind.role() == Role::Setting || kind.check().is_some() {
                continue;
            }
            // Another owner gave this resource the tags of the stack.
            let id = format!("theirs-tagged-{number}");
            let live = kind.expect(&sample.spec, &id).unwrap();
            let address = Address::parse(&format!("pool.theirs/{}", sample.kind));
            sim.put(sample.kind, &scope, *place, &Found { id, owner: Owner::Unproven(address), live })
                .unwrap();
        }
    }
}
