//! Runs of the engine on toy kinds, and the assertions that hold for each of them, however it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use drstack_core::address::Address;
use drstack_core::cloud::Cloud;
use drstack_core::control::ControlStore;
use drstack_core::control::journal::{Entry, Journal, JournalError};
use drstack_core::engine::event::{Event, Outcome};
use drstack_core::engine::execute::{ExecuteOptions, RunSummary, execute};
use drstack_core::graph::{Graph, Resource};
use drstack_core::kind::Place;
use drstack_core::link::Link;
use drstack_core::plan::{Intent, Plan, StepId};
use drstack_sim::{CallRecord, Operation, Sim};

use crate::toys::*;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// A run: its journal, its stop, and its events.
pub(crate) struct Run {
    pub(crate) store: Arc<dyn ControlStore>,
    pub(crate) journal: Journal,
    pub(crate) options: ExecuteOptions,
    pub(crate) events: Vec<Event>,
}

impl Run {
    pub(crate) async fn new(sim: &Sim, name: &str) -> Self {
        let store = sim.control(&scope("fleet"), "acme");
        store.ensure().await.unwrap();
        let options = ExecuteOptions {
            parallelism: 64,
            purpose: "apply".to_owned(),
            retry_transient: false,
            drain: Default::default(),
            stop: Default::default(),
        };
        Self { journal: Journal::new(Arc::clone(&store), name), store, options, events: Vec::new() }
    }

    pub(crate) async fn execute(&mut self, sim: &Sim, plan: &Plan) -> Result<RunSummary, JournalError> {
        let (kinds, scope, cloud) = (kinds(), scope("fleet"), Arc::new(sim.clone()));
        let events = &mut self.events;
        let mut sink = |event| events.push(event);
        execute(plan, cloud, &kinds, &scope, &mut self.journal, &self.options, &mut sink).await
    }

    /// Returns how each step of `plan` ended. Each has to end exactly once, with no event of it
    /// afterwards.
    pub(crate) fn ends(&self, plan: &Plan) -> BTreeMap<StepId, &'static str> {
        let mut ends = BTreeMap::new();
        for event in &self.events {
            match event {
                Event::StepFinished { step, outcome, .. } => {
                    let how = match outcome {
                        Outcome::Done => "done",
                        Outcome::Failed { .. } => "failed",
                        Outcome::Skipped { .. } => "skipped",
                        Outcome::Unfinished => "unfinished",
                    };
                    assert_eq!(ends.insert(*step, how), None, "step {step} ended twice: {:#?}", self.events);
                }
                Event::StepStarted { step, .. } | Event::StepWaiting { step, .. } => {
                    assert!(!ends.contains_key(step), "step {step} went on: {:#?}", self.events);
                }
                _ => {}
            }
        }
        assert_eq!(ends.len(), plan.steps.len(), "{:#?}", self.events);
        ends
    }

    /// Returns the addresses of the steps that ended like this.
    pub(crate) fn that(&self, plan: &Plan, how: &str) -> Vec<String> {
        let ends = self.ends(plan);
        let these = ends.iter().filter(|(_, end)| **end == how);
        let mut these: Vec<String> = these.map(|(step, _)| plan.steps[*step].address.to_string()).collect();
        these.sort();
        these
    }

    /// Returns the number of running steps of each [`Event::Draining`].
    pub(crate) fn drained(&self) -> Vec<usize> {
        let running = |event: &Event| match event {
            Event::Draining { running } => Some(*running),
            _ => None,
        };
        self.events.iter().filter_map(running).collect()
    }

    /// Returns the entries of the journal, which has to be complete.
    pub(crate) async fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for key in self.store.list(&format!("runs/{}/journal/", self.journal.run())).await.unwrap() {
            let (body, _) = self.store.get(&key).await.unwrap().unwrap();
            let lines = std::str::from_utf8(&body).unwrap().lines();
            entries.extend(lines.map(|line| serde_json::from_str::<Entry>(line).unwrap()));
        }
        let (mut intended, mut ended) = (BTreeSet::new(), BTreeSet::new());
        for entry in &entries {
            match entry {
                Entry::Intent { step, .. } => assert!(intended.insert(*step), "{entries:#?}"),
                Entry::Done { step, .. } | Entry::Failed { step, .. } => {
                    assert!(intended.contains(step) && ended.insert(*step), "{entries:#?}");
                }
                _ => {}
            }
        }
        entries
    }

    /// Returns the steps that are done according to the journal.
    pub(crate) async fn journaled(&self) -> BTreeSet<StepId> {
        let done = |entry: &Entry| match entry {
            Entry::Done { step, .. } => Some(*step),
            _ => None,
        };
        self.entries().await.iter().filter_map(done).collect()
    }
}

pub(crate) fn at(name: &str) -> Address {
    Address::parse(name).unwrap()
}

/// Nets `a` and `b` take an hour; `web` and `cdn` need `a`, `api` needs `b`, `solo` needs nothing.
pub(crate) fn want() -> Graph {
    let mut all = Vec::new();
    for name in ["a", "b"] {
        let spec = NetSpec { cidr: "10.0.0.0/16".to_owned(), within: None };
        all.push(Resource::tagged::<Net>(at(&format!("toy.{name}/net")), Place::Standby, &spec));
    }
    let of = |net: &str| Link::id(&at(&format!("toy.{net}/net")));
    let known = Link::Known("net-of-the-user".to_owned());
    for (name, net) in [("web", of("a")), ("cdn", of("a")), ("api", of("b")), ("solo", known)] {
        let spec = GroupSpec { net, size: 1, colour: String::new() };
        all.push(Resource::named::<Group>(at(&format!("toy.{name}/group")), Place::Standby, name, &spec));
    }
    all.into_iter().collect()
}

pub(crate) async fn todo(sim: &Sim, want: &Graph) -> Plan {
    let (plan, report) = plan(sim, want, Intent::Converge).await;
    assert_eq!(report.blocked, []);
    plan
}

/// Lets the next program finish the rest, undisturbed.
pub(crate) async fn finish(sim: &Sim, want: &Graph) {
    let next = sim.restart(config("")).unwrap();
    let rest = todo(&next, want).await;
    assert!(!rest.is_empty());
    let mut run = Run::new(&next, "next").await;
    let summary = run.execute(&next, &rest).await.unwrap();
    assert!(summary.is_complete(), "{summary:?}");
    assert_eq!(run.journaled().await.len(), rest.steps.len());
    assert!(todo(&next, want).await.is_empty());
    assert_eq!(next.inventory().len(), want.resources.len());
}

pub(crate) fn changes(calls: &[CallRecord]) -> usize {
    let changes = [Operation::Create, Operation::Update, Operation::Delete];
    calls.iter().filter(|call| changes.contains(&call.operation)).count()
}
