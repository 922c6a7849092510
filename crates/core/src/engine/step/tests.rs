//! What a step promises to the run that takes over from its own.

use std::sync::Mutex;

use futures_util::future::{BoxFuture, FutureExt};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::unbounded_channel;

use super::*;
use crate::address::Address;
use crate::budget::{AT_ONCE, PER_SECOND};
use crate::cloud::{Captured, Owner, Read};
use crate::control::ControlStore;
use crate::control::memory::Memory;
use crate::engine::journal::{Entry, Journal, seal};
use crate::engine::launches::Launches;
use crate::engine::pace::Pace;
use crate::facts::FactQuery;
use crate::kind::{Erased, Kind, Lookup, Operation, Place};

/// Instances.
#[derive(Clone, Serialize, Deserialize)]
struct Size(u32);

struct Pool;

impl Kind for Pool {
    const NAME: &'static str = "pool";
    const SUMMARY: &'static str = "a toy that launches instances";
    const LOOKUP: Lookup = Lookup::Name;
    const OPERATIONS: &'static [Operation] = &[];
    type Spec = Size;
    type Live = Size;

    fn diff(spec: &Size, live: &Size) -> Vec<FieldChange> {
        FieldChange::of("size", &live.0, &spec.0).into_iter().collect()
    }
    fn expect(spec: &Size, _id: &str) -> Size {
        spec.clone()
    }
    fn launches(spec: &Size, live: Option<&Size>) -> u32 {
        spec.0.saturating_sub(live.map_or(0, |live| live.0))
    }
}

/// A pool of which seven instances come up, and no error says why there are no more.
struct Slow;

impl Kind for Slow {
    const NAME: &'static str = "slow";
    const SUMMARY: &'static str = "a toy that is never whole";
    const LOOKUP: Lookup = Lookup::Name;
    const OPERATIONS: &'static [Operation] = &[];
    type Spec = Size;
    type Live = Size;

    fn diff(_: &Size, _: &Size) -> Vec<FieldChange> {
        Vec::new()
    }
    fn expect(spec: &Size, _id: &str) -> Size {
        spec.clone()
    }
    fn ready(spec: &Size, _: &Size) -> Readiness {
        match spec.0 <= 7 {
            true => Readiness::Ready,
            false => Readiness::Waiting(format!("7 of {}", spec.0)),
        }
    }
    fn ladder(spec: &Size) -> Vec<Rung<Size>> {
        let rung = |size: u32| Rung { name: format!("at least {size}"), spec: Size(size) };
        if spec.0 == 10 { vec![rung(9), rung(6), rung(5)] } else { vec![rung(8)] }
    }
}

/// A region with one pool, and the sizes that it was told to have.
#[derive(Default)]
struct Region(Mutex<Vec<u32>>);

impl Region {
    fn told(&self, spec: &Value) {
        self.0.lock().unwrap().push(serde_json::from_value::<Size>(spec.clone()).unwrap().0);
    }

    fn pool(&self) -> Found {
        let size = self.0.lock().unwrap().last().copied().unwrap_or(0);
        let owner = Owner::Ours(Address::parse("pool.p/pool").unwrap());
        Found { id: "p".to_owned(), owner, live: size.into() }
    }
}

impl Cloud for Region {
    fn read<'a>(&'a self, _: &'static str, _: &'a Scope, _: Place, _: &'a [String]) -> BoxFuture<'a, Read> {
        async { vec![Ok(Some(self.pool()))] }.boxed()
    }
    fn list_owned<'a>(
        &'a self,
        _: &'static str,
        _: &'a Scope,
        _: Place,
        _: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Found>, CloudError>> {
        async { Ok(vec![self.pool()]) }.boxed()
    }
    fn create<'a>(
        &'a self,
        _: &'static str,
        _: &'a Call,
        spec: &'a Value,
    ) -> BoxFuture<'a, Result<Found, CloudError>> {
        self.told(spec);
        async { Ok(self.pool()) }.boxed()
    }
    fn update<'a>(
        &'a self,
        _: &'static str,
        _: &'a Call,
        _: &'a str,
        spec: &'a Value,
        _: &'a [FieldChange],
    ) -> BoxFuture<'a, Result<(), CloudError>> {
        self.told(spec);
        async { Ok(()) }.boxed()
    }
    fn delete<'a>(
        &'a self,
        _: &'static str,
        _: &'a Call,
        _: &'a str,
    ) -> BoxFuture<'a, Result<(), CloudError>> {
        async { Ok(()) }.boxed()
    }
    fn capture<'a>(
        &'a self,
        _: &'a Scope,
        _: &'a FactQuery,
    ) -> BoxFuture<'a, Result<Option<Captured>, CloudError>> {
        async { Ok(None) }.boxed()
    }
    fn control(&self, _: &Scope, _: &str) -> Arc<dyn ControlStore> {
        Arc::new(Memory::default())
    }
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

/// What wants ten instances of an account that may launch none now.
fn job(action: Action, permit: Permit) -> Job {
    let begin = Instant::now();
    let budget = Launches::new(begin).of("us-west-2");
    assert!(budget.take_at_once(AT_ONCE));
    let step = Step {
        address: Address::parse("pool.p/pool").unwrap(),
        kind: "pool".to_owned(),
        place: Place::Standby,
        region: "us-west-2".to_owned(),
        action,
        reason: String::new(),
        changes: Vec::new(),
        spec: 10.into(),
        id: Some("p".to_owned()),
        needs: Vec::new(),
        after: Vec::new(),
        replaces: false,
        estimate: 0.0,
        token: String::new(),
        tier: 1,
    };
    Job {
        id: 0,
        spec: step.spec.clone(),
        step,
        kind: &Erased::<Pool>::NEW,
        scope: Scope {
            stack: "fleet".into(),
            primary: "us-east-1".into(),
            standby: "us-west-2".into(),
            secrets: Arc::default(),
        },
        notes: unbounded_channel().0,
        permit,
        not_before: None,
        line: Pace::new(begin).line("pool", "us-west-2"),
        budget,
        insist: true,
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_launches_starts_nothing_once_its_run_was_taken_over() {
    for (action, is_taken_over) in
        [Action::Create, Action::Update].into_iter().flat_map(|it| [(it, false), (it, true)])
    {
        let store = Arc::new(Memory::default());
        let mut journal = Journal::new(store.clone(), "r");
        let (region, begin) = (Region::default(), Instant::now());
        let run = job(action, journal.permit()).run(&region);
        let others = async {
            sleep(Duration::from_secs(2)).await;
            assert_eq!(*region.0.lock().unwrap(), [0; 0], "it waits for launches");
            if is_taken_over {
                seal(&*store, "r", "next").await.unwrap();
                journal.append(&[Entry::RunFinished { at: region.now() }]).await.unwrap_err();
            }
        };
        let (ended, ()) = tokio::join!(run, others);
        assert_eq!(begin.elapsed().as_secs(), u64::from(10 / PER_SECOND));
        let told = region.0.lock().unwrap().clone();
        match (is_taken_over, ended.result) {
            (false, Ok(_)) => assert_eq!(told, [10]),
            (true, Err(StepError::NeverReady { message })) => {
                assert_eq!((told, message.contains("another run took over")), (vec![], true), "{message}");
            }
            (_, result) => panic!("{action:?}, taken over {is_taken_over}: {result:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_too_late_is_no_failure_where_a_rung_is_content_with_what_is_there() {
    let store = Arc::new(Memory::default());
    let journal = Journal::new(store, "r");
    for (wanted, climbed) in [(10, Some("at least 6: not ready after 120 s: 7 of 10")), (20, None)] {
        let budget = Launches::new(Instant::now()).of("us-west-2");
        let job = job(Action::Create, journal.permit());
        let job = Job { kind: &Erased::<Slow>::NEW, spec: wanted.into(), budget, ..job };
        match job.run(&Region::default()).await.result {
            Ok(left) => assert_eq!(left.climbed, climbed.as_slice()),
            Err(StepError::Deadline { waiting_for, .. }) => {
                assert_eq!((waiting_for.as_str(), climbed), ("7 of 20", None));
            }
            Err(other) => panic!("{other}"),
        }
    }
}
