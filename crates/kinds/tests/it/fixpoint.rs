//! Random stacks on the simulated cloud: after any complete apply nothing is left to do, whatever
//! existed before, and no resource is left that the report does not name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use drstack_core::address::Address;
use drstack_core::cloud::{Cloud, Found, Owner, Scope};
use drstack_core::compile::{Compiled, compile, queries};
use drstack_core::control::journal::Journal;
use drstack_core::diagnostic::render;
use drstack_core::engine::execute::{ExecuteOptions, PARALLELISM, RunSummary, execute};
use drstack_core::facts::{FactQuery, Facts};
use drstack_core::graph::Graph;
use drstack_core::kind::{Action, Place};
use drstack_core::objective::{Mode, Posture};
use drstack_core::observe::{capture, observe};
use drstack_core::plan::{Intent, Options, Plan, PlanReport, plan};
use drstack_core::stack::Stack;
use drstack_kinds::facts::keep;
use drstack_sim::{Failure, Fault, Holder, Sim, SimConfig};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};

use crate::loaded::{seeds, stack};
use crate::random::{Draft, drafts};

/// The simulated cloud, with the number of runs on it.
struct World {
    sim: Sim,
    scope: Scope,
    runs: usize,
}

/// A plan, with what it was made from.
struct PlanOutcome {
    plan: Plan,
    report: PlanReport,
    graph: Graph,
}

impl World {
    /// Creates two regions that hold the objects which the stacks follow, and some that belong to
    /// others.
    fn of(stacks: &[Stack], seed: u64) -> Self {
        Self::with(stacks, SimConfig { seed, ..SimConfig::default() })
    }

    fn with(stacks: &[Stack], config: SimConfig) -> Self {
        let facts = &stacks[0].facts;
        let scope = Scope {
            stack: facts.name.as_str().into(),
            primary: facts.primary.as_str().into(),
            standby: facts.standby.as_str().into(),
            secrets: Arc::default(),
        };
        let all = stacks.iter().flat_map(seeds).collect();
        let sim = Sim::in_memory(config, drstack_kinds::kinds(), &scope, all).unwrap();
        let theirs = Found {
            id: "vpc-theirs".to_owned(),
            owner: Owner::Foreign,
            live: json!({"cidr": "10.9.0.0/16", "dns_names": false}),
        };
        sim.put("vpc", &scope, Place::Standby, &theirs).unwrap();
        Self { sim, scope, runs: 0 }
    }

    async fn planned(
        &self,
        stack: &Stack,
        mode: Mode,
        intent: Intent,
        delete_data: &BTreeSet<String>,
    ) -> PlanOutcome {
        let options = Options { intent, mode, targets: Vec::new(), delete_data: delete_data.clone() };
        self.planned_with(stack, &options).await
    }

    async fn targeted(&self, stack: &Stack, targets: &[String]) -> PlanOutcome {
        let (intent, mode, delete_data) = (Intent::Converge, Mode::Standby, BTreeSet::new());
        self.planned_with(stack, &Options { intent, mode, targets: targets.to_vec(), delete_data }).await
    }

    async fn planned_with(&self, stack: &Stack, options: &Options) -> PlanOutcome {
        let kinds = drstack_kinds::kinds();
        let asked = capture(&self.sim, &self.scope, &queries(stack), Facts::default(), keep).await;
        assert_eq!(asked.failed, []);
        let compiled = compile(stack, &asked.facts, options.mode);
        let Compiled { graph, problems, .. } = &compiled;
        assert!(!compiled.has_errors(), "{}", render(problems, &stack.sources, false));
        let seen = observe(&self.sim, &kinds, &self.scope, graph).await;
        let (plan, report) = plan(graph, &seen, &kinds, &stack.facts, options).unwrap();
        PlanOutcome { plan, report, graph: graph.clone() }
    }

    /// Executes the whole plan.
    async fn execute(&mut self, plan: &Plan) {
        let run = self.run(plan).await;
        assert!(run.is_complete(), "{:?} of {:#?}", run.failed, lines(plan));
    }

    /// Executes as many steps of the plan as possible.
    async fn run(&mut self, plan: &Plan) -> RunSummary {
        self.runs += 1;
        let store = self.sim.control(&self.scope, "acme");
        store.ensure().await.unwrap();
        let mut journal = Journal::new(store, &format!("run-{}", self.runs));
        let options = ExecuteOptions {
            parallelism: PARALLELISM,
            purpose: "apply".to_owned(),
            retry_transient: false,
            drain: Default::default(),
            stop: Default::default(),
        };
        let (kinds, cloud) = (drstack_kinds::kinds(), Arc::new(self.sim.clone()));
        execute(plan, cloud, &kinds, &self.scope, &mut journal, &options, &mut |_| {}).await.unwrap()
    }

    /// Plans an apply that replaces what blocks it. A replica under another key is another replica: the
    /// user decides to replace it, by its address.
    async fn allowed(&self, stack: &Stack, mode: Mode) -> PlanOutcome {
        let first = self.planned(stack, mode, Intent::Converge, &BTreeSet::new()).await;
        if first.report.blocked.is_empty() {
            return first;
        }
        let named = first.report.blocked.iter().filter_map(|it| it.text.split("--delete-data ").nth(1));
        let named = named.map(|it| it.trim_matches(['`', '\'']).to_owned()).collect();
        self.planned(stack, mode, Intent::Converge, &named).await
    }

    /// Applies the stack. Asserts that the plan is then empty, that the whole graph exists, and
    /// that the report names every other resource of the stack as kept. Returns the last report.
    async fn apply(&mut self, stack: &Stack, mode: Mode) -> PlanReport {
        let none = BTreeSet::new();
        let mut first = self.allowed(stack, mode).await;
        // What is restored was exported while the primary served.
        let needs_standby = ["fail back", "no complete export of it"];
        if first.report.blocked.iter().any(|it| needs_standby.iter().any(|why| it.text.contains(why))) {
            let back = self.planned(stack, Mode::Standby, Intent::Failback, &none).await;
            self.execute(&back.plan).await;
            let standby = self.allowed(stack, Mode::Standby).await;
            self.execute(&standby.plan).await;
            first = self.allowed(stack, mode).await;
        }
        assert_eq!(first.report.blocked, []);
        self.execute(&first.plan).await;
        let PlanOutcome { plan, report, graph } = self.planned(stack, mode, Intent::Converge, &none).await;
        let kinds = drstack_kinds::kinds();
        let verifies = |kind: &str| kinds.get(kind).unwrap().check().is_some();
        // Nothing is left to do, and nothing is asked again.
        assert!(plan.is_empty(), "left to do: {:#?}", lines(&plan));
        assert_eq!((&report.blocked, &report.waiting), (&vec![], &vec![]));
        let kept: BTreeSet<&str> = report.kept.iter().map(|it| it.address.as_str()).collect();
        for (address, count) in self.owned() {
            let wanted = graph.resources.get(&address);
            let wanted = usize::from(wanted.is_some_and(|it| !verifies(&it.kind)));
            assert!(
                count == wanted || kept.contains(address.as_str()),
                "{count} of {address} in {mode:?}: {kept:?}"
            );
        }
        report
    }

    /// Destroys the stack, first without its data, then with it. Asserts that nothing of it is
    /// left.
    async fn destroy(&mut self, stack: &Stack) {
        let first = self.planned(stack, Mode::Standby, Intent::Destroy, &BTreeSet::new()).await;
        self.execute(&first.plan).await;
        let kept: BTreeSet<String> = first.report.kept.iter().map(|it| it.address.clone()).collect();
        for address in self.owned().into_keys() {
            assert!(kept.contains(address.as_str()), "{address} is left, and nobody says so: {kept:?}");
        }
        let rest = self.planned(stack, Mode::Standby, Intent::Destroy, &kept).await;
        self.execute(&rest.plan).await;
        assert_eq!(self.owned(), BTreeMap::new());
    }

    /// Counts the stack's resources by address.
    fn owned(&self) -> BTreeMap<Address, usize> {
        let mut owned = BTreeMap::new();
        for (holder, _) in self.sim.inventory().into_values() {
            if let Holder::Stack { address, .. } = holder {
                *owned.entry(address).or_insert(0) += 1;
            }
        }
        owned
    }

    /// Returns the resources of other owners.
    fn foreign(&self) -> Vec<(String, Value)> {
        let all = self.sim.inventory().into_iter();
        let foreign = all.filter(|(_, (holder, _))| *holder == Holder::Foreign);
        foreign.map(|(key, (_, live))| (key, live)).collect()
    }

    /// Returns the id of the resource at `address` that is not one of these.
    fn id_of(&self, address: &str, beside: &[&str]) -> String {
        let all = self.sim.inventory().into_iter();
        let here = all.filter(
            |(_, (holder, _))| matches!(holder, Holder::Stack { address: at, .. } if at.as_str() == address),
        );
        let ids = here.filter_map(|(key, _)| Some(key.rsplit_once('/')?.1.to_owned()));
        let ids: Vec<String> = ids.filter(|id| !beside.contains(&id.as_str())).collect();
        let [id] = &ids[..] else { panic!("{ids:?} at {address}") };
        id.clone()
    }

    /// Returns the live value of the only resource of this kind.
    fn live(&self, kind: &str) -> Value {
        let all = self.sim.inventory().into_iter();
        let mut these = all.filter(|(key, _)| key.contains(&format!("/{kind}/")));
        let (_, (_, live)) = these.next().unwrap();
        assert!(these.next().is_none(), "more than one {kind}");
        live
    }

    /// Makes a release: every image of the primary that the stack asks about changes.
    fn release(&self, stack: &Stack, version: &str) {
        for query in queries(stack) {
            self.change(&query, |fact| {
                let image = if query.kind == "group" { &mut fact["image"] } else { fact };
                if let Some(id) = image.get_mut("id") {
                    *id = json!(format!("ami-{version}-{}", query.name));
                }
            });
        }
    }

    /// Lets time pass: images change and one of them is no longer the account's own, buckets get
    /// rules of others, groups grow, and the standby region has other zones.
    fn move_on(&self, stack: &Stack) {
        self.release(stack, "2");
        for query in queries(stack) {
            self.change(&query, |fact| match query.kind.as_str() {
                "bucket" => fact["foreign_role"] = json!("arn:aws:iam::123456789012:role/theirs"),
                "image" if query.name == "gpu" => {
                    fact["owned"] = json!(false);
                    fact["standby"] = json!("ami-published");
                }
                "group" => {
                    let disk = json!({"device": "/dev/sda1", "gib": 80, "kind": "gp3", "iops": null, "throughput": null});
                    let grown = json!({"max": 90, "capacity": 50, "profile": "theirs", "disks": [disk], "user_data_sha256": "00ff"});
                    fact.as_object_mut().unwrap().extend(grown.as_object().unwrap().clone());
                }
                "zones" => *fact = json!(["us-west-2b", "us-west-2c", "us-west-2e", "us-west-2f"]),
                _ => {}
            });
        }
    }

    fn change(&self, query: &FactQuery, change: impl FnOnce(&mut Value)) {
        let mut fact = self.sim.world().facts[&query.key()].clone();
        change(&mut fact);
        self.sim.set_fact(query, Some(fact)).unwrap();
    }
}

/// Returns the steps, one per line.
fn lines(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| format!("{:?} {}: {}", step.action, step.address, step.reason)).collect()
}

/// A pool that follows the primary's group, and the copy of its image.
const FOLLOWER: &str = r#"
[stack]
name    = "fleet"
primary = "us-east-1"
standby = "us-west-2"
posture = "warm"

[network.standby]
vpc     = "vpc-1"
subnets = ["subnet-1"]

[pool.inference]
follows = "fleet-inference"
network = "@network.standby"
"#;
/// A second pool of the same image.
const SECOND: &str = r#"
[pool.batch]
follows = "fleet-inference"
network = "@network.standby"
"#;
const COPY: &str = "pool.inference/image";

/// Returns the remarks on older copies, without their ids.
fn older(report: &PlanReport) -> Vec<&str> {
    report.kept.iter().map(|it| it.text.split_once(' ').unwrap().1).collect()
}

#[test]
fn a_new_image_rolls_out_beside_the_older_copy_whatever_their_ids() {
    let mut first_listed = BTreeSet::new();
    for seed in 0..16 {
        run(async {
            let stack = stack(FOLLOWER);
            let mut world = World::of(std::slice::from_ref(&stack), seed);
            world.release(&stack, "1");
            world.apply(&stack, Mode::Standby).await;
            let older_id = world.id_of(COPY, &[]);

            world.release(&stack, "2");
            let next = world.planned(&stack, Mode::Standby, Intent::Converge, &BTreeSet::new()).await;
            assert_eq!(
                lines(&next.plan),
                [
                    "Create pool.inference/image: source cannot be changed in place",
                    "Update pool.inference/launch-template: image differs",
                    "Update pool.inference/group: template_version differs",
                ]
            );
            let report = world.apply(&stack, Mode::Standby).await;
            assert_eq!(
                older(&report),
                ["is an older copy; delete it with `--delete-data pool.inference/image`"]
            );
            let newer_id = world.id_of(COPY, &[&older_id]);
            assert_eq!(world.live("launch-template")["image"], *newer_id);
            assert_eq!(world.live("group")["template_version"], "2");
            first_listed.insert(older_id < newer_id);

            // Back to the older image, without another copy: now the newer copy is the one that is
            // kept beside it.
            world.release(&stack, "1");
            world.apply(&stack, Mode::Standby).await;
            assert_eq!(world.live("launch-template")["image"], *older_id);
            world.release(&stack, "2");
            world.apply(&stack, Mode::Standby).await;
            assert_eq!(world.live("launch-template")["image"], *newer_id);
            assert_eq!(world.owned().values().max(), Some(&2), "two copies, and one of anything else");

            let named = BTreeSet::from([COPY.to_owned()]);
            let last = world.planned(&stack, Mode::Standby, Intent::Converge, &named).await;
            assert!(
                last.plan.steps.iter().all(|step| step.action == Action::Delete),
                "{:?}",
                lines(&last.plan)
            );
            world.execute(&last.plan).await;
            let report = world.apply(&stack, Mode::Standby).await;
            assert_eq!(older(&report), [""; 0]);
            assert_eq!(world.id_of(COPY, &[]), newer_id);
        });
    }
    assert_eq!(
        first_listed.len(),
        2,
        "in some worlds the older copy is listed first, in others the newer one"
    );
}

#[test]
fn a_check_is_tried_for_as_long_as_its_kind_says_and_holds_back_nothing_else() {
    let stack =
        stack(&format!("{FOLLOWER}\n[[pool.inference.check]]\nhttp = \"https://api.example.com/\"\n"));
    let fails = |share| {
        let (kind, error) = (Some("check".to_owned()), Failure::Throttled);
        let fault = Fault { kind, operation: None, region: None, subject: None, error, share, at: None };
        SimConfig { faults: vec![fault], ..SimConfig::default() }
    };
    // A check that mostly fails holds in the end; one that always fails is given up after a quarter
    // of an hour.
    for (share, holds) in [(Some(0.9), true), (None, false)] {
        run(async {
            let mut world = World::with(std::slice::from_ref(&stack), fails(share));
            let planned = world.planned(&stack, Mode::Active, Intent::Converge, &BTreeSet::new()).await;
            let begin = world.sim.now();
            let run = world.run(&planned.plan).await;
            let failed: Vec<&str> =
                run.failed.iter().map(|(step, _)| planned.plan.steps[*step].address.as_str()).collect();
            assert_eq!(failed, if holds { vec![] } else { vec!["pool.inference/check-1"] });
            let took = world.sim.now().duration_since(begin).as_secs();
            assert!(holds || took > 15 * 60, "given up after {took} s");
            assert_eq!(world.live("group")["desired"], 4);
            assert!(
                world.owned().keys().all(|it| !it.as_str().contains("check")),
                "a check leaves nothing behind"
            );
        });
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    drstack_sim::runtime().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, rng_seed: RngSeed::Fixed(3), ..ProptestConfig::default() })]

    #[test]
    fn after_any_complete_apply_nothing_is_left_to_do(first in drafts(), seed in 0_u64..1000) {
        run(async {
            let stacks = Posture::ALL.map(|posture| stack(&first.text_in(posture)));
            let mut world = World::of(&stacks, seed);
            for stack in &stacks {
                for mode in [Mode::Standby, Mode::Active] {
                    world.apply(stack, mode).await;
                }
            }
        });
    }

    #[test]
    fn a_stack_becomes_any_other_and_goes_without_a_trace(
        change in changes(), moves_on in any::<bool>(), active in any::<bool>(), seed in 0_u64..1000,
    ) {
        run(async {
            let stacks = [&change.0, &change.1].map(|draft| stack(&draft.text()));
            let mut world = World::of(&stacks, seed);
            let theirs = world.foreign();
            world.apply(&stacks[0], Mode::Standby).await;
            if moves_on {
                world.move_on(&stacks[1]);
            }
            world.apply(&stacks[1], if active { Mode::Active } else { Mode::Standby }).await;
            world.destroy(&stacks[1]).await;
            assert_eq!(world.foreign(), theirs);
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, rng_seed: RngSeed::Fixed(3), ..ProptestConfig::default() })]

    #[test]
    fn what_is_done_to_targets_never_stands_in_the_way_of_a_whole_apply(
        change in changes(), targets in prop::collection::vec(any::<prop::sample::Index>(), 1..3), seed in 0_u64..1000,
    ) {
        run(async {
            let stacks = [&change.0, &change.1].map(|draft| stack(&draft.text()));
            let mut world = World::of(&stacks, seed);
            world.apply(&stacks[0], Mode::Standby).await;
            let components: Vec<String> = stacks[1].components.keys().map(ToString::to_string).collect();
            let targets: Vec<String> = targets.iter().map(|it| it.get(&components).clone()).collect();
            let some = world.targeted(&stacks[1], &targets).await;
            // Resources that untargeted ones still use cannot be deleted yet. All other steps
            // succeed.
            for (step, error) in world.run(&some.plan).await.failed {
                assert_eq!(some.plan.steps[step].action, Action::Delete, "{error} of {:#?}", lines(&some.plan));
            }
            world.apply(&stacks[1], Mode::Standby).await;
            world.destroy(&stacks[1]).await;
        });
    }
}

/// Returns two stacks that have much in common half of the time.
fn changes() -> impl Strategy<Value = (Draft, Draft)> {
    (drafts(), drafts(), any::<bool>()).prop_map(|(first, second, related)| {
        let second = if related { first.changed_to(&second) } else { second };
        (first, second)
    })
}

/// C5: the pools that follow an image use one copy, which stays when the pool that made it goes.
#[test]
fn pools_that_follow_one_image_use_one_copy() {
    for seed in 0..4 {
        run(async {
            let (one, both) = (stack(FOLLOWER), stack(&format!("{FOLLOWER}{SECOND}")));
            let mut world = World::of(&[one.clone(), both.clone()], seed);
            world.apply(&one, Mode::Standby).await;
            let copy = world.id_of(COPY, &[]);
            // The pool whose name comes first has the copy, which exists already.
            world.apply(&both, Mode::Standby).await;
            assert_eq!(world.id_of("pool.batch/image", &[]), copy);
            world.apply(&one, Mode::Standby).await;
            assert_eq!(world.id_of(COPY, &[]), copy);
            assert_eq!(world.live("launch-template")["image"], *copy);
        });
    }
}
