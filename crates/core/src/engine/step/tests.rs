//! Tests of what a step guarantees to the run that takes the lock from its own.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::unbounded_channel;

use super::*;
use crate::address::Address;
use crate::budget::{AT_ONCE, PER_SECOND};
use crate::calls::Calls;
use crate::cloud::{Captured, Owner, Read};
use crate::control::ControlStore;
use crate::control::journal::{Entry, Journal, seal};
use crate::control::memory::Memory;
use crate::engine::launches::Launches;
use crate::engine::pace::Pace;
use crate::facts::FactQuery;
use crate::kind::{Capabilities, Capacity, Demand, Erased, Halfway, Kind, Lookup, Operation, Place, Staged};

/// Number of instances.
#[derive(Clone, Serialize, Deserialize)]
struct Size(u32);

struct Pool;

impl Kind for Pool {
    const NAME: &'static str = "pool";
    const SUMMARY: &'static str = "a toy that launches instances";
    const LOOKUP: Lookup = Lookup::Name;
    const OPERATIONS: &'static [Operation] = &[];
    const CAPABILITIES: Capabilities = Capabilities {
        capacity: Some(&Erased::<Self>::NEW),
        staged: Some(&Erased::<Self>::NEW),
        ..Capabilities::NONE
    };
    type Spec = Size;
    type Live = Size;

    fn diff(spec: &Size, live: &Size) -> Vec<FieldChange> {
        FieldChange::of("size", &live.0, &spec.0).into_iter().collect()
    }
    fn expect(spec: &Size, _id: &str) -> Size {
        spec.clone()
    }
}

impl Staged for Pool {
    fn halfway(_spec: &Size, _id: &str) -> Vec<Halfway<Size>> {
        vec![Halfway::untagged(Size(0))]
    }
}

/// That many, of no type in particular.
fn instances(size: &Size) -> Demand {
    Demand { types: Vec::new(), weights: BTreeMap::new(), count: size.0, on_demand: 0 }
}

impl Capacity for Pool {
    fn demand(spec: &Size) -> Demand {
        instances(spec)
    }
    fn serving(live: &Size) -> u32 {
        live.0
    }
    fn by_hand(_spec: &Size, _region: &str) -> String {
        String::new()
    }
    fn during(spec: &Size, _id: &str, _before: &Size) -> Size {
        spec.clone()
    }
    fn launches(spec: &Size, live: Option<&Size>) -> u32 {
        spec.0.saturating_sub(live.map_or(0, |live| live.0))
    }
}

/// A pool that gets only seven instances, without an error that says why.
struct Slow;

impl Kind for Slow {
    const NAME: &'static str = "slow";
    const SUMMARY: &'static str = "a toy that is never whole";
    const LOOKUP: Lookup = Lookup::Name;
    const OPERATIONS: &'static [Operation] = &[];
    const CAPABILITIES: Capabilities =
        Capabilities { capacity: Some(&Erased::<Self>::NEW), ..Capabilities::NONE };
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
}

impl Capacity for Slow {
    fn demand(spec: &Size) -> Demand {
        instances(spec)
    }
    fn serving(_: &Size) -> u32 {
        7
    }
    fn by_hand(_spec: &Size, _region: &str) -> String {
        String::new()
    }
    fn during(spec: &Size, _id: &str, _before: &Size) -> Size {
        spec.clone()
    }
    fn ladder(spec: &Size) -> Vec<Rung<Size>> {
        let rung = |size: u32| Rung { name: format!("at least {size}"), spec: Size(size) };
        if spec.0 == 10 { vec![rung(9), rung(6), rung(5)] } else { vec![rung(8)] }
    }
}

/// An object whose id AWS chooses, and whose creation has no token.
struct Vpc;

impl Kind for Vpc {
    const NAME: &'static str = "vpc";
    const SUMMARY: &'static str = "a toy that each call makes anew";
    const LOOKUP: Lookup = Lookup::Tag;
    const OPERATIONS: &'static [Operation] = &[];
    type Spec = Size;
    type Live = Size;

    fn diff(spec: &Size, live: &Size) -> Vec<FieldChange> {
        FieldChange::replacing("size", &live.0, &spec.0).into_iter().collect()
    }
    fn expect(spec: &Size, _id: &str) -> Size {
        spec.clone()
    }
}

/// A region with one pool.
#[derive(Default)]
struct Region {
    /// How the answer to the first creation is lost.
    lost: Option<Lost>,
    /// Sizes that it was asked for.
    told: Mutex<Vec<u32>>,
    /// Error for every creation of a pool.
    refusal: Option<CloudError>,
    /// When reads start to show what a refused creation left; `None` if it left nothing.
    shows_from: Option<Instant>,
}

/// How the answer to the first creation is lost.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lost {
    AfterEffect,
    BeforeEffect,
    /// The client has repeated the call, and only the answer to that one is heard.
    Repeated,
    /// The object is there, and the creation asks for another call.
    Unfinished,
}

impl Region {
    fn told(&self, spec: &Value) {
        self.told.lock().unwrap().push(serde_json::from_value::<Size>(spec.clone()).unwrap().0);
    }

    fn pool(&self) -> Found {
        let size = self.told.lock().unwrap().last().copied().unwrap_or(0);
        let owner = Owner::Ours(Address::parse("pool.p/pool").unwrap());
        Found { id: "p".to_owned(), owner, live: size.into() }
    }
}

impl Cloud for Region {
    fn read<'a>(&'a self, _: &'static str, _: &'a Scope, _: Place, _: &'a [String]) -> BoxFuture<'a, Read> {
        let shows = self.refusal.is_none() || self.shows_from.is_some_and(|from| from <= Instant::now());
        async move { vec![Ok(shows.then(|| self.pool()))] }.boxed()
    }
    fn list_owned<'a>(
        &'a self,
        _: &'static str,
        _: &'a Scope,
        _: Place,
        _: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Found>, CloudError>> {
        let is_made = self.lost != Some(Lost::BeforeEffect) || self.told.lock().unwrap().len() > 1;
        async move { Ok(if is_made { vec![self.pool()] } else { Vec::new() }) }.boxed()
    }
    fn create<'a>(
        &'a self,
        _: &'static str,
        _: &'a Call,
        spec: &'a Value,
    ) -> BoxFuture<'a, Result<Found, CloudError>> {
        self.told(spec);
        let is_lost = self.lost.is_some() && self.told.lock().unwrap().len() == 1;
        let unanswered = || CloudError::Unreachable {
            operation: "ec2:CreateVpc".to_owned(),
            region: "us-west-2".to_owned(),
            message: "connection reset".to_owned(),
        };
        let in_the_way = || CloudError::Invalid {
            operation: "ec2:CreateSubnet".to_owned(),
            code: "InvalidSubnet.Conflict".to_owned(),
            message: "the CIDR conflicts with another subnet".to_owned(),
        };
        let unfinished = || CloudError::Conflict {
            operation: "ec2:CreateFleet".to_owned(),
            message: "6 of 8 instances launched".to_owned(),
        };
        let lost = match self.lost {
            Some(Lost::Repeated) => in_the_way(),
            Some(Lost::Unfinished) => unfinished(),
            _ => unanswered(),
        };
        let refusal = self.refusal.clone().or(is_lost.then_some(lost));
        async { refusal.map_or_else(|| Ok(self.pool()), Err) }.boxed()
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
    fn record_kind(&self) -> &'static str {
        "text"
    }
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

impl Calls for Region {}

/// A job that wants ten instances in an account whose launch budget is empty.
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
        raise: None,
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
        retry_transient: true,
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_launches_starts_nothing_once_its_lock_was_taken() {
    for (action, is_sealed) in
        [Action::Create, Action::Update].into_iter().flat_map(|it| [(it, false), (it, true)])
    {
        let store = Arc::new(Memory::default());
        let mut journal = Journal::new(store.clone(), "r");
        let (region, begin) = (Region::default(), Instant::now());
        let run = job(action, journal.permit()).run(&region);
        let others = async {
            sleep(Duration::from_secs(2)).await;
            assert_eq!(*region.told.lock().unwrap(), [0; 0], "it waits for launches");
            if is_sealed {
                seal(&*store, "r", "next").await.unwrap();
                journal.append(&[Entry::RunFinished { at: region.now() }]).await.unwrap_err();
            }
        };
        let (ended, ()) = tokio::join!(run, others);
        assert_eq!(begin.elapsed().as_secs(), u64::from(10 / PER_SECOND));
        let told = region.told.lock().unwrap().clone();
        match (is_sealed, ended.result) {
            (false, Ok(_)) => assert_eq!(told, [10]),
            (true, Err(StepError::NeverReady { message })) => {
                assert_eq!(
                    (told, message.contains("another run took the lock")),
                    (vec![], true),
                    "{message}"
                );
            }
            (_, result) => panic!("{action:?}, sealed {is_sealed}: {result:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_creation_left_nothing_only_where_no_look_can_miss_what_it_left() {
    let operation = || "s3:PutBucketTagging".to_owned();
    let denied = CloudError::Denied { operation: operation(), message: String::new() };
    let unanswered = CloudError::Unreachable {
        operation: operation(),
        region: "us-west-2".to_owned(),
        message: "no answer".to_owned(),
    };
    // A call without an answer may land at any time.
    for (refusal, shows, without_trace) in
        [(&denied, None, true), (&denied, Some(8), false), (&unanswered, None, false)]
    {
        let journal = Journal::new(Arc::new(Memory::default()), "r");
        let launched = u64::from(10 / PER_SECOND);
        let shows_from = shows.map(|seconds| Instant::now() + Duration::from_secs(launched + seconds));
        let region = Region { refusal: Some(refusal.clone()), shows_from, ..Region::default() };
        let ended = job(Action::Create, journal.permit()).run(&region).await;
        assert!(ended.result.is_err());
        assert_eq!(ended.without_trace, without_trace, "{refusal}, shows after {shows:?} s");
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

/// F12: a reset after the effect, of a creation that each call repeats.
#[tokio::test(start_paused = true)]
async fn a_creation_without_an_answer_is_looked_for_before_it_is_repeated() {
    let expected =
        [(Lost::AfterEffect, 1), (Lost::BeforeEffect, 2), (Lost::Repeated, 1), (Lost::Unfinished, 2)];
    for (lost, calls) in expected {
        for retry_transient in [false, true] {
            let journal = Journal::new(Arc::new(Memory::default()), "r");
            let region = Region { lost: Some(lost), ..Region::default() };
            let job = job(Action::Create, journal.permit());
            let job = Job { kind: &Erased::<Vpc>::NEW, retry_transient, ..job };
            let ended = job.run(&region).await;
            assert_eq!(ended.result.map(|it| it.id).unwrap(), "p");
            assert_eq!(region.told.lock().unwrap().len(), calls, "{lost:?}");
        }
    }
}
