//! The machine between a program and the simulated cloud. It records what the program does, and can
//! fall asleep.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use drstack_core::address::Address;
use drstack_core::calls::{CallNote, Calls, RefusedCall};
use drstack_core::cloud::{Call, Captured, Cloud, CloudError, Found, Owner, Read, Scope};
use drstack_core::control::journal::Entry;
use drstack_core::control::lease::Permit;
use drstack_core::control::record;
use drstack_core::control::{Condition, ControlStore, StoreError, Stored, Version};
use drstack_core::facts::FactQuery;
use drstack_core::kind::{FieldChange, Place};
use drstack_core::observe::Owned;
use drstack_core::sides::{Copied, Sides};
use drstack_sim::{Astray, Holder, Sim};
use futures_util::future::{BoxFuture, FutureExt};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::planted::{self, Flaw};
use super::sequence::Watch;
use super::service::Service;

/// An operator's machine with its cloud. Clones share the machine.
#[derive(Clone)]
pub(crate) struct OperatorCloud {
    sim: Sim,
    flaw: Option<Flaw>,
    nap: Option<Nap>,
    /// Counts the instances in service before and after each call.
    service: Option<Service>,
    /// Receives each change that begins.
    watch: Option<Watch>,
    /// True if others use this cloud at the same time, so that the cloud is not restricted to the
    /// standby region.
    shared: bool,
    log: Arc<Mutex<Log>>,
    asleep: Arc<watch::Sender<Option<Instant>>>,
}

/// A sleep of the machine: it begins with the answer of this number and lasts `span`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nap {
    pub(crate) answer: u64,
    pub(crate) span: Duration,
}

#[derive(Default)]
struct Log {
    answers: u64,
    /// Tokens whose intents are stored.
    intents: BTreeSet<String>,
    /// Changes that were started.
    changes: Vec<Started>,
    /// Changes that ended well.
    done: BTreeSet<String>,
    /// Keys that were written.
    writes: Vec<(Timestamp, String)>,
}

/// A change that the program started.
#[derive(Clone, Debug)]
pub(crate) struct Started {
    pub(crate) at: Timestamp,
    pub(crate) what: String,
    /// True if its intent was stored before.
    pub(crate) intended: bool,
}

impl OperatorCloud {
    pub(crate) fn at(sim: &Sim, flaw: Option<Flaw>, nap: Option<Nap>) -> Self {
        planted::name_no_owner(flaw, sim);
        let asleep = Arc::new(watch::Sender::new(None));
        Self {
            sim: sim.seat(None),
            flaw,
            nap,
            service: None,
            watch: None,
            shared: false,
            log: Arc::default(),
            asleep,
        }
    }

    /// Returns this machine, with `service` watching the instances in service.
    pub(crate) fn watching(self, service: &Service) -> Self {
        Self { service: Some(service.clone()), ..self }
    }

    /// Returns this machine, with `watch` checking the order of its changes.
    pub(crate) fn in_order(self, watch: &Watch) -> Self {
        Self { watch: Some(watch.clone()), ..self }
    }

    /// Returns this machine, with one of its changes going astray.
    pub(crate) fn astray(self, astray: Astray) -> Self {
        Self { sim: self.sim.seat(Some(astray)), ..self }
    }

    /// Returns the machine's connection to the simulated cloud.
    pub(crate) fn seat(&self) -> &Sim {
        &self.sim
    }

    /// Returns this machine, for a cloud that another machine calls at the same time.
    pub(crate) fn beside_others(self) -> Self {
        Self { shared: true, ..self }
    }

    /// Ends when the machine falls asleep.
    pub(crate) async fn falls_asleep(&self) {
        self.asleep.subscribe().wait_for(Option::is_some).await.unwrap();
    }

    /// Changes that were started.
    pub(crate) fn changes(&self) -> Vec<Started> {
        self.log().changes.clone()
    }

    /// Returns the keys of the control bucket that were written, with the time of each write.
    pub(crate) fn writes(&self) -> Vec<(Timestamp, String)> {
        self.log().writes.clone()
    }

    /// Returns other owners' VPCs, as if they were orphans of this stack.
    pub(crate) fn others(&self) -> Vec<Owned> {
        let world = self.sim.world();
        let all = world.objects.get("vpc").into_iter().flat_map(BTreeMap::values).flatten();
        let theirs = all.filter(|(_, object)| object.owner == Holder::Foreign).map(|(id, object)| Owned {
            kind: "vpc",
            place: Place::Standby,
            address: Address::parse("network.theirs/vpc").unwrap(),
            found: Found { id: id.clone(), owner: Owner::Foreign, live: object.live.clone() },
        });
        theirs.collect()
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }

    /// Pauses on the machine's own clock, which stands still while the machine sleeps.
    pub(crate) async fn rest(&self, span: Duration) {
        sleep(span).await;
        let until = *self.asleep.borrow();
        if let Some(until) = until.filter(|until| *until > Instant::now()) {
            sleep_until(until + span / 2).await;
        }
    }

    /// Waits until the machine is awake.
    async fn awake(&self) {
        let until = *self.asleep.borrow();
        if let Some(until) = until {
            sleep_until(until).await;
        }
    }

    /// Sends a call and receives its answer, each once the machine is awake.
    async fn ask<T>(&self, call: impl Future<Output = T>) -> T {
        self.awake().await;
        self.watch();
        self.answered(call.await).await
    }

    fn watch(&self) {
        if let Some(service) = &self.service {
            service.look(&self.sim);
        }
    }

    /// Makes a change, unless it writes the second mode record: that comes before any change and is
    /// journaled as little as the first one.
    async fn change_of<T>(
        &self,
        what: &str,
        call: &Call,
        done: impl Future<Output = Result<T, CloudError>>,
    ) -> Result<T, CloudError> {
        match call.address == record::address() {
            true => self.ask(done).await,
            false => self.change(format!("{what} {}", call.address), &call.token, done).await,
        }
    }

    /// Makes a change. Unlike a read it is sent even if the machine has just fallen asleep, since
    /// the decision to send it was made before.
    async fn change<T>(
        &self,
        what: String,
        token: &str,
        call: impl Future<Output = Result<T, CloudError>>,
    ) -> Result<T, CloudError> {
        let at = self.sim.now();
        let intended = self.log().intents.contains(token);
        if let Some(watch) = &self.watch {
            let done = self.log().done.clone();
            watch.begins(&what, &done, &self.sim);
        }
        self.log().changes.push(Started { at, what: what.clone(), intended });
        self.watch();
        let answer = call.await;
        if answer.is_ok() {
            self.log().done.insert(what);
        }
        self.answered(answer).await
    }

    async fn answered<T>(&self, answer: T) -> T {
        self.watch();
        let answers = {
            let mut log = self.log();
            log.answers += 1;
            log.answers
        };
        if let Some(nap) = self.nap.filter(|nap| nap.answer == answers) {
            self.asleep.send_replace(Some(Instant::now() + nap.span));
        }
        self.awake().await;
        answer
    }
}

impl Cloud for OperatorCloud {
    fn read<'a>(
        &'a self,
        kind: &'static str,
        scope: &'a Scope,
        place: Place,
        ids: &'a [String],
    ) -> BoxFuture<'a, Read> {
        async move {
            let there = self.ask(self.sim.read(kind, scope, place, ids)).await;
            planted::trust_absence(self.flaw, kind, scope, ids, there)
        }
        .boxed()
    }

    fn list_owned<'a>(
        &'a self,
        kind: &'static str,
        scope: &'a Scope,
        place: Place,
        except: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Found>, CloudError>> {
        self.ask(self.sim.list_owned(kind, scope, place, except)).boxed()
    }

    fn create<'a>(
        &'a self,
        kind: &'static str,
        call: &'a Call,
        spec: &'a Value,
    ) -> BoxFuture<'a, Result<Found, CloudError>> {
        async move {
            let sent = planted::without_token(self.flaw, call, self.sim.now());
            let spec = planted::all_at_once(self.flaw, spec);
            let made = self.sim.create(kind, &sent, &spec);
            self.change_of("create", call, made).await
        }
        .boxed()
    }

    fn update<'a>(
        &'a self,
        kind: &'static str,
        call: &'a Call,
        id: &'a str,
        spec: &'a Value,
        changes: &'a [FieldChange],
    ) -> BoxFuture<'a, Result<(), CloudError>> {
        let changed = async move {
            let spec = planted::all_at_once(self.flaw, spec);
            let sent = planted::with_old_tags(self.flaw, call, changes);
            let changed = self.sim.update(kind, &sent, id, &spec, changes);
            let changed = planted::without_hold(self.flaw, &self.sim, kind, &call.scope, id, changed).await;
            planted::launch_last(self.flaw, &self.sim, kind, &call.scope, id);
            changed
        };
        async move { self.change_of("update", call, changed).await }.boxed()
    }

    fn delete<'a>(
        &'a self,
        kind: &'static str,
        call: &'a Call,
        id: &'a str,
    ) -> BoxFuture<'a, Result<(), CloudError>> {
        let gone = self.sim.delete(kind, call, id);
        self.change(format!("delete {} {id}", call.address), &call.token, gone).boxed()
    }

    fn capture<'a>(
        &'a self,
        scope: &'a Scope,
        query: &'a FactQuery,
    ) -> BoxFuture<'a, Result<Option<Captured>, CloudError>> {
        self.ask(self.sim.capture(scope, query)).boxed()
    }

    fn sides<'a>(
        &'a self,
        scope: &'a Scope,
        copied: &'a Copied,
        since: Option<Timestamp>,
    ) -> BoxFuture<'a, Result<Sides, CloudError>> {
        async move {
            let sides = self.ask(self.sim.sides(scope, copied, since)).await?;
            Ok(planted::drained(self.flaw, sides))
        }
        .boxed()
    }

    fn control(&self, scope: &Scope, bucket: &str) -> Arc<dyn ControlStore> {
        let drawer = OperatorStore { desk: self.clone(), store: self.sim.control(scope, bucket) };
        planted::late(self.flaw, Arc::new(drawer))
    }

    fn record_kind(&self) -> &'static str {
        self.sim.record_kind()
    }

    fn now(&self) -> Timestamp {
        let (slept, now) = (self.nap.map(|nap| nap.span), self.sim.now());
        let has_slept = self.asleep.borrow().is_some_and(|until| until <= Instant::now());
        planted::told_time(self.flaw, now, slept.filter(|_| has_slept).unwrap_or_default())
    }

    fn consistency(&self) -> Duration {
        self.sim.consistency()
    }
}

impl Calls for OperatorCloud {
    fn throttled(&self, kind: &str, scope: &Scope, place: Place) -> u64 {
        planted::heard(self.flaw, self.sim.throttled(kind, scope, place))
    }

    fn under(&self, permit: Option<Permit>) {
        if planted::asks(self.flaw) {
            self.sim.under(permit);
        }
    }

    fn restrict_to_standby(&self) {
        if !self.shared {
            self.sim.restrict_to_standby();
        }
    }

    fn refused(&self) -> Vec<RefusedCall> {
        self.sim.refused()
    }

    fn calls(&self) -> Vec<CallNote> {
        Calls::calls(&self.sim)
    }
}

/// The control bucket, as the machine reads and writes it.
struct OperatorStore {
    desk: OperatorCloud,
    store: Arc<dyn ControlStore>,
}

impl OperatorStore {
    fn wrote(&self, key: &str, body: &[u8]) {
        let mut log = self.desk.log();
        log.writes.push((self.desk.sim.now(), key.to_owned()));
        for line in body.split(|byte| *byte == b'\n') {
            if let Ok(Entry::Intent { token, .. }) = serde_json::from_slice(line) {
                log.intents.insert(token);
            }
        }
    }
}

impl ControlStore for OperatorStore {
    fn ensure(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.desk.ask(self.store.ensure()).boxed()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.desk.ask(self.store.get(key)).boxed()
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Vec<u8>,
        condition: Condition,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        self.desk
            .ask(async move {
                let stored = self.store.put(key, body.clone(), condition).await;
                // A lost answer may hide a write that succeeded.
                if !matches!(stored, Err(StoreError::Refused { .. })) {
                    self.wrote(key, &body);
                }
                stored
            })
            .boxed()
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.desk.ask(self.store.delete(key)).boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.desk.ask(self.store.list(prefix)).boxed()
    }

    fn destroy(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.desk.ask(self.store.destroy()).boxed()
    }
}
