//! State: the world, its clock, and what this run remembers of its own calls.

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

/// When every world begins: 2026-01-01T00:00:00Z. A fixed moment, so that runs repeat to the byte.
const EPOCH: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// What does not change while the sim runs.
pub(crate) struct Terms {
    pub(crate) kinds: KindRegistry,
    pub(crate) config: SimConfig,
}

/// All that changes while the sim runs.
pub(crate) struct State {
    pub(crate) terms: Arc<Terms>,
    pub(crate) world: World,
    pub(crate) disk: Option<Disk>,
    /// The world's age when this run began.
    pub(crate) begun: u64,
    /// Regions that are lost now.
    pub(crate) down: BTreeSet<String>,
    /// Every attempt of this run.
    pub(crate) calls: Vec<CallRecord>,
    /// Whether calls do not say which account they expect to own a bucket.
    pub(crate) trusting: bool,
    /// Whether nothing may leave the standby region any more.
    pub(crate) alone: bool,
    /// What was not sent because of that.
    pub(crate) refused: Vec<RefusedCall>,
    /// How often each fault's calls have matched, in the order of the settings.
    pub(crate) matched: Vec<u64>,
    /// How often the very same call was made.
    pub(crate) repeats: BTreeMap<String, u64>,
    /// Calls a region accepts at once, and the age at which that was so.
    pub(crate) allowance: BTreeMap<String, (f64, u64)>,
    /// How many attempts were throttled, by kind and region.
    pub(crate) throttled: BTreeMap<(String, String), u64>,
    /// True once the program has died.
    pub(crate) stopped: bool,
    /// What is being worked on, by the age at which something of it is finished.
    pub(crate) working: BTreeSet<(u64, Key)>,
    /// Exchanges that have stopped until something else changes.
    pub(crate) stuck: BTreeSet<Key>,
    /// Where tokio's clock stood when the world's age was last brought up to it.
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

    /// The world's age in milliseconds, brought up to tokio's clock. Outside a runtime no time passes.
    pub(crate) fn age(&mut self) -> u64 {
        if tokio::runtime::Handle::try_current().is_ok() {
            let now = Instant::now();
            // Another runtime's clock may stand earlier: then time goes on from there.
            let passed = self.clock.map_or(Duration::ZERO, |clock| now.saturating_duration_since(clock));
            let whole = u64::try_from(passed.as_millis()).unwrap_or(0);
            self.world.age = self.world.age.saturating_add(whole);
            self.clock = Some(now - (passed - Duration::from_millis(whole)));
        }
        self.finish_work();
        self.world.age
    }

    /// What is finished by now reports so. Nothing is written down for it: what was says when.
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

    /// The same as wall-clock time.
    pub(crate) fn now(&mut self) -> Timestamp {
        let age = i64::try_from(self.age()).unwrap_or(i64::MAX);
        // A world too old for the calendar stays at the calendar's end.
        EPOCH.checked_add(jiff::SignedDuration::from_millis(age)).unwrap_or(Timestamp::MAX)
    }

    /// Makes `change` so, on disk first: what could not be written down has not happened.
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

    /// Refuses a bucket that another account owns, or what lies in it (`BUCKET/RULE`), as S3 does where a call names the owner that it
    /// expects.
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

    /// As [`State::commit`], for a call named `operation`.
    pub(crate) fn change(&mut self, operation: &str, change: Change) -> Result<(), CloudError> {
        self.commit(change).map_err(|error| CloudError::Other {
            operation: operation.to_owned(),
            message: format!("the simulated world cannot be written: {error}"),
        })
    }
}
