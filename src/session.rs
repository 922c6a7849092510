//! A stack and the cloud it is held against. The five moves that every command is made of: load (`loading.rs`), observe and plan
//! (`planning.rs`), confirm (`commands/`), execute (`executing.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use drstack_core::address::Address;
use drstack_core::cloud::{Cloud, Found, Scope};
use drstack_core::control::doubt::mode;
use drstack_core::control::mode::KeptMode;
use drstack_core::control::{ControlStore, StoreError};
use drstack_core::facts::Facts;
use drstack_core::keys::PrivateKey;
use drstack_core::kind::KindRegistry;
use drstack_core::minimum::Minimums;
use drstack_core::plan::skeleton::Skeleton;
use drstack_core::stack::Stack;
use jiff::{SignedDuration, Timestamp};

use crate::args::{Global, StackArgs};
use crate::cloud::{Connected, connect};
use crate::exit::{Exit, Failure};
use crate::loading::load_stack;
use crate::ui::Ui;

/// What `--delete-data` calls the control bucket.
pub(crate) const CONTROL: &str = "control";

/// A stack and the cloud it is held against.
pub(crate) struct Session {
    pub(crate) ui: Ui,
    pub(crate) stack: Stack,
    pub(crate) kinds: KindRegistry,
    pub(crate) cloud: Arc<dyn Cloud>,
    pub(crate) store: Arc<dyn ControlStore>,
    /// Whether time is not real.
    pub(crate) simulated: bool,
    /// Signs the bundle.
    pub(crate) signer: Option<PrivateKey>,
    /// What the last complete apply left for a takeover, which asks nobody else; none while not taking over.
    pub(crate) alone: Option<Alone>,
    /// The operator has said which region serves, or is to: a doubt about it holds nothing up.
    pub(crate) stated: bool,
    /// The control bucket is lost: what is kept there ends with the program.
    pub(crate) without_control: bool,
    /// What the bundle that it was opened from says of a takeover.
    pub(crate) rehearsed: Option<Rehearsed>,
    /// The minimums that this run accepts for its failover.
    pub(crate) accepted: Minimums,
    /// What traffic does not wait for, since the operator says so.
    pub(crate) without: Vec<String>,
    pub(crate) scope: Scope,
}

/// What a takeover was expected to do when it was last rehearsed.
pub(crate) struct Rehearsed {
    /// When.
    pub(crate) at: Timestamp,
    pub(crate) skeleton: Skeleton,
}

/// What a takeover works from.
#[derive(Default)]
pub(crate) struct Alone {
    /// What the primary said.
    pub(crate) facts: Facts,
    /// What it does not look at: all outside the standby region, and data there that it leaves as it is.
    pub(crate) known: BTreeMap<Address, Found>,
}

impl Session {
    /// Loads the stack and connects to its cloud.
    pub(crate) async fn open(ui: Ui, global: &Global, args: &StackArgs) -> Result<Self, Failure> {
        Self::connected(ui, global, load_stack(ui, args)?).await
    }

    /// Connects to the cloud of `stack`.
    pub(crate) async fn connected(ui: Ui, global: &Global, stack: Stack) -> Result<Self, Failure> {
        let kinds = drstack_kinds::kinds();
        let scope = Scope {
            stack: stack.facts.name.as_str().into(),
            primary: stack.facts.primary.as_str().into(),
            standby: stack.facts.standby.as_str().into(),
            secrets: Arc::new(stack.secrets.clone()),
        };
        let components = stack.components.len();
        tracing::debug!(name: "loaded", stack = stack.facts.name, components, hash = stack.hash, "loaded the stack");
        let connected = connect(global, &stack, &scope, &kinds).await?;
        let store = connected.cloud.control(&scope, &stack.facts.control);
        let Connected { cloud, simulated } = connected;
        Ok(Self {
            ui,
            stack,
            kinds,
            cloud,
            store,
            simulated,
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

    /// The shortest RTO that the stack or one of its components asks for.
    pub(crate) fn rto(&self) -> Option<SignedDuration> {
        self.stack.components.values().filter_map(|it| it.objective.rto).chain(self.stack.objective.rto).min()
    }

    /// Age in seconds of the oldest fact that was used.
    pub(crate) fn oldest_fact(&self, facts: &Facts) -> Option<i64> {
        let now = self.cloud.now();
        facts.answers.values().map(|fact| now.duration_since(fact.captured_at).as_secs()).max()
    }

    /// Which region serves, as the control bucket says, or as the witnesses do where there is a doubt about that.
    pub(crate) async fn mode(&self) -> Result<KeptMode, Failure> {
        let kept = mode(&*self.store, &*self.cloud, &self.scope, &self.stack.facts.control).await;
        kept.map_err(|error| store_failure(&error))
    }

    /// Wall-clock time of the cloud.
    pub(crate) fn now(&self) -> Timestamp {
        self.cloud.now()
    }
}

/// What to say when the control bucket cannot be used.
pub(crate) fn store_failure(error: &StoreError) -> Failure {
    let hint = match error {
        StoreError::Refused { .. } => "run again".to_owned(),
        StoreError::NoBucket { .. } => {
            "while the primary is lost, `drstack failover STACK --without-control` takes over without it; while the primary serves, `drstack apply` makes it"
                .to_owned()
        }
        StoreError::Newer { .. } => "use the newer drstack".to_owned(),
        StoreError::Broken { key, .. } => {
            format!(
                "bring back an older version of `{key}`, or delete it while the primary answers: it is asked anew"
            )
        }
        StoreError::Cloud(error) => error.hint(),
    };
    Failure::new(Exit::Failed, format!("control bucket: {error}"), hint)
}
