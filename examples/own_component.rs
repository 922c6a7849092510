//! A component and a resource kind of one's own beside the built-in ones: written, registered, applied to the simulated
//! cloud, and planned again, when nothing is left to do.
//!
//! `cargo run --no-default-features --example own_component`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use drstack_core::cloud::{Cloud, Scope, Secrets};
use drstack_core::compile::{compile, queries};
use drstack_core::component::{CompileCx, Component, ComponentRegistry, ErasedComponent, Ref, ResourceSet};
use drstack_core::diagnostic::render;
use drstack_core::engine::event::{Event, Outcome};
use drstack_core::engine::execute::{ExecuteOptions, PARALLELISM, execute};
use drstack_core::engine::journal::Journal;
use drstack_core::facts::Facts;
use drstack_core::graph::Resource;
use drstack_core::kind::{Erased, FieldChange, Kind, KindRegistry, Lookup, Operation, Place};
use drstack_core::link::Link;
use drstack_core::objective::Mode;
use drstack_core::observe::{capture, observe};
use drstack_core::plan::{Intent, Options, Plan, plan};
use drstack_core::stack::{InputValues, ReadFiles, Stack, load};
use drstack_kinds::components::Pool;
use drstack_kinds::facts::keep;
use drstack_sim::{Sim, SimConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A stack that uses the component below.
const STACK: &str = r#"
[stack]
name    = "demo"
primary = "us-east-1"
standby = "us-west-2"
posture = "warm"

[network.standby]
cidr = "10.64.0.0/16"

[pool.serving]
follows = "serve"
network = "@network.standby"

[dashboard.serving]
title = "Standby: who serves"
pool  = "@pool.serving"
"#;

// ---- The component: what a user writes, and what it becomes -------------------------------------------------------------

/// `[dashboard.NAME]`
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DashboardTable {
    /// What stands above it.
    title: String,
    /// The pool whose instances it shows.
    pool: Ref<Pool>,
}

/// The component.
struct DashboardComponent;

impl Component for DashboardComponent {
    const NAME: &'static str = "dashboard";
    const SUMMARY: &'static str = "a dashboard of the standby region that shows a pool";
    type Spec = DashboardTable;

    fn compile(spec: &DashboardTable, cx: &CompileCx<'_>, out: &mut ResourceSet) {
        // A cold pool has no group while it waits, and then there is nothing to show.
        let Some(group) = cx.export(&spec.pool, "group").into_iter().next() else { return };
        let name = format!("drstack-{}-{}", cx.stack.name, cx.address.slug());
        let dashboard = DashboardSpec { name: name.clone(), title: spec.title.clone(), group };
        out.add(Resource::named::<Dashboard>(cx.resource("dashboard"), Place::Standby, name, &dashboard));
    }
}

// ---- The resource kind: one AWS object ----------------------------------------------------------------------------------

/// What is wanted. The link makes the edge: the group is live before the dashboard is made.
#[derive(Clone, Serialize, Deserialize)]
struct DashboardSpec {
    name: String,
    title: String,
    group: Link,
}

/// What the cloud reports.
#[derive(Clone, Serialize, Deserialize)]
struct DashboardLive {
    title: String,
    group: String,
}

/// The kind.
struct Dashboard;

impl Kind for Dashboard {
    const NAME: &'static str = "dashboard";
    const SUMMARY: &'static str = "CloudWatch dashboard of the standby region";
    const LOOKUP: Lookup = Lookup::Name;
    const OPERATIONS: &'static [Operation] = &[
        Operation { service: "cloudwatch", action: "DeleteDashboards" },
        Operation { service: "cloudwatch", action: "GetDashboard" },
        Operation { service: "cloudwatch", action: "PutDashboard" },
    ];
    type Spec = DashboardSpec;
    type Live = DashboardLive;

    fn diff(spec: &DashboardSpec, live: &DashboardLive) -> Vec<FieldChange> {
        let title = FieldChange::of("title", &live.title, &spec.title);
        title.into_iter().chain(FieldChange::of("group", &live.group.as_str(), &spec.group.text())).collect()
    }

    fn expect(spec: &DashboardSpec, _id: &str) -> DashboardLive {
        DashboardLive { title: spec.title.clone(), group: spec.group.text().to_owned() }
    }

    fn links(live: &DashboardLive) -> Vec<String> {
        vec![live.group.clone()]
    }
}

// ---- The program --------------------------------------------------------------------------------------------------------

fn main() -> Result<(), Box<dyn Error>> {
    for line in story()? {
        println!("{line}");
    }
    Ok(())
}

/// What was done on the first run, and how many steps a second one would have.
pub(crate) fn story() -> Result<Vec<String>, Box<dyn Error>> {
    drstack_sim::runtime()?.block_on(async {
        let world = World::new()?;
        let mut said = world.apply(&world.plan().await?).await?;
        said.push(format!("planned again: {} steps", world.plan().await?.steps.len()));
        Ok(said)
    })
}

/// The one file there is.
struct Text;

impl ReadFiles for Text {
    fn read(&self, _: &Path) -> Result<String, String> {
        Ok(STACK.to_owned())
    }
}

/// A stack and a simulated cloud that know the built-in kinds and those of this file.
struct World {
    stack: Stack,
    kinds: KindRegistry,
    scope: Scope,
    cloud: Arc<dyn Cloud>,
}

impl World {
    fn new() -> Result<Self, Box<dyn Error>> {
        let own = [&ErasedComponent::<DashboardComponent>::NEW as _];
        let components = ComponentRegistry::new(&[drstack_kinds::components::ALL, &own].concat());
        let own = [&Erased::<Dashboard>::NEW as _];
        let kinds = KindRegistry::new(&[drstack_kinds::resources::ALL, &own].concat());
        let stack = load(Path::new("stack.toml"), &InputValues::new(), &components, &Text)
            .map_err(|failed| render(&failed.problems, &failed.sources, false))?
            .stack;
        let scope = Scope {
            stack: stack.facts.name.as_str().into(),
            primary: stack.facts.primary.as_str().into(),
            standby: stack.facts.standby.as_str().into(),
            secrets: Arc::new(Secrets::default()),
        };
        let declared = stack.components.values();
        let seeds = declared.flat_map(|it| it.component.seeds(&it.spec, &stack.facts, &it.address)).collect();
        let cloud = Arc::new(Sim::in_memory(SimConfig::default(), kinds.clone(), &scope, seeds)?);
        Ok(Self { stack, kinds, scope, cloud })
    }

    async fn plan(&self) -> Result<Plan, Box<dyn Error>> {
        let said = capture(&*self.cloud, &self.scope, &queries(&self.stack), Facts::default(), keep).await;
        let want = compile(&self.stack, &said.facts, Mode::Standby);
        if want.has_errors() {
            return Err(render(&want.problems, &self.stack.sources, false).into());
        }
        let seen = observe(&*self.cloud, &self.kinds, &self.scope, &want.graph).await;
        let options = Options {
            intent: Intent::Converge,
            mode: Mode::Standby,
            targets: Vec::new(),
            delete_data: Default::default(),
        };
        let (plan, _report) = plan(&want.graph, &seen, &self.kinds, &self.stack.facts, &options)?;
        Ok(plan)
    }

    /// Carries the plan out. The program takes the stack's lock first; here nobody else is there.
    async fn apply(&self, plan: &Plan) -> Result<Vec<String>, Box<dyn Error>> {
        let store = self.cloud.control(&self.scope, &self.stack.facts.control);
        store.ensure().await?;
        let mut journal = Journal::new(store, "example");
        let options = ExecuteOptions {
            parallelism: PARALLELISM,
            purpose: "apply".to_owned(),
            insist: false,
            drain: Default::default(),
            stop: Default::default(),
        };
        let mut said = Vec::new();
        let mut sink = |event: Event| {
            if let Event::StepFinished { address, outcome: Outcome::Done, .. } = event {
                said.push(format!("made {address}"));
            }
        };
        let cloud = Arc::clone(&self.cloud);
        let summary =
            execute(plan, cloud, &self.kinds, &self.scope, &mut journal, &options, &mut sink).await?;
        if !summary.is_complete() {
            return Err(format!("{summary:?}").into());
        }
        Ok(said)
    }
}
