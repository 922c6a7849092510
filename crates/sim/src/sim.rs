//! The sim: a world, its settings, and the operations of other tools on it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drstack_core::cloud::{Found, Scope};
use drstack_core::component::Seed;
use drstack_core::facts::FactQuery;
use drstack_core::kind::{KindRegistry, Place};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::watch;

use crate::arn::placed;
use crate::calls::CallRecord;
use crate::config::{SimConfig, millis};
use crate::disk::{Disk, WorldError};
use crate::seat::{Astray, Seat};
use crate::state::{State, Terms, region};
use crate::world::{Change, Holder, Key, Object, World};

/// A simulated cloud. Clones share the same cloud.
///
/// Assumes: it runs on [`crate::runtime`]. Guarantees: the same seed and the same calls make the
/// same world; the effect of an answered call is on disk, if the world has a folder; no call reads
/// the machine's clock.
#[derive(Clone)]
pub struct Sim {
    inner: Arc<Inner>,
    seat: Arc<Seat>,
}

struct Inner {
    terms: Arc<Terms>,
    state: Mutex<State>,
    died: watch::Sender<bool>,
}

impl Sim {
    /// Opens the world in `folder`, or creates it. Adds the `seeds` that the world has never had.
    pub fn open(
        folder: &Path,
        config: SimConfig,
        kinds: KindRegistry,
        scope: &Scope,
        seeds: Vec<Seed>,
    ) -> Result<Self, WorldError> {
        let (disk, world) = Disk::open(folder)?;
        let sim = Self::start(world, Some(disk), config, kinds)?;
        sim.plant(scope, seeds)?;
        Ok(sim)
    }

    /// Creates a world that is not stored.
    pub fn in_memory(
        config: SimConfig,
        kinds: KindRegistry,
        scope: &Scope,
        seeds: Vec<Seed>,
    ) -> Result<Self, WorldError> {
        let sim = Self::start(World::default(), None, config, kinds)?;
        sim.plant(scope, seeds)?;
        Ok(sim)
    }

    /// Copies the world as the next program finds it, with other settings. The copy has no folder.
    pub fn restart(&self, config: SimConfig) -> Result<Self, WorldError> {
        Self::start(self.world(), None, config, self.inner.terms.kinds.clone())
    }

    fn start(
        mut world: World,
        disk: Option<Disk>,
        config: SimConfig,
        kinds: KindRegistry,
    ) -> Result<Self, WorldError> {
        let run = world.runs + 1;
        if world.runs > 0 {
            world.age = world.age.saturating_add(millis(config.between_runs));
        }
        let terms = Arc::new(Terms { kinds, config });
        let mut state = State::new(world, disk, terms.clone());
        commit(&mut state, Change::Run(run))?;
        let inner = Inner { terms, state: Mutex::new(state), died: watch::Sender::new(false) };
        Ok(Self { inner: Arc::new(inner), seat: Arc::new(Seat::new(None)) })
    }

    /// Returns the same cloud for another program, one of whose changes may go astray.
    pub fn seat(&self, astray: Option<Astray>) -> Self {
        Self { inner: Arc::clone(&self.inner), seat: Arc::new(Seat::new(astray)) }
    }

    /// Waits until the change that goes astray has begun.
    pub async fn goes_astray(&self) {
        self.seat.goes_astray().await;
    }

    /// Returns when this seat sent its attempts at changes.
    pub fn attempts(&self) -> Vec<Timestamp> {
        self.seat.attempts()
    }

    pub(crate) fn own_seat(&self) -> &Seat {
        &self.seat
    }

    /// Writes the world into one file.
    ///
    /// Closing does the same; a killed program leaves world and log, which together hold the same
    /// state.
    pub fn save(&self) -> Result<(), WorldError> {
        self.state().save()
    }

    /// Returns a copy of the current world.
    pub fn world(&self) -> World {
        self.see(World::clone)
    }

    /// Calls `look` with the current world, without a copy: for frequent callers.
    pub fn see<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        let mut state = self.state();
        state.age();
        look(&state.world)
    }

    /// Returns owner and live value of all resources by `region/kind/id`, without times and tokens.
    pub fn inventory(&self) -> BTreeMap<String, (Holder, Value)> {
        let state = self.state();
        state
            .world
            .all()
            .map(|(key, object)| (key.text(), (object.owner.clone(), object.live.clone())))
            .collect()
    }

    /// Returns every attempt of every call since this run began.
    pub fn calls(&self) -> Vec<CallRecord> {
        self.state().calls.clone()
    }

    /// Loses a region: nothing there answers from now on. `global` means the services of the whole
    /// partition.
    pub fn lose(&self, region: &str) {
        self.state().down.insert(region.to_owned());
    }

    /// Brings a lost region back.
    pub fn restore(&self, region: &str) {
        self.state().down.remove(region);
    }

    /// Waits until the program must die, as `kill_at` and `kill_after` say. From then on no call
    /// answers.
    ///
    /// A test drops what it was running and continues with [`Sim::restart`]; the program exits.
    pub async fn stopped(&self) {
        let mut died = self.inner.died.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = died.wait_for(|died| *died).await;
    }

    /// Gives a bucket of this name, existing or not, to another account.
    pub fn give(&self, bucket: &str, account: &str) -> Result<(), WorldError> {
        let (bucket, account) = (bucket.to_owned(), account.to_owned());
        commit(&mut self.state(), Change::Account { bucket, account })
    }

    /// Lets calls from now on omit the account that they expect to own a bucket.
    pub fn trust_names(&self) {
        self.state().trusting = true;
    }

    /// Stores a resource as another tool would, in place of any existing one.
    pub fn put(&self, kind: &str, scope: &Scope, place: Place, found: &Found) -> Result<(), WorldError> {
        let key = Key::new(kind, region(scope, place), &found.id);
        let mut state = self.state();
        let now = state.age();
        let object = Object {
            owner: Holder::of(&found.owner, &scope.stack),
            links: self.kind_links(kind, &found.live)?,
            live: placed(found.live.clone(), &self.config().account, region(scope, place)),
            then: None,
            created: now,
            ready: now,
            token: String::new(),
            runs: BTreeMap::new(),
            exchange: None,
        };
        commit(&mut state, Change::Put { key, object: Box::new(object) })
    }

    /// Changes a live value as another tool would; `false` if the resource does not exist.
    pub fn edit(
        &self,
        kind: &str,
        scope: &Scope,
        place: Place,
        id: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<bool, WorldError> {
        let key = Key::new(kind, region(scope, place), id);
        let mut state = self.state();
        let Some(mut object) = state.world.get(&key).cloned() else { return Ok(false) };
        object.then = None;
        change(&mut object.live);
        object.links = self.kind_links(kind, &object.live)?;
        commit(&mut state, Change::Put { key, object: Box::new(object) })?;
        Ok(true)
    }

    /// Changes a live value for `span`, as an interruption of instances does; `false` if the
    /// resource does not exist.
    ///
    /// Work in progress continues. Afterwards the value is as before, or as it was to become.
    pub fn interrupt(
        &self,
        kind: &str,
        scope: &Scope,
        place: Place,
        id: &str,
        span: SignedDuration,
        change: impl FnOnce(&mut Value),
    ) -> Result<bool, WorldError> {
        let key = Key::new(kind, region(scope, place), id);
        let mut state = self.state();
        let now = state.age();
        let Some(mut object) = state.world.get(&key).cloned() else { return Ok(false) };
        let before = object.live.clone();
        object.then.get_or_insert(before);
        object.ready = object.ready.max(now + millis(span));
        change(&mut object.live);
        object.links = self.kind_links(kind, &object.live)?;
        commit(&mut state, Change::Put { key, object: Box::new(object) })?;
        Ok(true)
    }

    /// Deletes a resource as another tool would, whatever refers to it; `false` if it does not
    /// exist.
    pub fn remove(&self, kind: &str, scope: &Scope, place: Place, id: &str) -> Result<bool, WorldError> {
        let key = Key::new(kind, region(scope, place), id);
        let mut state = self.state();
        let was_there = state.world.get(&key).is_some();
        if was_there {
            commit(&mut state, Change::Drop(key))?;
        }
        Ok(was_there)
    }

    /// Changes the answer to a fact; `None` means that its object does not exist.
    pub fn set_fact(&self, query: &FactQuery, value: Option<Value>) -> Result<(), WorldError> {
        let key = query.key();
        let mut state = self.state();
        let of_a_region = regional("", &key);
        let regions: Vec<String> =
            state.world.facts.keys().filter(|it| it.ends_with(&of_a_region)).cloned().collect();
        for key in regions {
            commit(&mut state, Change::NoFact(key))?;
        }
        let change = match value {
            Some(value) => Change::Fact { key, value },
            None => Change::NoFact(key),
        };
        commit(&mut state, change)
    }

    fn plant(&self, scope: &Scope, seeds: Vec<Seed>) -> Result<(), WorldError> {
        for seed in seeds {
            let mark = match &seed {
                Seed::Resource { kind, place, found } => {
                    Key::new(kind, region(scope, *place), &found.id).text()
                }
                Seed::Fact { query, .. } => format!("fact/{}", query.key()),
            };
            let known = |world: &World| match &seed {
                Seed::Resource { kind, place, found } => {
                    world.get(&Key::new(kind, region(scope, *place), &found.id)).is_some()
                }
                Seed::Fact { query, .. } => world.facts.contains_key(&query.key()),
            };
            if self.state().world.seeded.contains(&mark) {
                self.plant_elsewhere(scope, &seed)?;
                continue;
            }
            if !known(&self.state().world) {
                match &seed {
                    Seed::Resource { kind, place, found } => self.put(kind, scope, *place, found)?,
                    Seed::Fact { query, value } => self.set_fact(query, Some(value.clone()))?,
                }
            }
            commit(&mut self.state(), Change::Seeded(mark))?;
            if let Seed::Fact { query, .. } = &seed {
                let mark = regional(region(scope, query.place), &query.key());
                commit(&mut self.state(), Change::Seeded(mark))?;
            }
        }
        Ok(())
    }

    /// Plants a fact of a region that the world has not seen yet, beside that of another region.
    fn plant_elsewhere(&self, scope: &Scope, seed: &Seed) -> Result<(), WorldError> {
        let Seed::Fact { query, value } = seed else { return Ok(()) };
        let key = regional(region(scope, query.place), &query.key());
        let mut state = self.state();
        if state.world.seeded.contains(&key) {
            return Ok(());
        }
        commit(&mut state, Change::Fact { key: key.clone(), value: value.clone() })?;
        commit(&mut state, Change::Seeded(key))
    }

    fn kind_links(&self, kind: &str, live: &Value) -> Result<Vec<String>, WorldError> {
        Ok(self.inner.terms.kinds.get(kind).map(|kind| kind.links(live)).transpose()?.unwrap_or_default())
    }

    /// Kills the program: no call answers any more.
    pub(crate) async fn die(&self) -> std::convert::Infallible {
        self.state().stopped = true;
        self.inner.died.send_replace(true);
        std::future::pending().await
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Every change is whole, so a panic elsewhere leaves the state valid.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn config(&self) -> &SimConfig {
        &self.inner.terms.config
    }

    pub(crate) fn kinds(&self) -> &KindRegistry {
        &self.inner.terms.kinds
    }
}

impl State {
    fn save(&mut self) -> Result<(), WorldError> {
        self.age();
        match &mut self.disk {
            Some(disk) if disk.is_dirty() => disk.fold(&self.world).map_err(|source| disk.error(source)),
            _ => Ok(()),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = state.save() {
            // Nothing is lost: the log still has all changes.
            tracing::warn!(target: "drstack", %error, "the simulated world stays unfolded");
        }
    }
}

/// Returns the key of a fact of one region, where the world knows that of another.
pub(crate) fn regional(region: &str, key: &str) -> String {
    format!("{region}:{key}")
}

fn commit(state: &mut State, change: Change) -> Result<(), WorldError> {
    state.commit(change).map_err(|source| match &state.disk {
        Some(disk) => disk.error(source),
        None => WorldError::Io { path: std::path::PathBuf::new(), source },
    })
}
