//! What is measured: `stacks/many-services` at any size, and a world that is as it wants it, all in memory.

use std::collections::BTreeMap;
use std::path::Path;

use drstack_core::address::{Address, ComponentAddress};
use drstack_core::cloud::{Found, Owner};
use drstack_core::compile::compile;
use drstack_core::component::Seed;
use drstack_core::facts::{Fact, Facts};
use drstack_core::graph::Graph;
use drstack_core::kind::{DynKind, KindRegistry, Role};
use drstack_core::link::resolve;
use drstack_core::objective::Mode;
use drstack_core::observe::{Look, Observed};
use drstack_core::plan::{Intent, Options, Plan, PlanReport, Step, plan};
use drstack_core::stack::{FileError, InputValue, InputValues, Origin, Outside, ReadFiles, Stack, load};
use jiff::Timestamp;
use serde_json::Value;

/// The stack that is measured.
const STACK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../stacks/many-services/stack.toml");

/// Services that make about 100, 1,000, 10,000 and 100,000 resources: nine each, and seven of the network.
pub const SERVICES: [usize; 4] = [10, 110, 1_110, 11_110];

struct Disk;

impl ReadFiles for Disk {
    fn read(&self, path: &Path) -> Result<String, FileError> {
        std::fs::read_to_string(path).map_err(|error| FileError::Other(error.to_string()))
    }
}

/// The stack with so many services, read from its files.
///
/// # Panics
/// Where it is not valid.
pub fn many_services(services: usize) -> Stack {
    let value = InputValue::Text(services.to_string());
    let inputs: InputValues =
        [("services".to_owned(), Outside { value, origin: Origin::CommandLine })].into_iter().collect();
    match load(Path::new(STACK), &inputs, &drstack_kinds::components(), &Disk) {
        Ok(loaded) => loaded.stack,
        Err(failed) => panic!("{:?}", failed.problems.first()),
    }
}

/// What the simulated regions would answer.
pub fn facts(stack: &Stack) -> Facts {
    let seeds =
        stack.components.values().flat_map(|it| it.component.seeds(&it.spec, &stack.facts, &it.address));
    let facts = seeds.filter_map(|seed| match seed {
        Seed::Fact { query, value } => Some((query.key(), Fact::new(Timestamp::UNIX_EPOCH, value))),
        Seed::Resource { .. } => None,
    });
    Facts { answers: facts.collect(), ..Facts::default() }
}

/// The wanted resources.
///
/// # Panics
/// Where the stack does not compile.
pub fn graph(stack: &Stack, facts: &Facts) -> Graph {
    let compiled = compile(stack, facts, Mode::Standby);
    assert!(!compiled.has_errors(), "{:?}", compiled.problems.first());
    compiled.graph
}

/// A world in which nothing stands yet.
pub fn nothing(graph: &Graph) -> Observed {
    let seen = graph.resources.keys().map(|address| (address.clone(), Look::Absent)).collect();
    Observed { seen, ..Observed::default() }
}

/// The world after all of `made`, a plan against [`nothing`], is done: what each kind would expect.
///
/// # Panics
/// Where a spec does not have its kind's shape.
pub fn as_wanted(made: &Plan, kinds: &KindRegistry) -> Observed {
    let mut outputs: BTreeMap<Address, BTreeMap<String, String>> = BTreeMap::new();
    let mut seen = BTreeMap::new();
    for (number, step) in made.steps.iter().enumerate() {
        let kind = kinds.get(&step.kind).unwrap_or_else(|| panic!("no kind {}", step.kind));
        let (found, out) = live(kind, step, number, &outputs);
        outputs.insert(step.address.clone(), out);
        seen.insert(step.address.clone(), Look::Present(found));
    }
    Observed { seen, ..Observed::default() }
}

fn live(
    kind: &'static dyn DynKind,
    step: &Step,
    number: usize,
    outputs: &BTreeMap<Address, BTreeMap<String, String>>,
) -> (Found, BTreeMap<String, String>) {
    let mut spec = step.spec.clone();
    let open = resolve(&mut spec, &|address, output| outputs.get(address)?.get(output).cloned());
    assert!(open.is_empty(), "{}: {open:?} is not there", step.address);
    let id = step.id.clone().unwrap_or_else(|| format!("{}-{number:017x}", step.kind));
    let live = kind.expect(&spec, &id).unwrap_or_else(|error| panic!("{error}"));
    let out = kind.outputs(&id, &live).unwrap_or_else(|error| panic!("{error}"));
    let owner = if kind.role() == Role::Setting { Owner::Setting } else { Owner::Ours(step.address.clone()) };
    (Found { id, owner, live }, out)
}

/// `stack` with another setting of the bucket of its first service.
///
/// # Panics
/// Where it has no such bucket.
pub fn one_changed(mut stack: Stack) -> Stack {
    let address = ComponentAddress::new("module.service[\"000\"].bucket.models");
    let bucket = stack.components.get_mut(&address).unwrap_or_else(|| panic!("no {address}"));
    bucket.spec["old_versions_days"] = Value::from(7);
    stack
}

/// The plan that makes `seen` what `graph` wants.
///
/// # Panics
/// Where a spec or live value does not have its kind's shape.
pub fn planned(stack: &Stack, graph: &Graph, seen: &Observed, kinds: &KindRegistry) -> (Plan, PlanReport) {
    let options = Options {
        intent: Intent::Converge,
        mode: Mode::Standby,
        targets: Vec::new(),
        delete_data: std::collections::BTreeSet::new(),
    };
    plan(graph, seen, kinds, &stack.facts, &options).unwrap_or_else(|error| panic!("{error}"))
}
