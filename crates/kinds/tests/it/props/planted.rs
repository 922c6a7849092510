//! Planted bugs: what the properties are there to find. Each is done to the program from outside, by what stands between
//! it and the cloud, so that nothing of it is in the product. For each a named property must fail.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use drstack_core::cloud::{Call, Scope, sha256};
use drstack_core::control::{Condition, ControlStore, StoreError, Stored, Version};
use drstack_core::kind::{Action, Place};
use drstack_core::observe::{Observed, Owned};
use drstack_core::plan::Plan;
use drstack_sim::Sim;
use futures_util::future::{BoxFuture, FutureExt};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::sleep;

/// A mistake that drstack does not make.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Flaw {
    /// Creations carry no idempotency token, so that the cloud takes each for another one.
    NoToken,
    /// Calls are made first, and their intents are written afterwards.
    LateJournal,
    /// What the stack owns and does not name any more is not looked for.
    NoOrphans,
    /// A replacement takes its predecessor away first.
    DeleteFirst,
    /// A run goes on when its lease has run out.
    NoLease,
    /// What belongs to somebody else counts as an orphan of this stack.
    TakesOthers,
    /// A lock is held until its holder gives it back.
    EndlessLock,
    /// A takeover looks at all regions.
    LooksAtPrimary,
    /// Steps start as if nothing was ever throttled.
    Deaf,
    /// A group is raised to all that it wants in one go.
    AllAtOnce,
    /// Spot instances go when on-demand ones are asked for, not once they serve.
    NoHold,
    /// A run asks whether it may call when a step begins, and not at each attempt; and it goes on when its lock is lost.
    AsksOnce,
    /// A takeover is done when its plan is, whatever calls of earlier runs land afterwards.
    LooksOnce,
    /// A group that goes back to spot ends an instance before it launches the one in its place.
    LaunchesLast,
}

/// `call` as it is sent.
pub(super) fn without_token(flaw: Option<Flaw>, call: &Call, now: Timestamp) -> Call {
    match flaw {
        Some(Flaw::NoToken) => {
            Call { token: sha256(format!("{now} {}", call.address).as_bytes()), ..call.clone() }
        }
        _ => call.clone(),
    }
}

/// `spec` as it is sent.
pub(super) fn all_at_once(flaw: Option<Flaw>, spec: &Value) -> Value {
    let mut spec = spec.clone();
    if flaw == Some(Flaw::AllAtOnce)
        && let Some(takeover) = spec.get_mut("takeover").and_then(Value::as_object_mut)
    {
        takeover.remove("up_to");
    }
    spec
}

/// How often calls were throttled, as the program hears of it.
pub(super) fn heard(flaw: Option<Flaw>, throttled: u64) -> u64 {
    if flaw == Some(Flaw::Deaf) { 0 } else { throttled }
}

/// Leaves out of `seen` what the graph does not name.
pub(super) fn skip_orphans(flaw: Option<Flaw>, seen: &mut Observed) {
    if flaw == Some(Flaw::NoOrphans) {
        seen.others.clear();
    }
}

/// Adds to `seen` what is there of others.
pub(super) fn take_others(flaw: Option<Flaw>, seen: &mut Observed, others: Vec<Owned>) {
    if flaw == Some(Flaw::TakesOthers) {
        seen.others.extend(others);
    }
}

/// Turns the edges of replacements round.
pub(super) fn delete_first(flaw: Option<Flaw>, plan: &mut Plan) {
    if flaw != Some(Flaw::DeleteFirst) {
        return;
    }
    let steps = plan.steps.clone();
    for (old, step) in
        steps.iter().enumerate().filter(|(_, step)| step.replaces && step.action == Action::Delete)
    {
        let is_new =
            |need: &usize| steps[*need].address == step.address && steps[*need].action == Action::Create;
        let Some(new) = step.needs.iter().copied().find(is_new) else { continue };
        plan.steps[old].needs.clear();
        plan.steps[new].needs.push(old);
    }
}

/// `changed`, and the spot instances of a group are gone as soon as the change has begun.
pub(super) async fn without_hold<T>(
    flaw: Option<Flaw>,
    sim: &Sim,
    kind: &'static str,
    scope: &Scope,
    id: &str,
    changed: impl Future<Output = T>,
) -> T {
    if flaw != Some(Flaw::NoHold) || kind != "group" {
        return changed.await;
    }
    let is_under_way = || {
        sim.see(|world| {
            let group = world.objects.get("group").and_then(|it| it.get(&*scope.standby)?.get(id));
            group.is_some_and(|it| it.then.is_some())
        })
    };
    let retired = async {
        while !is_under_way() {
            sleep(Duration::from_millis(10)).await;
        }
        sim.interrupt(kind, scope, Place::Standby, id, SignedDuration::from_mins(5), |live| {
            live["spot"] = 0.into();
        })
        .unwrap();
        std::future::pending::<std::convert::Infallible>().await
    };
    tokio::select! {
        done = changed => done,
        never = retired => match never {},
    }
}

/// Ends an instance of a group that was just changed, until another one is launched.
pub(super) fn launch_last(flaw: Option<Flaw>, sim: &Sim, kind: &'static str, scope: &Scope, id: &str) {
    if flaw == Some(Flaw::LaunchesLast) && kind == "group" {
        sim.interrupt(kind, scope, Place::Standby, id, SignedDuration::from_mins(5), |live| {
            let least = if live["on_demand"] == 0 { "spot" } else { "on_demand" };
            live[least] = live[least].as_u64().unwrap().saturating_sub(1).into();
        })
        .unwrap();
    }
}

/// `store`, or one that is late or keeps locks for ever.
pub(super) fn late(flaw: Option<Flaw>, store: Arc<dyn ControlStore>) -> Arc<dyn ControlStore> {
    match flaw {
        Some(Flaw::LateJournal) => Arc::new(Late { store, behind: Mutex::new(None) }),
        Some(Flaw::EndlessLock) => Arc::new(Endless(store)),
        _ => store,
    }
}

/// Stores each segment of a journal only when the next one comes.
struct Late {
    store: Arc<dyn ControlStore>,
    behind: Mutex<Option<(String, Vec<u8>)>>,
}

/// Stores locks that end in another century.
struct Endless(Arc<dyn ControlStore>);

impl ControlStore for Late {
    fn ensure(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.ensure()
    }
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.store.get(key)
    }
    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Vec<u8>,
        condition: Condition,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        async move {
            if !key.starts_with("runs/") {
                return self.store.put(key, body, condition).await;
            }
            let mine = Some((key.to_owned(), body));
            let behind =
                std::mem::replace(&mut *self.behind.lock().unwrap_or_else(PoisonError::into_inner), mine);
            match behind {
                Some((key, body)) => self.store.put(&key, body, condition).await,
                None => Ok(String::new()),
            }
        }
        .boxed()
    }
    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.delete(key)
    }
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.store.list(prefix)
    }
    fn destroy(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.destroy()
    }
}

impl ControlStore for Endless {
    fn ensure(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.ensure()
    }
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.0.get(key)
    }
    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Vec<u8>,
        condition: Condition,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        let mut body = body;
        if let Ok(mut lock) = serde_json::from_slice::<Value>(&body)
            && lock.get("until").is_some()
        {
            lock["until"] = "2199-01-01T00:00:00Z".into();
            body = lock.to_string().into_bytes();
        }
        self.0.put(key, body, condition)
    }
    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.delete(key)
    }
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.0.list(prefix)
    }
    fn destroy(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.destroy()
    }
}
