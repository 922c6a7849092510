//! Publishes or withdraws the bundle, which holds what a failover will need, signed.

use std::collections::{BTreeMap, BTreeSet};

use drstack_core::address::Address;
use drstack_core::bundle::{Bundle, untouched};
use drstack_core::cloud::Found;
use drstack_core::compile::compile;
use drstack_core::control::StoreError;
use drstack_core::control::lock::Lock;
use drstack_core::control::published::{Published, publish, published, withdraw};
use drstack_core::keys::PrivateKey;
use drstack_core::kind::Place;
use drstack_core::objective::{Mode, Standing};
use drstack_core::observe::{Look, look_again};
use drstack_core::plan::Intent;
use drstack_core::plan::Options;
use drstack_core::plan::skeleton::RehearsedPlan;
use drstack_core::plan::stability::{Beside, Rehearsal};
use drstack_core::stack::Stack;

use crate::failure::{Failure, Status, shape_failure, store_failure};
use crate::freshness::RENEWED;
use crate::open::refused;
use crate::planned::PlanOutcome;
use crate::session::Session;
use crate::steps::predict::rehearsed;
use crate::steps::then::BundleAction;

/// Returns the key that signs the bundle of `stack`; `None` if neither the stack nor the caller
/// names one.
///
/// # Errors
/// Returns an error if the stack demands another key, or a key and there is none.
pub fn signer(stack: &Stack, key: Option<PrivateKey>) -> Result<Option<PrivateKey>, Failure> {
    match (&stack.signing, &key) {
        (Some(wanted), None) => {
            let message =
                format!("the stack's bundle is signed by {wanted}, and its private key is not at hand");
            let hint = "name its file with `--signing-key FILE`, or in DRSTACK_SIGNING_KEY";
            Err(Failure::new(Status::Usage, message, hint))
        }
        (Some(wanted), Some(key)) if *wanted != key.public() => {
            let message =
                format!("the stack's bundle is signed by {wanted}, and this key is {}", key.public());
            let hint = "name the file of that key, or write this one into the stack: `signing` in `[stack]`";
            Err(Failure::new(Status::Usage, message, hint))
        }
        _ => Ok(key),
    }
}

impl Session {
    /// Publishes or withdraws the bundle under `lock`, after a complete run of `planned` that
    /// `made` its data.
    pub(crate) async fn conclude(
        &self,
        planned: &PlanOutcome,
        made: &BTreeMap<Address, Found>,
        lock: &mut Lock,
    ) -> Result<(), Failure> {
        if planned.then == BundleAction::Leave {
            return Ok(());
        }
        if planned.then == BundleAction::Withdraw {
            self.hold(lock).await?;
            return withdraw(&*self.store).await.map_err(|error| store_failure(&error));
        }
        let bundle = self.bundle(planned, made, &lock.holder().run).await?;
        let was = published(&*self.store).await.map_err(|error| store_failure(&error))?;
        let bytes = bundle.to_bytes().map_err(|error| refused(&error))?;
        let signature = self.signer.as_ref().map(|key| key.sign(&bytes));
        self.hold(lock).await?;
        publish(&*self.store, &was, bytes, signature.as_deref()).await.map_err(|error| {
            let hint = "run `drstack apply STACK` again: with nothing else to do it publishes the bundle";
            Failure::new(Status::Failed, format!("the bundle is not published: {error}"), hint)
        })?;
        tracing::debug!(run = bundle.run, signed = signature.is_some(), "published the bundle");
        Ok(())
    }

    /// Renews the lease right before publishing.
    ///
    /// Observing and signing can outlast it, and only the lock holder may publish. The clock is
    /// checked after the answer, which may take longer than the lease too.
    pub(crate) async fn hold(&self, lock: &mut Lock) -> Result<(), Failure> {
        lock.hold(|| self.now()).await.map_err(|error| self.lock_failure(&error))
    }

    /// Withdraws the bundle if a destroy had nothing else to do: the one before it failed at that.
    pub(crate) async fn withdraw_unchanged(
        &mut self,
        options: &Options,
        shown: PlanOutcome,
    ) -> Result<(), Failure> {
        let is_there = match published(&*self.store).await {
            Ok(Published { bundle, signatures, .. }) => bundle.is_some() || !signatures.is_empty(),
            Err(StoreError::NoBucket { .. }) => false,
            Err(error) => return Err(store_failure(&error)),
        };
        if shown.then != BundleAction::Withdraw || !is_there {
            return Ok(());
        }
        let _answering = self.answer_stops();
        let mut lock = self.lock(Intent::Destroy).await?;
        let done = self.publish_under(&mut lock, options, shown, false).await;
        let begun = lock.begun().clone();
        lock.release(&begun).await.map_err(|error| self.lock_failure(&error))?;
        done
    }

    /// Stores new levels and publishes the bundle if an apply had nothing else to do and the
    /// published bundle differs.
    pub(crate) async fn publish_unchanged(
        &mut self,
        options: &Options,
        shown: PlanOutcome,
    ) -> Result<(), Failure> {
        if shown.then != BundleAction::Publish {
            return Ok(());
        }
        let is_published = self.is_published(&shown).await?;
        if is_published && !shown.has_new_levels {
            return Ok(());
        }
        let _answering = self.answer_stops();
        let mut lock = match self.lock(Intent::Converge).await {
            Ok(lock) => lock,
            // The lock holder has observed the same and keeps it.
            Err(_) if is_published => return Ok(()),
            Err(failure) => return Err(failure),
        };
        let done = self.publish_under(&mut lock, options, shown, is_published).await;
        let begun = lock.begun().clone();
        lock.release(&begun).await.map_err(|error| self.lock_failure(&error))?;
        done
    }

    async fn publish_under(
        &mut self,
        lock: &mut Lock,
        options: &Options,
        shown: PlanOutcome,
        is_published: bool,
    ) -> Result<(), Failure> {
        let planned = if shown.still_stands_under(lock) { shown } else { self.plan(options).await? };
        match planned.plan.is_empty() && planned.report.blocked.is_empty() {
            true => {
                lock.confirm(|| self.cloud.now()).await.map_err(|error| self.lock_failure(&error))?;
                if options.intent == Intent::Converge {
                    self.keep_facts(&planned).await?;
                }
                if is_published {
                    return Ok(());
                }
                self.conclude(&planned, &BTreeMap::new(), lock).await
            }
            false => {
                let hint = "run it again to see what is to be done now";
                Err(Failure::new(Status::Locked, "the world changed while this plan was shown", hint))
            }
        }
    }

    /// True if the published bundle describes the same failover, has the signature that the stack
    /// demands, and is not due to be renewed.
    async fn is_published(&self, planned: &PlanOutcome) -> Result<bool, Failure> {
        let now = match published(&*self.store).await {
            Ok(Published { bundle: Some(bytes), signatures, .. }) => (bytes, signatures),
            Ok(_) | Err(StoreError::NoBucket { .. }) => return Ok(false),
            Err(error) => return Err(store_failure(&error)),
        };
        let signed = self.signer.as_ref().is_none_or(|key| key.public().check(&now.0, &now.1).is_ok());
        let wanted = self.bundle(planned, &BTreeMap::new(), "").await?;
        let is_recent = |it: &Bundle| wanted.applied_at.duration_since(it.applied_at) < RENEWED;
        // A bundle that cannot be read is published anew.
        let found = Bundle::from_bytes(&now.0);
        Ok(signed && found.is_ok_and(|it| is_recent(&it) && it.says_the_same_as(&wanted)))
    }

    /// True if a failover by the published bundle wants what it would want by one of now. What an apply itself
    /// changed in the primary, and the age of the bundle, make no other failover.
    pub(crate) async fn leads_the_same(&self, planned: &PlanOutcome) -> Result<bool, Failure> {
        let bytes = match published(&*self.store).await {
            Ok(Published { bundle: Some(bytes), .. }) => bytes,
            Ok(_) | Err(StoreError::NoBucket { .. }) => return Ok(false),
            Err(error) => return Err(store_failure(&error)),
        };
        let Ok(found) = Bundle::from_bytes(&bytes) else { return Ok(false) };
        let wanted = self.bundle(planned, &BTreeMap::new(), "").await?;
        let graph = |facts| compile(&self.stack, facts, Mode::Active).graph;
        let wants_the_same = graph(&found.facts) == graph(&wanted.facts);
        // What it predicts is no part of what it does.
        let Bundle { facts, rehearsed, .. } = wanted.clone();
        Ok(wants_the_same && Bundle { facts, rehearsed, ..found }.says_the_same_as(&wanted))
    }

    /// Returns the inputs of a failover from now on, once `planned` has `made` its data.
    async fn bundle(
        &self,
        planned: &PlanOutcome,
        made: &BTreeMap<Address, Found>,
        run: &str,
    ) -> Result<Bundle, Failure> {
        let mut elsewhere = planned.elsewhere.clone();
        let changed: BTreeSet<&Address> = planned.plan.steps.iter().map(|step| &step.address).collect();
        let resources = planned.compiled.graph.resources.values();
        let changed = resources.filter(|it| it.place != Place::Standby && changed.contains(&it.address));
        for (address, look) in look_again(&*self.cloud, &self.kinds, &self.scope, changed).await {
            let message = match look {
                Look::Present(found) => {
                    elsewhere.insert(address, found);
                    continue;
                }
                Look::Absent => format!("{address} is not there any more"),
                Look::Unknown(error) => format!("{address}: {error}"),
            };
            let hint = "run `drstack apply STACK` again: with nothing else to do it publishes the bundle";
            return Err(Failure::new(
                Status::Failed,
                format!("the bundle is not published: {message}"),
                hint,
            ));
        }
        let failover = self.skeleton(planned)?;
        let PlanOutcome { compiled, seen, plan, .. } = planned;
        let data = untouched(&compiled.graph, seen, plan, made, &failover, &self.kinds)
            .map_err(|error| shape_failure(&error))?;
        Ok(Bundle {
            drstack: env!("CARGO_PKG_VERSION").to_owned(),
            run: run.to_owned(),
            applied_at: self.now(),
            stack: self.stack.resolve(),
            facts: planned.facts.facts.clone(),
            elsewhere,
            data,
            rehearsed: Some(failover),
        })
    }

    /// Returns the rehearsed failover from the world that `planned` leaves.
    fn skeleton(&self, planned: &PlanOutcome) -> Result<RehearsedPlan, Failure> {
        let of = |rehearsal: &Rehearsal| RehearsedPlan::of(&rehearsal.plan, rehearsed(&rehearsal.plan).total);
        match &planned.rehearsal {
            Some(rehearsal) => Ok(of(rehearsal)),
            // While the standby region serves, the next failover counts: the one after a failback.
            None => {
                let facts = &planned.facts.facts;
                let standing = Standing::from(Mode::Standby);
                let epoch = standing.epoch.saturating_add(1);
                let standby = compile(&self.stack, facts, standing).graph;
                let active = self.as_it_serves(facts, epoch);
                Ok(of(&self.rehearsed(&standby, &active, &Beside::default())?))
            }
        }
    }
}
