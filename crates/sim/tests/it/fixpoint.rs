//! Random graphs, executed step by step: afterwards the planner finds nothing to do, whatever
//! failed on the way.

use std::collections::BTreeSet;

use drstack_core::address::Address;
use drstack_core::cloud::{Call, Cloud, Found, Owner};
use drstack_core::graph::{Graph, Resource};
use drstack_core::kind::{Action, Place};
use drstack_core::link::{Link, resolve};
use drstack_core::plan::{Intent, Plan};
use drstack_sim::Sim;
use proptest::prelude::*;
use serde_json::json;

use crate::toys::*;

/// A random resource: net or group, its variant, and the earlier net that it links to, if any.
pub(crate) type Draft = (bool, u8, usize);

fn address(number: usize) -> Address {
    Address::parse(&format!("toy.c{number}/it")).unwrap()
}

/// Links go to earlier nets only, so there is no cycle.
pub(crate) fn graph(drafts: &[Draft]) -> Graph {
    let mut graph = Graph::default();
    let mut nets: Vec<Address> = Vec::new();
    for (number, (is_net, look, to)) in drafts.iter().enumerate() {
        let address = address(number);
        let to = (!nets.is_empty()).then(|| Link::id(&nets[to % nets.len()]));
        let resource = if *is_net {
            let within = to.filter(|_| look % 2 == 0);
            let spec = NetSpec { cidr: format!("10.{look}.0.0/16"), within };
            nets.push(address.clone());
            Resource::tagged::<Net>(address, Place::Standby, &spec)
        } else {
            let colour = if look % 3 == 0 { "red" } else { "blue" };
            let net = to.unwrap_or(Link::Known("net-of-the-user".to_owned()));
            let spec = GroupSpec { net, size: u32::from(*look), colour: colour.to_owned() };
            Resource::named::<Group>(address, Place::Standby, format!("group-{number}"), &spec)
        };
        graph.resources.insert(resource.address.clone(), resource);
    }
    graph
}

/// Executes one step after another and leaves out those that need a failed step. Returns the
/// errors.
async fn execute(sim: &Sim, plan: &Plan) -> Vec<String> {
    let mut outputs = plan.outputs.clone();
    let (mut undone, mut errors) = (BTreeSet::new(), Vec::new());
    for (number, step) in plan.steps.iter().enumerate() {
        if step.needs.iter().any(|need| undone.contains(need)) {
            undone.insert(number);
            continue;
        }
        let kind = kinds().get(&step.kind).unwrap();
        let mut spec = step.spec.clone();
        resolve(&mut spec, &|address, output| outputs.get(address)?.get(output).cloned());
        let call = Call {
            scope: scope("fleet"),
            place: step.place,
            address: step.address.clone(),
            name: step.id.clone(),
            token: step.token.clone(),
        };
        let id = step.id.as_deref().unwrap_or_default();
        let done = match step.action {
            Action::Create => sim.create(kind.name(), &call, &spec).await.map(|found| {
                outputs.insert(step.address.clone(), kind.outputs(&found.id, &found.live).unwrap());
            }),
            Action::Update => sim.update(kind.name(), &call, id, &spec, &step.changes).await,
            Action::Delete => sim.delete(kind.name(), &call, id).await,
        };
        if let Err(error) = done {
            undone.insert(number);
            errors.push(format!("{:?} {}: {error}", step.action, step.address));
        }
    }
    errors
}

/// Plans and executes everything. No step may fail, and nothing may be left to do.
async fn converge(sim: &Sim, want: &Graph, intent: Intent) {
    let (todo, report) = plan(sim, want, intent).await;
    assert_eq!(report.blocked, []);
    assert_eq!(execute(sim, &todo).await, [""; 0], "{todo:#?}");
    let (left, _) = plan(sim, want, intent).await;
    assert!(left.is_empty(), "{left:#?}");
}

pub(crate) fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    prop::collection::vec((any::<bool>(), 0_u8..6, 0_usize..8), 1..9)
}

/// Returns an object beside the stack that must never change.
fn bystander() -> Found {
    let live = json!({"net": "net-of-the-user", "size": 3, "colour": "green"});
    Found { id: "web".to_owned(), owner: Owner::Foreign, live }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_a_change_with_faults_one_clean_run_makes_it_true(
        first in drafts(), second in drafts(), seed in 0_u64..1000, error in prop::sample::select(vec![
            "internal", "timeout-after-effect", "denied", "partial", "throttled",
        ]),
    ) {
        run(async {
            let (first, second) = (graph(&first), graph(&second));
            let sim = sim(&format!("seed = {seed}"));
            sim.put("group", &scope("fleet"), Place::Standby, &bystander()).unwrap();
            let empty = sim.inventory();
            converge(&sim, &first, Intent::Converge).await;
            let fresh = sim.inventory();

            let faults = format!("seed = {seed}\n[[faults]]\nerror = '{error}'\nshare = 0.2");
            let rough = sim.restart(config(&faults)).unwrap();
            // Reads may fail too: then less is planned, and nothing wrong.
            let (todo, _) = plan(&rough, &second, Intent::Converge).await;
            execute(&rough, &todo).await;

            let calm = rough.restart(config(&format!("seed = {seed}"))).unwrap();
            converge(&calm, &second, Intent::Converge).await;
            prop_assert_eq!(calm.inventory().len(), second.resources.len() + 1);
            converge(&calm, &second, Intent::Destroy).await;
            prop_assert_eq!(calm.inventory(), empty);
            converge(&calm, &first, Intent::Converge).await;
            prop_assert_eq!(calm.inventory(), fresh);
            Ok(())
        })?;
    }

    #[test]
    fn a_program_that_dies_at_any_call_is_finished_by_the_next(
        first in drafts(), second in drafts(), at in 1_u64..30, after in any::<bool>(),
    ) {
        run(async {
            let (first, second) = (graph(&first), graph(&second));
            let start = sim("");
            converge(&start, &first, Intent::Converge).await;
            let undisturbed = start.restart(config("")).unwrap();
            converge(&undisturbed, &second, Intent::Converge).await;

            let setting = if after { "kill_after" } else { "kill_at" };
            let doomed = start.restart(config(&format!("{setting} = {at}"))).unwrap();
            let work = async {
                let (todo, _) = plan(&doomed, &second, Intent::Converge).await;
                execute(&doomed, &todo).await;
            };
            tokio::select! { () = work => {}, () = doomed.stopped() => {} }
            let next = doomed.restart(config("")).unwrap();
            converge(&next, &second, Intent::Converge).await;
            let lives = |sim: &Sim| sim.inventory().len();
            prop_assert_eq!(lives(&next), lives(&undisturbed));
            Ok(())
        })?;
    }
}
