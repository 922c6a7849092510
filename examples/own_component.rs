//! A component and a resource kind of one's own beside the built-in ones: written, registered, applied to the simulated
//! cloud, and planned again, when nothing is left to do.
//!
//! `cargo run --no-default-features --example own_component`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drstack_app::app::{App, Catalog, Clouds};
use drstack_app::failure::{Failure, Status};
use drstack_app::host::Host;
use drstack_app::operator::{News, Operator};
use drstack_app::ops::apply::{Apply, apply};
use drstack_app::ops::plan::{Plan, plan};
use drstack_app::report::timeline::Report;
use drstack_app::session::Session;
use drstack_core::cloud::{Cloud, Scope};
use drstack_core::component::{CompileCx, Component, ComponentRegistry, ErasedComponent, Ref, ResourceSet};
use drstack_core::control::ControlStore;
use drstack_core::diagnostic::render;
use drstack_core::engine::event::{Event, Outcome};
use drstack_core::engine::execute::PARALLELISM;
use drstack_core::graph::Resource;
use drstack_core::kind::{Erased, FieldChange, Kind, KindRegistry, Lookup, Operation, Place};
use drstack_core::link::Link;
use drstack_core::stack::{FileError, InputValues, ReadFiles, Stack, load};
use drstack_kinds::components::Pool;
use drstack_sim::{Sim, SimConfig};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

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
        Operation::new("cloudwatch", "DeleteDashboards"),
        Operation::new("cloudwatch", "GetDashboard"),
        Operation::new("cloudwatch", "PutDashboard"),
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
        let components =
            [drstack_kinds::components::ALL, &[&ErasedComponent::<DashboardComponent>::NEW as _]];
        let kinds = [drstack_kinds::resources::ALL, &[&Erased::<Dashboard>::NEW as _]];
        let catalog = Catalog::new(
            ComponentRegistry::new(&components.concat()),
            KindRegistry::new(&kinds.concat()),
            drstack_kinds::facts::keep,
        );
        let stack = load(Path::new("stack.toml"), &InputValues::new(), &catalog.components, &Text)
            .map_err(|failed| render(&failed.problems, &failed.sources, false))?
            .stack;
        let operator = Arc::new(Listener::default());
        let here = Arc::new(Here { kinds: catalog.kinds.clone() });
        let app =
            App { catalog, clouds: here.clone(), host: here, operator: operator.clone(), typed: Vec::new() };
        let mut session = Session::open(&app, stack).await.map_err(|failure| failure.message)?;
        let how = Apply {
            file: None,
            mode: None,
            targets: Vec::new(),
            delete_data: Default::default(),
            signing_key: None,
            with_files: false,
            auto_approve: true,
            parallelism: PARALLELISM,
            typed: "demo".to_owned(),
        };
        apply(&mut session, how).await.map_err(|failure| failure.message)?;
        let again = Plan { mode: None, targets: Vec::new(), delete_data: Default::default(), failover: None };
        let (_, again) = plan(&mut session, again).await.map_err(|failure| failure.message)?;
        let mut made = std::mem::take(&mut *operator.heard());
        made.push(format!("planned again: {} steps", again.plan.steps.len()));
        Ok(made)
    })
}

/// The one file there is.
struct Text;

impl ReadFiles for Text {
    fn read(&self, _: &Path) -> Result<String, FileError> {
        Ok(STACK.to_owned())
    }
}

/// The machine, and a simulated cloud in its memory that knows the kinds of this file.
struct Here {
    kinds: KindRegistry,
}

impl Clouds for Here {
    fn connect<'a>(
        &'a self,
        stack: &'a Stack,
        scope: &'a Scope,
    ) -> BoxFuture<'a, Result<Arc<dyn Cloud>, Failure>> {
        let declared = stack.components.values();
        let seeds = declared.flat_map(|it| it.component.seeds(&it.spec, &stack.facts, &it.address)).collect();
        let sim = Sim::in_memory(SimConfig::default(), self.kinds.clone(), scope, seeds);
        let sim = sim.map(|sim| Arc::new(sim) as Arc<dyn Cloud>);
        let failure = |error| Failure::new(Status::Failed, error, "write other settings");
        std::future::ready(sim.map_err(failure)).boxed()
    }

    fn control<'a>(
        &'a self,
        bucket: &'a str,
        _: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn ControlStore>, Failure>> {
        let message = format!("`{bucket}` is in the memory of another program");
        std::future::ready(Err(Failure::new(Status::Usage, message, "name the stack"))).boxed()
    }
}

impl Host for Here {
    fn user(&self) -> String {
        "you".to_owned()
    }

    fn name(&self) -> String {
        "here".to_owned()
    }

    fn run(&self, now: Timestamp) -> String {
        now.to_string()
    }

    fn rest(&self, span: Duration) -> BoxFuture<'_, ()> {
        tokio::time::sleep(span).boxed()
    }

    fn requests_to_stop(&self) -> watch::Receiver<u32> {
        watch::channel(0).1
    }

    fn hold(&self, _: bool) {}
}

/// Notes what was made.
#[derive(Default)]
struct Listener(Mutex<Vec<String>>);

impl Listener {
    fn heard(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Operator for Listener {
    fn hear(&self, event: &Event) {
        if let Event::StepFinished { address, outcome: Outcome::Done, .. } = event {
            self.heard().push(format!("made {address}"));
        }
    }

    fn tell(&self, _: News<'_>) {}

    fn approve(&self, _: &str) -> Result<(), Failure> {
        Ok(())
    }

    fn page(&self, report: &Report) -> String {
        format!("{report:?}")
    }
}
