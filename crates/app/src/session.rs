//! A stack and the cloud it is held against.

use std::collections::BTreeMap;
use std::sync::Arc;

use drstack_core::address::Address;
use drstack_core::cloud::{Cloud, Found, Scope};
use drstack_core::control::ControlStore;
use drstack_core::control::doubt::mode;
use drstack_core::control::mode::KeptMode;
use drstack_core::facts::Facts;
use drstack_core::keys::PrivateKey;
use drstack_core::kind::KindRegistry;
use drstack_core::minimum::Minimums;
use drstack_core::stack::Stack;
use jiff::Timestamp;

use crate::app::App;
use crate::failure::{Failure, store_failure};
use crate::operator::{Busy, News};
use crate::planned::Rehearsed;

/// What the data to be deleted is called where it is the control bucket.
pub const CONTROL: &str = "control";

/// A stack and the cloud it is held against.
pub struct Session {
    /// What it needs of the world.
    pub app: App,
    /// The stack.
    pub stack: Stack,
    /// The kinds of its resources.
    pub kinds: KindRegistry,
    /// Where they are.
    pub cloud: Arc<dyn Cloud>,
    /// The control bucket.
    pub store: Arc<dyn ControlStore>,
    /// Signs the bundle.
    pub signer: Option<PrivateKey>,
    /// What the last complete apply left for an unplanned failover, which captures nothing itself; none otherwise.
    pub alone: Option<RecoveryInputs>,
    /// The operator has said which region serves, or is to: a doubt about it holds nothing up.
    pub stated: bool,
    /// The control bucket is lost: what is kept there ends with the program.
    pub without_control: bool,
    /// What the bundle that it was opened from says of a failover.
    pub rehearsed: Option<Rehearsed>,
    /// The minimums that this run accepts for its failover.
    pub accepted: Minimums,
    /// What traffic does not wait for, since the operator says so.
    pub without: Vec<String>,
    /// Which stack, in which regions.
    pub scope: Scope,
}

/// What a failover works from.
#[derive(Default)]
pub struct RecoveryInputs {
    /// What the primary said.
    pub facts: Facts,
    /// What it does not look at: all outside the standby region, and data there that it leaves as it is.
    pub known: BTreeMap<Address, Found>,
}

impl Session {
    /// Connects to the cloud of `stack`.
    ///
    /// # Errors
    /// What the cloud says.
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
        let store = cloud.control(&scope, &stack.facts.control);
        Ok(Self {
            app: app.clone(),
            stack,
            kinds: app.catalog.kinds.clone(),
            cloud,
            store,
            signer: None,
            alone: None,
            stated: false,
            without_control: false,
            rehearsed: None,
            accepted: Minimums::default(),
            without: Vec::new(),
            scope,
        })
    }

    /// Tells the operator something to know on the way.
    pub(crate) fn note(&self, text: &str) {
        self.app.operator.note(text);
    }

    /// Tells the operator something to know in any case.
    pub(crate) fn warn(&self, text: &str) {
        self.app.operator.warn(text);
    }

    /// Shows the operator a result.
    pub(crate) fn tell(&self, news: News<'_>) {
        self.app.operator.tell(news);
    }

    /// Shows the operator that something goes on, until the answer is dropped.
    pub(crate) fn busy(&self, text: String) -> Busy {
        self.app.operator.busy(text)
    }

    /// Age in seconds of the oldest fact that was used.
    pub fn oldest_fact(&self, facts: &Facts) -> Option<i64> {
        let now = self.cloud.now();
        facts.answers.values().map(|fact| now.duration_since(fact.captured_at).as_secs()).max()
    }

    /// Which region serves, as the control bucket says, or as the witnesses do where there is a doubt about that.
    ///
    /// # Errors
    /// What the control bucket says.
    pub async fn mode(&self) -> Result<KeptMode, Failure> {
        let kept = mode(&*self.store, &*self.cloud, &self.scope, &self.stack.facts.control).await;
        kept.map_err(|error| store_failure(&error))
    }

    /// Wall-clock time of the cloud.
    pub fn now(&self) -> Timestamp {
        self.cloud.now()
    }
}
