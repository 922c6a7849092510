//! Settings of others that a failover changed and that the stack no longer names.
//!
//! Nobody owns them, so no listing shows them: a role that a fence denied would stay denied for good.
//! The bundle of the last apply has them.

use drstack_core::bundle::Bundle;
use drstack_core::compile::compile;
use drstack_core::control::StoreError;
use drstack_core::control::published::bundle;
use drstack_core::graph::{Graph, Resource};
use drstack_core::kind::Role;
use drstack_core::objective::Mode;
use drstack_core::plan::{Intent, Options, Remark};

use crate::failure::{Failure, store_failure};
use crate::session::Session;

impl Session {
    /// Returns a remark on each setting that an apply or a failback would leave as a failover changed it.
    pub(super) async fn left_by_failover(
        &self,
        options: &Options,
        want: &Graph,
    ) -> Result<Vec<Remark>, Failure> {
        let leaves = match options.intent {
            Intent::Converge => options.mode == Mode::Active,
            Intent::Failback => true,
            Intent::Destroy | Intent::Failover | Intent::PlannedFailover => false,
        };
        if !leaves {
            return Ok(Vec::new());
        }
        let bytes = match bundle(&*self.store).await {
            Ok(bytes) => bytes,
            Err(StoreError::NoBucket { .. }) => None,
            Err(error) => return Err(store_failure(&error)),
        };
        // A damaged bundle says nothing; the apply publishes another one.
        let applied = bytes.and_then(|bytes| Bundle::from_bytes(&bytes).ok());
        let applied = applied.and_then(|it| Some((it.stack(&self.app.catalog.components).ok()?, it.facts)));
        let Some((stack, facts)) = applied else { return Ok(Vec::new()) };
        let before = compile(&stack, &facts, Mode::Active).graph;
        let is_changed = |it: &&Resource| {
            let kind = self.kinds.get(&it.kind);
            kind.is_some_and(|it| {
                it.role() == Role::Setting && it.needs_both_regions() && it.traffic().is_none()
            })
        };
        let is_named =
            |it: &Resource| want.resources.values().any(|now| (&now.kind, &now.name) == (&it.kind, &it.name));
        let left = before.resources.values().filter(is_changed).filter(|it| !is_named(it));
        let remark = |it: &Resource| {
            let text = format!(
                "a failover changes `{}`, and nothing would change it back once the stack no longer names it: name it until the failback, and \
                 remove it after that",
                it.name.as_deref().unwrap_or_default()
            );
            Remark { address: it.address.to_string(), text }
        };
        Ok(left.map(remark).collect())
    }
}
