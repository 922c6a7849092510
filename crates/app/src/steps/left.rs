//! What a failover changed and the stack no longer names: parts of it, and settings of others.
//!
//! Nobody owns such settings, so no listing shows them: a role that a fence denied would stay denied
//! for good. The control bucket has their names until they are undone.

use std::collections::BTreeSet;

use drstack_core::control::StoreError;
use drstack_core::control::mode::KeptMode;
use drstack_core::control::undo::{self, Setting};
use drstack_core::graph::Graph;
use drstack_core::kind::Role;
use drstack_core::objective::{Mode, Standing};
use drstack_core::plan::{Intent, Options};

use crate::failure::{Failure, Status, store_failure};
use crate::planned::PlanOutcome;
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

    /// Fails if an apply or a failback would leave a setting as runs changed it, or if the record of
    /// the failover names what the stack does not.
    pub(super) async fn expect_nothing_left(
        &self,
        options: &Options,
        want: &Graph,
        mode: &KeptMode,
    ) -> Result<(), Failure> {
        self.expect_named(options, &mode.standing())?;
        let leaves = match options.intent {
            Intent::Converge => options.mode == Mode::Active,
            Intent::Failback => true,
            Intent::Destroy | Intent::Failover | Intent::PlannedFailover => false,
        };
        if !leaves {
            return Ok(());
        }
        let unknown = |why: String| {
            self.warn(&format!(
                "warning: {why}, so nobody knows whether the stack named other roles in `deny_writers`: name every role that is denied"
            ));
        };
        let changed = match undo::settings(&*self.store).await {
            Ok(changed) => changed,
            Err(error @ StoreError::Broken { .. }) => {
                unknown(error.to_string());
                return Ok(());
            }
            Err(error) => return Err(store_failure(&error)),
        };
        if mode.doubt.is_some() && changed.is_empty() {
            unknown(format!("`{}` has lost what it recorded", self.stack.facts.control));
        }
        let is_named = |it: &&Setting| {
            want.resources.values().any(|now| now.kind == it.kind && now.name.as_ref() == Some(&it.name))
        };
        let Some(left) = changed.iter().find(|it| !is_named(it)) else { return Ok(()) };
        let message = format!(
            "{}: runs have changed `{}` since the failover, and nothing would change it back once the stack no longer names it",
            left.address, left.name
        );
        let hint = "name it until the failback, and remove it after that";
        Err(Failure::new(Status::NotReady, message, hint))
    }

    /// Writes down what a run of `planned` changes and only a failback undoes, before the run.
    pub(super) async fn keep_what_to_undo(&self, planned: &PlanOutcome) -> Result<(), Failure> {
        if planned.options.mode != Mode::Active {
            return Ok(());
        }
        let is_undone_by_a_failback = |kind: &str| {
            let kind = self.kinds.get(kind);
            kind.is_some_and(|it| {
                it.role() == Role::Setting && it.needs_both_regions() && it.traffic().is_none()
            })
        };
        let graph = &planned.compiled.graph.resources;
        let changed = planned.plan.steps.iter().filter(|step| is_undone_by_a_failback(&step.kind));
        let changed = changed.filter_map(|step| graph.get(&step.address));
        let settings: BTreeSet<Setting> = changed
            .filter_map(|it| {
                let (kind, address) = (it.kind.clone(), it.address.clone());
                Some(Setting { kind, name: it.name.clone()?, address })
            })
            .collect();
        if settings.is_empty() {
            return Ok(());
        }
        undo::add(&*self.store, settings).await.map_err(|error| store_failure(&error))
    }
}
