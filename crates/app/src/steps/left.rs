//! What a failover changed and the stack no longer names: parts of it, and settings of others.
//!
//! Nobody owns such settings, so no listing shows them: a role that a fence denied would stay denied
//! for good. The bundle of the last apply has them.

use drstack_core::bundle::Bundle;
use drstack_core::compile::compile;
use drstack_core::control::StoreError;
use drstack_core::control::published::bundle;
use drstack_core::graph::{Graph, Resource};
use drstack_core::kind::Role;
use drstack_core::objective::{Mode, Standing};
use drstack_core::plan::{Intent, Options};

use crate::failure::{Failure, Status, store_failure};
use crate::session::Session;

impl Session {
    /// Fails if the stack no longer names what the record of a failover names: a part that failed over
    /// on its own, or a pool whose minimum the operator accepted. Under another name it would be in
    /// standby.
    fn expect_named(&self, options: &Options, now: &Standing) -> Result<(), Failure> {
        if (options.intent, options.mode) != (Intent::Converge, Mode::Active) {
            return Ok(());
        }
        let is_named = |name: &str| self.stack.components.keys().any(|it| it.is_within(name));
        let recorded = now.only.iter().map(String::as_str).chain(now.minimum.pools());
        let Some(name) = recorded.into_iter().find(|name| !is_named(name)) else { return Ok(()) };
        let message = format!("`{name}` has failed over, and the stack no longer names it");
        let hint = "write its name again, fail back, and rename or remove it after that";
        Err(Failure::new(Status::NotReady, message, hint))
    }

    /// Fails if an apply or a failback would leave a setting as a failover changed it, or if the record of
    /// the failover names what the stack does not.
    pub(super) async fn expect_nothing_left(
        &self,
        options: &Options,
        want: &Graph,
        now: &Standing,
    ) -> Result<(), Failure> {
        self.expect_named(options, now)?;
        let leaves = match options.intent {
            Intent::Converge => options.mode == Mode::Active,
            Intent::Failback => true,
            Intent::Destroy | Intent::Failover | Intent::PlannedFailover => false,
        };
        if !leaves {
            return Ok(());
        }
        let bytes = match bundle(&*self.store).await {
            Ok(bytes) => bytes,
            Err(StoreError::NoBucket { .. }) => None,
            Err(error) => return Err(store_failure(&error)),
        };
        let Some(bytes) = bytes else { return Ok(()) };
        let applied = Bundle::from_bytes(&bytes).ok();
        let applied = applied.and_then(|it| Some((it.stack(&self.app.catalog.components).ok()?, it.facts)));
        let Some((stack, facts)) = applied else {
            self.warn(
                "warning: the bundle cannot be used, so nobody knows whether the stack named other roles in `deny_writers`: name every role that is denied",
            );
            return Ok(());
        };
        let before = compile(&stack, &facts, Mode::Active).graph;
        let is_changed = |it: &&Resource| {
            let kind = self.kinds.get(&it.kind);
            kind.is_some_and(|it| {
                it.role() == Role::Setting && it.needs_both_regions() && it.traffic().is_none()
            })
        };
        let is_named =
            |it: &Resource| want.resources.values().any(|now| (&now.kind, &now.name) == (&it.kind, &it.name));
        let Some(left) = before.resources.values().filter(is_changed).find(|it| !is_named(it)) else {
            return Ok(());
        };
        let message = format!(
            "{}: a failover changes `{}`, and nothing would change it back once the stack no longer names it",
            left.address,
            left.name.as_deref().unwrap_or_default()
        );
        let hint = "name it until the failback, and remove it after that";
        Err(Failure::new(Status::NotReady, message, hint))
    }
}
