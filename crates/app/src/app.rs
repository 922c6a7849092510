//! The application, with the ports that connect it to the world.

use std::sync::Arc;

use drstack_core::cloud::{Cloud, Scope};
use drstack_core::component::ComponentRegistry;
use drstack_core::component::StackFacts;
use drstack_core::control::ControlStore;
use drstack_core::graph::Graph;
use drstack_core::kind::{KindRegistry, ShapeError};
use drstack_core::observe::{Keep, Observed};
use drstack_core::plan::stability::{Beside, Rehearsal, rehearse};
use drstack_core::plan::{Options, Plan, PlanReport, plan};
use drstack_core::stack::Stack;
use futures_util::future::BoxFuture;

use crate::failure::Failure;
use crate::host::Host;
use crate::operator::Operator;

/// The port that makes plans: [`Core`], unless a caller replaces it.
pub trait Planner: Send + Sync {
    /// Returns the steps that make the observed world match `graph`.
    ///
    /// # Errors
    /// Returns an error for a spec or live value that does not have its kind's shape.
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

    /// Rehearses a failover from the world that `standby` describes, and what is `beside` it.
    ///
    /// # Errors
    /// Returns an error for a spec that does not have its kind's shape.
    fn rehearse(
        &self,
        standby: &Graph,
        active: &Graph,
        kinds: &KindRegistry,
        stack: &StackFacts,
        beside: &Beside<'_>,
    ) -> Result<Rehearsal, ShapeError> {
        rehearse(standby, active, kinds, stack, beside)
    }
}

/// The planner of the core.
pub struct Core;

impl Planner for Core {}

/// The components and kinds that stacks consist of.
#[derive(Clone)]
pub struct Catalog {
    /// Components, as users write them.
    pub components: ComponentRegistry,
    /// Resources, as clouds have them.
    pub kinds: KindRegistry,
    /// Decides which fact to keep when the primary answers anew.
    pub keep: Keep,
    /// Makes the plans.
    pub planner: Arc<dyn Planner>,
}

impl Catalog {
    /// Creates a catalog of these components and kinds, with the planner of the core.
    pub fn new(components: ComponentRegistry, kinds: KindRegistry, keep: Keep) -> Self {
        Self { components, kinds, keep, planner: Arc::new(Core) }
    }
}

/// The port to the clouds.
pub trait Clouds: Send + Sync {
    /// Connects to the cloud of `stack`.
    fn connect<'a>(
        &'a self,
        stack: &'a Stack,
        scope: &'a Scope,
    ) -> BoxFuture<'a, Result<Arc<dyn Cloud>, Failure>>;

    /// Connects to the control bucket of the stack named `stack`, before anything else of that
    /// stack is known.
    ///
    /// `region` is the bucket's region. No service is asked for it, since the region that would
    /// answer may be lost.
    fn control<'a>(
        &'a self,
        bucket: &'a str,
        stack: &'a str,
        region: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn ControlStore>, Failure>>;
}

/// The application. Clones share everything.
#[derive(Clone)]
pub struct App {
    /// The components and kinds of stacks.
    pub catalog: Catalog,
    /// The clouds that they run on.
    pub clouds: Arc<dyn Clouds>,
    /// The machine that runs the operation.
    pub host: Arc<dyn Host>,
    /// The operator that it works for.
    pub operator: Arc<dyn Operator>,
    /// The words of a command that lead to the same clouds, as the operator types them.
    pub typed: Vec<String>,
}
