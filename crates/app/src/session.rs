//! A session: one stack on one cloud.

use std::collections::BTreeMap;
use std::sync::Arc;

use drstack_core::address::Address;
use drstack_core::cloud::{Cloud, Found, Scope};
use drstack_core::compile::queries;
use drstack_core::control::ControlStore;
use drstack_core::control::doubt::mode;
use drstack_core::control::mode::KeptMode;
use drstack_core::control::patient::Patient;
use drstack_core::facts::Facts;
use drstack_core::keys::PrivateKey;
use drstack_core::kind::{KindRegistry, Place};
use drstack_core::minimum::Minimums;
use drstack_core::plan::ByItself;
use drstack_core::plan::Intent;
use drstack_core::stack::Stack;
use jiff::Timestamp;

use crate::app::App;
use crate::failure::{Failure, store_failure};
use crate::operator::{Busy, News};
use crate::planned::{PlanOutcome, Rehearsed};

/// One stack on one cloud.
pub struct Session {
    /// The application that the session belongs to.
    pub app: App,
    /// The stack.
    pub stack: Stack,
    /// The kinds of its resources.
    pub kinds: KindRegistry,
    /// The cloud that holds the resources.
    pub cloud: Arc<dyn Cloud>,
    /// The control bucket.
    pub store: Arc<dyn ControlStore>,
    /// The key that signs the bundle, if any.
    pub signer: Option<PrivateKey>,
    /// Inputs that the last complete apply left for an unplanned failover, which captures nothing
    /// itself; `None` for any other operation.
    pub alone: Option<RecoveryInputs>,
    /// The rehearsal in the bundle that the session was opened from.
    pub rehearsed: Option<Rehearsed>,
    /// What the operator decided for this run.
    pub decisions: Decisions,
    /// The stack's name, its regions and its secrets.
    pub scope: Scope,
}

/// Decisions of the operator that hold for one run.
#[derive(Default)]
pub struct Decisions {
    /// True if the operator stated which region serves, or is to serve. A doubt about it then
    /// blocks nothing.
    pub stated: bool,
    /// True if the control bucket is lost. Everything stored in its place ends with the program.
    pub without_control: bool,
    /// True if there is no bundle, so that the files alone say what the stack is.
    pub files_alone: bool,
    /// Number of steps that the run executes at once; the engine's default if `None`.
    pub parallelism: Option<usize>,
    /// The minimums that this run accepts for its failover.
    pub accepted: Minimums,
    /// True if this failover works from the files in place of what was applied.
    pub files: bool,
    /// What the run may do by itself, if it is a sync: the plan has no other steps.
    pub by_itself: Option<ByItself>,
    /// Names that traffic does not wait for, by the operator's decision.
    pub without: Vec<String>,
}

/// Inputs of an unplanned failover.
#[derive(Default)]
pub struct RecoveryInputs {
    /// The facts of the primary.
    pub facts: Facts,
    /// Resources that the failover does not observe: all outside the standby region, and data in it
    /// that the failover leaves as it is.
    pub known: BTreeMap<Address, Found>,
    /// The run that published them; none if they are of no bundle.
    pub run: Option<String>,
}

impl Session {
    /// Connects to the cloud of `stack`.
    ///
    /// # Errors
    /// Returns the error of the cloud.
    pub async fn open(app: &App, stack: Stack) -> Result<Self, Failure> {
        let scope = Scope {
            stack: stack.facts.name.as_str().into(),
            primary: stack.facts.primary.as_str().into(),
            standby: stack.facts.standby.as_str().into(),
            secrets: Arc::new(stack.secrets.clone()),
        };
        let components = stack.components.len();
        tracing::debug!(name: "loaded", stack = stack.facts.name, components, hash = stack.hash, "loaded the stack");
        let cloud = app.clouds.connect(&stack, &scope).await?;
        let store = Patient::of(cloud.control(&scope, &stack.facts.control));
        Ok(Self {
            app: app.clone(),
            stack,
            kinds: app.catalog.kinds.clone(),
            cloud,
            store,
            signer: None,
            alone: None,
            rehearsed: None,
            decisions: Decisions::default(),
            scope,
        })
    }

    /// Names the stack for a question, with the account and the region that change.
    pub(crate) fn named(&self, planned: &PlanOutcome) -> String {
        let account = planned.account().map_or_else(String::new, |it| format!("account {it}, "));
        format!("`{}` ({account}{})", self.stack.facts.name, self.stack.facts.standby)
    }

    /// Reports progress or context to the operator.
    pub(crate) fn note(&self, text: &str) {
        self.app.operator.note(text);
    }

    /// Reports a warning to the operator, also in quiet mode.
    pub(crate) fn warn(&self, text: &str) {
        self.app.operator.warn(text);
    }

    /// Shows the operator a result.
    pub(crate) fn tell(&self, news: News<'_>) {
        self.app.operator.tell(news);
    }

    /// Shows the operator that something takes a while, until the returned guard is dropped.
    pub(crate) fn busy(&self, text: String) -> Busy {
        self.app.operator.busy(text)
    }

    /// Returns the age in seconds of the oldest fact of the primary that the stack asks for.
    pub fn oldest_fact(&self, facts: &Facts) -> Option<i64> {
        let now = self.cloud.now();
        let asked = queries(&self.stack);
        let of_primary = asked.iter().filter(|query| query.place != Place::Standby);
        let answers = of_primary.filter_map(|query| facts.answers.get(&query.key()));
        answers.map(|fact| now.duration_since(fact.captured_at).as_secs()).max()
    }

    /// Returns the recorded mode, or the witnesses' if the record is in doubt.
    ///
    /// # Errors
    /// Returns the error of the control bucket.
    pub async fn mode(&self) -> Result<KeptMode, Failure> {
        let kept = mode(&*self.store, &*self.cloud, &self.scope, &self.stack.facts.control).await;
        kept.map_err(|error| store_failure(&error))
    }

    /// Returns the name of a run with this intent in the lock and in journals: the command that a user
    /// runs for it.
    pub(crate) fn purpose(&self, intent: Intent) -> &'static str {
        if self.decisions.by_itself.is_some() { "sync" } else { intent.purpose() }
    }

    /// Returns the wall-clock time of the cloud.
    pub fn now(&self) -> Timestamp {
        self.cloud.now()
    }
}
