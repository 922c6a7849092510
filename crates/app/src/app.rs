//! The application with all that it needs of the world.

use std::sync::Arc;

use drstack_core::cloud::{Cloud, Scope};
use drstack_core::component::ComponentRegistry;
use drstack_core::component::StackFacts;
use drstack_core::control::ControlStore;
use drstack_core::graph::Graph;
use drstack_core::kind::{KindRegistry, ShapeError};
use drstack_core::observe::{Keep, Observed};
use drstack_core::plan::stability::{Rehearsal, rehearse};
use drstack_core::plan::{Options, Plan, PlanReport, plan};
use drstack_core::stack::Stack;
use futures_util::future::BoxFuture;

use crate::failure::Failure;
use crate::host::Host;
use crate::operator::Operator;

/// Makes plans: [`Core`], unless a caller brings another one.
pub trait Planner: Send + Sync {
    /// What it takes to make what was `seen` what `graph` wants.
    ///
    /// # Errors
    /// A spec or live value that does not have its kind's shape.
    fn plan(
        &self,
        graph: &Graph,
        seen: &Observed,
        kinds: &KindRegistry,
        stack: &StackFacts,
        options: &Options,
    ) -> Result<(Plan, PlanReport), ShapeError> {
        plan(graph, seen, kinds, stack, options)
    }

    /// What a failover would do and need once all of `standby` is there.
    ///
    /// # Errors
    /// A spec that does not have its kind's shape.
    fn rehearse(
        &self,
        standby: &Graph,
        active: &Graph,
        kinds: &KindRegistry,
        stack: &StackFacts,
    ) -> Result<Rehearsal, ShapeError> {
        rehearse(standby, active, kinds, stack)
    }
}

/// The planner of the core.
pub struct Core;

impl Planner for Core {}

/// What stacks are made of.
#[derive(Clone)]
pub struct Catalog {
    /// Components, as users write them.
    pub components: ComponentRegistry,
    /// Resources, as clouds have them.
    pub kinds: KindRegistry,
    /// What is kept of an answer of the primary beside an earlier one.
    pub keep: Keep,
    /// How a plan is made.
    pub planner: Arc<dyn Planner>,
}

impl Catalog {
    /// These components and kinds, with the planner of the core.
    pub fn new(components: ComponentRegistry, kinds: KindRegistry, keep: Keep) -> Self {
        Self { components, kinds, keep, planner: Arc::new(Core) }
    }
}

/// Clouds to connect to.
pub trait Clouds: Send + Sync {
    /// Connects to the cloud of `stack`.
    fn connect<'a>(
        &'a self,
        stack: &'a Stack,
        scope: &'a Scope,
    ) -> BoxFuture<'a, Result<Arc<dyn Cloud>, Failure>>;

    /// Connects to the control bucket of the stack named `stack` before anything else of that stack is known. `region` is where the bucket
    /// lies, where the caller knows it: no service is asked for it, since the region that would answer may be lost.
    fn control<'a>(
        &'a self,
        bucket: &'a str,
        stack: &'a str,
        region: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Arc<dyn ControlStore>, Failure>>;
}

/// The application. Clones share everything.
#[derive(Clone)]
pub struct App {
    /// What stacks are made of.
    pub catalog: Catalog,
    /// Where they run.
    pub clouds: Arc<dyn Clouds>,
    /// The machine that this runs on.
    pub host: Arc<dyn Host>,
    /// Whom it works for.
    pub operator: Arc<dyn Operator>,
}
