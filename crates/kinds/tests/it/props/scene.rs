//! The scene of a property: a world in which one stack stands, another one that is wanted now, and how that ends where
//! nothing goes wrong.

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

use super::desk::{Nap, OperatorCloud};
use super::planted::Flaw;
use super::program::{End, Program, scope};
use crate::loaded::{seeds, stack};
use crate::random::{Draft, drafts};
use crate::samples::samples;

/// What a property is held against.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The stack that stands already.
    before: Option<Draft>,
    wanted: Draft,
    fault_schedule: Weather,
}

/// How a simulated cloud behaves where nothing goes wrong.
#[derive(Clone, Debug)]
struct Weather {
    seed: u64,
    latency: i64,
    jitter: i64,
    /// Milliseconds for which looks may miss what was made.
    lag: i64,
    /// Seconds that each change takes.
    work: i64,
    /// Instances to be had of the type that pools like best and can do without.
    best: u32,
}

pub(crate) fn cases() -> impl Strategy<Value = Case> {
    let fault_schedule =
        (any::<u64>(), 0..200_i64, 0..200_i64, 0..10_000_i64, 0..40_i64, 0..40_u32).prop_map(
            |(seed, latency, jitter, lag, work, best)| Weather { seed, latency, jitter, lag, work, best },
        );
    (prop::option::of((drafts(), any::<bool>())), drafts(), fault_schedule).prop_map(
        |(before, wanted, fault_schedule)| {
            let (before, wanted) = match before {
                Some((before, true)) => (Some(before.clone()), before.changed_to(&wanted)),
                Some((before, false)) => (Some(before), wanted),
                None => (None, wanted),
            };
            Case { before, wanted, fault_schedule }
        },
    )
}

impl Case {
    /// The same where each look finds all that was made.
    pub(crate) fn without_lag(&self) -> Self {
        Self { fault_schedule: Weather { lag: 0, ..self.fault_schedule.clone() }, ..self.clone() }
    }

    /// The same with pools of more instances than may be launched at once.
    pub(crate) fn with_large_pools(&self) -> Self {
        Self { before: None, wanted: self.wanted.with_large_pools(), ..self.clone() }
    }

    /// The same where its stack stands already, under another name of one component or of its module.
    pub(crate) fn with_a_rename(&self, which: usize) -> Self {
        let before = self.wanted.with_module();
        Self { wanted: before.renamed(which), before: Some(before), ..self.clone() }
    }

    /// The stack that is wanted.
    pub(crate) fn text(&self) -> String {
        self.wanted.text()
    }

    /// The same where nothing stands yet.
    pub(crate) fn afresh(&self) -> Self {
        Self { before: None, ..self.clone() }
    }
}

impl Weather {
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

/// See the module.
pub(crate) struct Scene {
    pub(crate) stack: Stack,
    /// Before anything is done.
    start: Sim,
    /// After an undisturbed apply.
    pub(crate) stands: Sim,
    config: SimConfig,
    flaw: Option<Flaw>,
    /// What the user allows to be replaced although it holds data.
    pub(crate) delete_data: BTreeSet<String>,
    /// Calls of an undisturbed apply, and the world after it.
    pub(crate) calls: u64,
    pub(crate) steps: usize,
    undisturbed: Vec<String>,
}

impl Scene {
    pub(crate) async fn of(case: &Case, flaw: Option<Flaw>) -> Self {
        let wanted = stack(&case.wanted.text());
        let before = case.before.as_ref().map(|before| stack(&before.text()));
        let config = case.fault_schedule.config();
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

    /// From here on programs make this mistake.
    pub(crate) fn plant(&mut self, flaw: Option<Flaw>) {
        self.flaw = flaw;
    }

    /// Data whose replacement has to be allowed: its address is in the sentence that says so.
    async fn to_be_allowed(&self) -> BTreeSet<String> {
        let sim = self.begin();
        let planned = self.plan(&sim, Intent::Converge).await;
        let named = planned.report.blocked.iter().filter_map(|it| it.text.split("--delete-data ").nth(1));
        named.map(|it| it.trim_matches(['`', '\'']).to_owned()).collect()
    }

    /// The world of the beginning.
    pub(crate) fn begin(&self) -> Sim {
        self.start.restart(self.config.clone()).unwrap()
    }

    /// The same, with something in its way.
    pub(crate) fn begin_with(&self, change: impl FnOnce(&mut SimConfig)) -> Sim {
        let mut config = self.config.clone();
        change(&mut config);
        self.start.restart(config).unwrap()
    }

    /// The world after `sim`, at the time when a lock that nobody renewed is free.
    pub(crate) fn later(&self, sim: &Sim) -> Sim {
        self.after_with(sim, |_| {})
    }

    /// The same, with something in its way.
    pub(crate) fn after_with(&self, sim: &Sim, change: impl FnOnce(&mut SimConfig)) -> Sim {
        let between_runs = SignedDuration::from_secs(75);
        let mut config = SimConfig { between_runs, ..self.config.clone() };
        change(&mut config);
        sim.restart(config).unwrap()
    }

    /// The world after `sim`, at once.
    pub(crate) fn at_once(&self, sim: &Sim) -> Sim {
        let between_runs = SignedDuration::from_millis(1);
        sim.restart(SimConfig { between_runs, ..self.config.clone() }).unwrap()
    }

    pub(crate) fn desk(&self, sim: &Sim, nap: Option<Nap>) -> OperatorCloud {
        OperatorCloud::at(sim, self.flaw, nap)
    }

    /// Somebody at that desk.
    pub(crate) fn program(&self, desk: &OperatorCloud, run: &str) -> Program<'_> {
        self.program_with(desk, run, self.flaw)
    }

    /// The same, who makes this mistake.
    pub(crate) fn program_with(&self, desk: &OperatorCloud, run: &str, flaw: Option<Flaw>) -> Program<'_> {
        Program {
            stack: &self.stack,
            desk: desk.clone(),
            run: run.to_owned(),
            delete_data: &self.delete_data,
            flaw,
            minimum: Default::default(),
            judged: Default::default(),
        }
    }

    /// An apply at a desk of its own; every change's intent has to be stored before it.
    pub(crate) async fn apply(&self, sim: &Sim, run: &str) -> End {
        let desk = self.desk(sim, None);
        let end = self.program(&desk, run).apply().await;
        expect_intended(&desk);
        end
    }

    /// The same, which has to succeed.
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

    /// Demands that nothing is left to do in the world of `sim`, that nothing is there twice or left over without being
    /// named, and that what is not the stack's is as it was. Returns all that is there.
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
        shape(&world)
    }

    /// Demands that the world of `sim` is the one that an undisturbed apply leaves.
    pub(crate) async fn expect_same(&self, sim: &Sim) {
        let there = self.finished(sim).await;
        let only = |these: &[String], those: &[String]| -> Vec<String> {
            these.iter().filter(|it| !those.contains(it)).cloned().collect()
        };
        let (more, less) = (only(&there, &self.undisturbed), only(&self.undisturbed, &there));
        assert!(there == self.undisturbed, "there is {more:#?}\nthere should be {less:#?}");
    }

    /// What belongs to others, to the byte.
    pub(crate) fn foreign(&self, sim: &Sim) -> BTreeMap<String, String> {
        let world = sim.world();
        let is_foreign = |it: &Holder| matches!(it, Holder::Foreign | Holder::Claimed { .. });
        let all = objects(&world).filter(|(.., object)| is_foreign(&object.owner));
        // What a run has begun to make has its token, and no tags yet.
        all.filter(|(.., object)| object.token.is_empty())
            .map(|(kind, region, id, object)| {
                (format!("{region}/{kind}/{id}"), serde_json::to_string(object).unwrap())
            })
            .collect()
    }
}

/// Steps of a plan, but for checks, which are made each time.
pub(crate) fn left_to_do(plan: &Plan) -> Vec<String> {
    let kinds = drstack_kinds::kinds();
    let left = plan.steps.iter().filter(|step| kinds.get(&step.kind).unwrap().check().is_none());
    left.map(|it| format!("{:?} {}: {}", it.action, it.address, it.reason)).collect()
}

/// How many steps were done.
pub(crate) fn expect_done(end: End) -> usize {
    match end {
        End::Done(steps) => steps,
        other => panic!("{other:?}"),
    }
}

/// Demands that no change was started whose intent was not stored before.
pub(crate) fn expect_intended(desk: &OperatorCloud) {
    let early: Vec<_> = desk.changes().into_iter().filter(|change| !change.intended).collect();
    assert!(early.is_empty(), "not in the journal: {early:#?}");
}

/// All that is there, but for the second record of the mode, which is no component's.
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

/// How often each address is there.
pub(crate) fn owned(world: &World) -> BTreeMap<String, usize> {
    let mut owned = BTreeMap::new();
    for (.., object) in objects(world) {
        if let Holder::Stack { address, .. } = &object.owner {
            *owned.entry(address.to_string()).or_insert(0) += 1;
        }
    }
    owned
}

/// What was begun to be made and carries nobody's tags.
fn begun(world: &World) -> Vec<String> {
    let all = objects(world).filter(|(.., it)| it.owner == Holder::Foreign && !it.token.is_empty());
    all.map(|(kind, region, id, _)| format!("{region}/{kind}/{id}")).collect()
}

/// All that is there, without times and tokens, and without the ids that the cloud chose.
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
            let text = format!("{region}/{kind}/{id} {:?} {} {instances}", object.owner, object.live);
            chosen.iter().fold(text, |text, (id, name)| text.replace(id, name))
        })
        .collect();
    all.sort();
    all
}

/// One resource of each kind in each place, and two replication rules in the buckets that random stacks have.
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
            // Somebody gave his own the tags of the stack.
            let id = format!("theirs-tagged-{number}");
            let live = kind.expect(&sample.spec, &id).unwrap();
            let address = Address::parse(&format!("pool.theirs/{}", sample.kind));
            sim.put(sample.kind, &scope, *place, &Found { id, owner: Owner::Unproven(address), live })
                .unwrap();
        }
    }
}
