//! State of a running sim: the world, its clock, and this run's own calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use drstack_core::calls::RefusedCall;
pub(crate) use drstack_core::calls::region;
use drstack_core::cloud::{CloudError, not_of_account};
use drstack_core::kind::KindRegistry;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::calls::CallRecord;
use crate::config::SimConfig;
use crate::disk::Disk;
use crate::world::{Change, Key, Object, World};

/// Start time of every world: 2026-01-01T00:00:00Z. Fixed, so that runs repeat to the byte.
const EPOCH: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// Constants of a running sim.
pub(crate) struct Terms {
    pub(crate) kinds: KindRegistry,
    pub(crate) config: SimConfig,
}

/// Variables of a running sim.
pub(crate) struct State {
    pub(crate) terms: Arc<Terms>,
    pub(crate) world: World,
    pub(crate) disk: Option<Disk>,
    /// Age of the world when this run began.
    pub(crate) begun: u64,
    /// Regions that are lost now.
    pub(crate) down: BTreeSet<String>,
    /// Every attempt of this run.
    pub(crate) calls: Vec<CallRecord>,
    /// True if calls omit the account that they expect to own a bucket.
    pub(crate) trusting: bool,
    /// True once calls may not leave the standby region.
    pub(crate) alone: bool,
    /// Calls that were refused because of that.
    pub(crate) refused: Vec<RefusedCall>,
    /// Number of matching calls per fault, in the order of the settings.
    pub(crate) matched: Vec<u64>,
    /// Number of repetitions per identical call.
    pub(crate) repeats: BTreeMap<String, u64>,
    /// Remaining allowance of calls per region, and the age of that value.
    pub(crate) allowance: BTreeMap<String, (f64, u64)>,
    /// Throttled attempts, by kind and region.
    pub(crate) throttled: BTreeMap<(String, String), u64>,
    /// True once the program has died.
    pub(crate) stopped: bool,
    /// Resources with work in progress, by the age at which a part of it is done.
    pub(crate) working: BTreeSet<(u64, Key)>,
    /// Exchanges that have stopped until something else changes.
    pub(crate) stuck: BTreeSet<Key>,
    /// Tokio's clock at the last update of the world's age.
    clock: Option<Instant>,
}

impl State {
    pub(crate) fn new(world: World, disk: Option<Disk>, terms: Arc<Terms>) -> Self {
        let changing = world.all().filter(|(_, object)| object.then.is_some() || object.exchange.is_some());
        let working =
            changing.flat_map(|(key, object)| object.due().map(move |at| (at, key.clone()))).collect();
        Self {
            begun: world.age,
            world,
            disk,
            down: terms.config.down.clone(),
            calls: Vec::new(),
            trusting: false,
            alone: false,
            refused: Vec::new(),
            matched: vec![0; terms.config.faults.len()],
            repeats: BTreeMap::new(),
            allowance: BTreeMap::new(),
            throttled: BTreeMap::new(),
            stopped: false,
            working,
            stuck: BTreeSet::new(),
            clock: None,
            terms,
        }
    }

    /// Returns the world's age in milliseconds, updated from tokio's clock. Outside a runtime no
    /// time passes.
    pub(crate) fn age(&mut self) -> u64 {
        if tokio::runtime::Handle::try_current().is_ok() {
            let now = Instant::now();
            // Another runtime's clock may be earlier: then time continues from there.
            let passed = self.clock.map_or(Duration::ZERO, |clock| now.saturating_duration_since(clock));
            let whole = u64::try_from(passed.as_millis()).unwrap_or(0);
            self.world.age = self.world.age.saturating_add(whole);
            self.clock = Some(now - (passed - Duration::from_millis(whole)));
        }
        self.finish_work();
        self.world.age
    }

    /// Updates what is done by now. Nothing is logged for it: the stored object says when it is
    /// done.
    fn finish_work(&mut self) {
        while let Some((at, key)) = self.working.first().cloned().filter(|(at, _)| *at <= self.world.age) {
            self.working.pop_first();
            let Some(object) = self.world.get(&key) else { continue };
            if let Some(live) = object.then.clone().filter(|_| object.ready == at) {
                let object = Box::new(Object { live, then: None, ..object.clone() });
                self.world.apply(Change::Put { key: key.clone(), object });
            }
            self.exchange(at, &key);
        }
    }

    /// Returns the same as wall-clock time.
    pub(crate) fn now(&mut self) -> Timestamp {
        let age = i64::try_from(self.age()).unwrap_or(i64::MAX);
        // A world too old for the calendar stays at the calendar's end.
        EPOCH.checked_add(jiff::SignedDuration::from_millis(age)).unwrap_or(Timestamp::MAX)
    }

    /// Applies `change`, on disk first: a change that cannot be stored has not happened.
    pub(crate) fn commit(&mut self, change: Change) -> std::io::Result<()> {
        let age = self.age();
        if let Some(disk) = &mut self.disk {
            disk.append(age, &change)?;
        }
        if let Change::Put { key, object } = &change {
            self.working.extend(object.due().map(|at| (at, key.clone())));
        }
        let is_of_objects = matches!(change, Change::Put { .. } | Change::Drop(_));
        self.world.apply(change);
        if is_of_objects {
            self.wake(age);
        }
        Ok(())
    }

    /// Refuses a bucket of another account, or something in it (`BUCKET/RULE`).
    ///
    /// S3 does the same if a call names the owner that it expects.
    pub(crate) fn expect_own(&self, operation: &str, id: &str) -> Result<(), CloudError> {
        let bucket = id.split('/').next().unwrap_or_default();
        let account = &self.terms.config.account;
        match self.world.accounts.get(bucket) {
            Some(owner) if owner != account && !self.trusting => Err(CloudError::Denied {
                operation: operation.to_owned(),
                message: not_of_account(bucket, account),
            }),
            _ => Ok(()),
        }
    }

    /// Like [`State::commit`], for a call named `operation`.
    pub(crate) fn change(&mut self, operation: &str, change: Change) -> Result<(), CloudError> {
        self.commit(change).map_err(|error| CloudError::Other {
            operation: operation.to_owned(),
            message: format!("the simulated world cannot be written: {error}"),
        })
    }
}
