//! The control store of the sim: conditional reads and writes as in S3, in the world's standby
//! region.

use drstack_core::cloud::{CloudError, Scope, sha256};
use drstack_core::control::{Condition, ControlStore, StoreError, Version};
use drstack_core::kind::Place;
use futures_util::future::{BoxFuture, FutureExt};

use crate::gate::{Asked, GET, Pass};
use crate::operation::Operation;
use crate::sim::Sim;
use crate::state::State;
use crate::world::{Body, Bucket, Change};

/// One control bucket.
pub(crate) struct SimControl {
    sim: Sim,
    scope: Scope,
    bucket: String,
}

impl SimControl {
    pub(crate) fn new(sim: Sim, scope: Scope, bucket: String) -> Self {
        Self { sim, scope, bucket }
    }

    /// Makes one call. `what` is its kind in faults and in the call log.
    async fn call<T>(
        &self,
        what: &str,
        subject: &str,
        effect: impl FnOnce(&mut State, &Pass) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (operation, place) = (Operation::Control, Place::Standby);
        let asked = Asked { operation, kind: what, place, region: &self.scope.standby, subject };
        let pass = self.sim.admit(&asked).await?;
        let answer = {
            let mut state = self.sim.state();
            match state.expect_own(&asked.name(), &self.bucket) {
                Ok(()) => effect(&mut state, &pass),
                Err(error) => Err(error.into()),
            }
        };
        // A refusal is an answer too.
        self.sim.release(&pass, &asked).await?;
        answer
    }

    fn there<'w>(&self, state: &'w State) -> Result<&'w Bucket, StoreError> {
        let missing = || StoreError::NoBucket { bucket: self.bucket.clone() };
        state.world.buckets.get(&self.bucket).ok_or_else(missing)
    }
}

/// Like S3's ETag: the same bytes have the same version.
fn version(body: &[u8]) -> Version {
    format!("\"{}\"", &sha256(body)[..32])
}

impl ControlStore for SimControl {
    fn ensure(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.call("ensure", &self.bucket, |state, _| {
            let region = self.scope.standby.to_string();
            if let Some(bucket) = state.world.buckets.get(&self.bucket) {
                if bucket.region == region {
                    return Ok(());
                }
                let message = format!("bucket {} lies in {}, not in {region}", self.bucket, bucket.region);
                return Err(CloudError::Conflict { operation: "ensure:control".to_owned(), message }.into());
            }
            let (name, stack) = (self.bucket.clone(), self.scope.stack.to_string());
            Ok(state.change("ensure:control", Change::Bucket { name, stack, region })?)
        })
        .boxed()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<(Vec<u8>, Version)>, StoreError>> {
        self.call(GET, key, move |state, pass| {
            let body = self.there(state)?.objects.get(key);
            let some = |body: &[u8]| body[..body.len() / if pass.garbled { 2 } else { 1 }].to_vec();
            Ok(body.map(|body| (some(body.bytes()), version(body.bytes()))))
        })
        .boxed()
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Vec<u8>,
        condition: Condition,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        self.call("put", key, move |state, _| {
            let stored = self.there(state)?.objects.get(key).map(|body| version(body.bytes()));
            let holds = match condition {
                Condition::Always => true,
                Condition::Absent => stored.is_none(),
                Condition::Matches(wanted) => stored == Some(wanted),
            };
            if !holds {
                return Err(StoreError::Refused { key: key.to_owned() });
            }
            let new = version(&body);
            let (bucket, key) = (self.bucket.clone(), key.to_owned());
            state.change("put:control", Change::Store { bucket, key, body: Body::new(body) })?;
            Ok(new)
        })
        .boxed()
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.call("delete", key, move |state, _| {
            if self.there(state)?.objects.contains_key(key) {
                let (bucket, key) = (self.bucket.clone(), key.to_owned());
                state.change("delete:control", Change::Remove { bucket, key })?;
            }
            Ok(())
        })
        .boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.call("list", prefix, move |state, _| {
            let keys = self.there(state)?.objects.keys();
            Ok(keys.filter(|key| key.starts_with(prefix)).cloned().collect())
        })
        .boxed()
    }

    fn destroy(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.call("destroy", &self.bucket, |state, _| {
            if state.world.buckets.contains_key(&self.bucket) {
                state.change("destroy:control", Change::NoBucket(self.bucket.clone()))?;
            }
            Ok(())
        })
        .boxed()
    }
}
