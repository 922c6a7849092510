//! The driver contract of the sim: each call is admitted, takes effect, takes its time and is
//! answered.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use drstack_core::calls::{CallNote, Calls, RefusedCall};
use drstack_core::cloud::{Call, Captured, Cloud, CloudError, Found, Presence, Read, Scope, Secrets};
use drstack_core::control::ControlStore;
use drstack_core::control::lease::Permit;
use drstack_core::facts::FactQuery;
use drstack_core::kind::{DynKind, FieldChange, Place};
use drstack_core::sides::{Copied, Sides};
use drstack_core::supply::{Supply, Wanted};
use futures_util::future::{BoxFuture, FutureExt, TryFutureExt};
use jiff::Timestamp;
use serde_json::Value;

use crate::backlog;
use crate::calls::CallRecord;
use crate::config::duration;
use crate::control::SimControl;
use crate::effect::Effect;
use crate::gate::Asked;
use crate::operation::Operation;
use crate::sim::{Sim, regional};
use crate::state::{State, region};
use crate::supply;
use crate::world::Key;

/// Most ids in one bulk call, as with most bulk calls of AWS.
const BULK: usize = 100;

/// Effect of a change.
enum Work<'a> {
    /// Creates by call number `usize` of the creation.
    Create(Cow<'a, Value>, usize),
    Update(Cow<'a, str>, Cow<'a, Value>),
    Delete(Cow<'a, str>),
}

impl Work<'_> {
    fn into_owned(self) -> Work<'static> {
        match self {
            Self::Create(spec, number) => Work::Create(Cow::Owned(spec.into_owned()), number),
            Self::Update(id, spec) => {
                Work::Update(Cow::Owned(id.into_owned()), Cow::Owned(spec.into_owned()))
            }
            Self::Delete(id) => Work::Delete(Cow::Owned(id.into_owned())),
        }
    }
}

impl Cloud for Sim {
    fn read<'a>(
        &'a self,
        kind: &'static str,
        scope: &'a Scope,
        place: Place,
        ids: &'a [String],
    ) -> BoxFuture<'a, Read> {
        async move {
            let mut answers = Read::with_capacity(ids.len());
            for ids in ids.chunks(BULK) {
                answers.extend(self.read_bulk(kind, scope, place, ids).await);
            }
            answers
        }
        .boxed()
    }

    fn exist<'a>(
        &'a self,
        kind: &'static str,
        scope: &'a Scope,
        place: Place,
        ids: &'a [String],
    ) -> BoxFuture<'a, Vec<Result<Presence, CloudError>>> {
        async move {
            let replication = self.kinds().get(kind).and_then(|kind| kind.replication());
            let presence = |found: Option<Found>| {
                let Some(found) = found else { return Presence::Absent };
                let why = replication.and_then(|it| it.unwell(&found.live).ok().flatten());
                why.map_or(Presence::There, Presence::Unwell)
            };
            self.read(kind, scope, place, ids).await.into_iter().map(|it| it.map(presence)).collect()
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
        async move {
            let region = region(scope, place);
            let asked = Asked { operation: Operation::List, kind, place, region, subject: &scope.stack };
            let pass = self.admit(&asked).await?;
            let mut found = {
                let mut state = self.state();
                state.age();
                state.owned(self.config(), kind, scope, place)
            };
            let except: BTreeSet<&String> = except.iter().collect();
            found.retain(|found| !except.contains(&found.id));
            // S3 lists only the caller's own buckets.
            found.retain(|found| self.state().expect_own("", &found.id).is_ok());
            self.release(&pass, &asked).await?;
            Ok(found)
        }
        .boxed()
    }

    fn create<'a>(
        &'a self,
        kind: &'static str,
        call: &'a Call,
        spec: &'a Value,
    ) -> BoxFuture<'a, Result<Found, CloudError>> {
        async move {
            let mut number = 0;
            loop {
                let work = Work::Create(Cow::Borrowed(spec), number);
                let made = self.change(Operation::Create, kind, call, call.address.as_str(), work).await?;
                if let Some(found) = made {
                    return Ok(found);
                }
                number += 1;
            }
        }
        .boxed()
    }

    fn update<'a>(
        &'a self,
        kind: &'static str,
        call: &'a Call,
        id: &'a str,
        spec: &'a Value,
        _changes: &'a [FieldChange],
    ) -> BoxFuture<'a, Result<(), CloudError>> {
        async move {
            let work = Work::Update(Cow::Borrowed(id), Cow::Borrowed(spec));
            let [before, after] = self.held(kind, call, id, spec)?;
            tokio::time::sleep(before).await;
            self.change(Operation::Update, kind, call, id, work).await?;
            tokio::time::sleep(after).await;
            Ok(())
        }
        .boxed()
    }

    fn delete<'a>(
        &'a self,
        kind: &'static str,
        call: &'a Call,
        id: &'a str,
    ) -> BoxFuture<'a, Result<(), CloudError>> {
        let work = Work::Delete(Cow::Borrowed(id));
        self.change(Operation::Delete, kind, call, id, work).map_ok(drop).boxed()
    }

    fn capture<'a>(
        &'a self,
        scope: &'a Scope,
        query: &'a FactQuery,
    ) -> BoxFuture<'a, Result<Option<Captured>, CloudError>> {
        async move {
            let (operation, place) = (Operation::Capture, query.place);
            let region = region(scope, place);
            let asked = Asked { operation, kind: &query.kind, place, region, subject: &query.name };
            let pass = self.admit(&asked).await?;
            let value = {
                let state = self.state();
                match *query == FactQuery::account() {
                    true => Ok(Some(Value::from(self.config().account.as_str()))),
                    false => state.expect_own(&asked.name(), &query.name).map(|()| {
                        let (key, facts) = (query.key(), &state.world.facts);
                        let answer = facts.get(&regional(region, &key)).or_else(|| facts.get(&key));
                        answer.map(|it| self.config().answered(&key, it))
                    }),
                }
            };
            self.release(&pass, &asked).await?;
            Ok(value?.map(|value| Captured { value, secrets: Secrets::default() }))
        }
        .boxed()
    }

    /// Compares the two sides; a call to a lost region is not answered.
    fn sides<'a>(
        &'a self,
        scope: &'a Scope,
        copied: &'a Copied,
        since: Option<Timestamp>,
    ) -> BoxFuture<'a, Result<Sides, CloudError>> {
        async move {
            for place in [Place::Primary, Place::Standby] {
                let (operation, region) = (Operation::Read, region(scope, place));
                let asked = Asked { operation, kind: copied.unit, place, region, subject: &copied.name };
                let pass = self.admit(&asked).await?;
                self.release(&pass, &asked).await?;
            }
            let (age, now) = {
                let mut state = self.state();
                for name in [&copied.name, &copied.copy] {
                    state.expect_own("object:read", name)?;
                }
                (state.age() - state.begun, state.now())
            };
            Ok(backlog::sides(self.config().backlog.get(&copied.name), copied, age, now, since))
        }
        .boxed()
    }

    /// Answers for the standby region; as one call on `supply`, which a fault may select.
    fn supply<'a>(&'a self, scope: &'a Scope, wanted: &'a [Wanted]) -> BoxFuture<'a, Supply> {
        async move {
            let (operation, place) = (Operation::Read, Place::Standby);
            let region = region(scope, place);
            let asked = Asked { operation, kind: "supply", place, region, subject: &scope.stack };
            let answer = async {
                let pass = self.admit(&asked).await?;
                let supply = supply::supply(self.config(), &self.state(), region, wanted);
                self.release(&pass, &asked).await.map(|()| supply)
            };
            answer.await.unwrap_or_else(|error| {
                let unknown = vec![("instance types and quotas".to_owned(), error)];
                Supply { unknown, ..Supply::default() }
            })
        }
        .boxed()
    }

    fn control(&self, scope: &Scope, bucket: &str) -> Arc<dyn ControlStore> {
        Arc::new(SimControl::new(self.clone(), scope.clone(), bucket.to_owned()))
    }

    fn record_kind(&self) -> &'static str {
        self.kinds().text_keeper()
    }

    fn now(&self) -> Timestamp {
        self.state().now()
    }

    fn consistency(&self) -> Duration {
        duration(self.config().lag)
    }
}

impl Calls for Sim {
    fn throttled(&self, kind: &str, scope: &Scope, place: Place) -> u64 {
        let by = (kind.to_owned(), region(scope, place).to_owned());
        self.state().throttled.get(&by).copied().unwrap_or(0)
    }

    fn under(&self, permit: Option<Permit>) {
        self.own_seat().under(permit);
    }

    fn restrict_to_standby(&self) {
        self.state().alone = true;
    }

    fn refused(&self) -> Vec<RefusedCall> {
        self.state().refused.clone()
    }

    fn calls(&self) -> Vec<CallNote> {
        self.state().calls.iter().map(CallRecord::note).collect()
    }
}

impl Sim {
    async fn read_bulk(&self, kind: &str, scope: &Scope, place: Place, ids: &[String]) -> Read {
        let (operation, region, subject) = (Operation::Read, region(scope, place), ids.join(","));
        let asked = Asked { operation, kind, place, region, subject: &subject };
        let every = |error: CloudError| ids.iter().map(|_| Err(error.clone())).collect();
        let pass = match self.admit(&asked).await {
            Ok(pass) => pass,
            Err(error) => return every(error),
        };
        let missing = |number: usize| pass.partial && number.is_multiple_of(2);
        let answers = {
            let mut state = self.state();
            state.age();
            ids.iter()
                .enumerate()
                .map(|(number, id)| match missing(number) {
                    true => Err(CloudError::Other {
                        operation: asked.name(),
                        message: format!("simulated, for {id}"),
                    }),
                    false => state
                        .expect_own(&asked.name(), id)
                        .map(|()| state.look(self.config(), kind, scope, place, id)),
                })
                .collect()
        };
        match self.release(&pass, &asked).await {
            Ok(()) => answers,
            Err(error) => every(error),
        }
    }

    /// Changes one resource: waits for earlier work, takes effect, and answers when its own work is
    /// done.
    async fn change(
        &self,
        operation: Operation,
        kind: &'static str,
        call: &Call,
        subject: &str,
        work: Work<'_>,
    ) -> Result<Option<Found>, CloudError> {
        let (place, region) = (call.place, region(&call.scope, call.place));
        let asked = Asked { operation, kind, place, region, subject };
        let dyn_kind: &'static dyn DynKind = self.kinds().get(kind).ok_or_else(|| CloudError::Invalid {
            operation: asked.name(),
            code: "UnknownKind".to_owned(),
            message: format!("no kind is called {kind}"),
        })?;
        let pass = self.admit(&asked).await?;
        let name = asked.name();
        let ended = match pass.late {
            Some(span) => self.lands_late(span, dyn_kind, call.clone(), name, work.into_owned()).await,
            None => {
                self.sleep_until(|state| {
                    state.world.get(&Key::new(kind, region, subject)).map_or(0, |object| object.ready)
                })
                .await;
                self.land(dyn_kind, call, &name, &work)
            }
        };
        // A refusal is an answer too.
        self.release(&pass, &asked).await?;
        let (answer, done) = ended?;
        self.sleep_until(|_| done).await;
        Ok(answer)
    }

    /// Returns how long a change of traffic waits before its next share and after it, as the gate
    /// of a ramp does. The simulated sides answer well all the time.
    fn held(
        &self,
        kind: &'static str,
        call: &Call,
        id: &str,
        spec: &Value,
    ) -> Result<[Duration; 2], CloudError> {
        let none = [Duration::ZERO; 2];
        let Some(traffic) = self.kinds().get(kind).and_then(|it| it.traffic()) else { return Ok(none) };
        let state = self.state();
        let object = state.world.get(&Key::new(kind, region(&call.scope, call.place), id));
        let Some(object) = object else { return Ok(none) };
        traffic.held(spec, &object.live).map_err(|error| CloudError::Other {
            operation: format!("{kind}:update"),
            message: error.to_string(),
        })
    }

    fn land(
        &self,
        kind: &'static dyn DynKind,
        call: &Call,
        operation: &str,
        work: &Work<'_>,
    ) -> Result<(Option<Found>, u64), CloudError> {
        let mut state = self.state();
        let subject = match work {
            Work::Create(..) => call.address.as_str(),
            Work::Update(id, _) | Work::Delete(id) => id,
        };
        let mut own = call.name.as_deref().into_iter().chain([subject]);
        own.try_for_each(|id| state.expect_own(operation, id))?;
        let effect = Effect { config: self.config(), kind, call, operation };
        match work {
            Work::Create(spec, number) => effect.create(&mut state, spec, *number),
            Work::Update(id, spec) => effect.update(&mut state, id, spec).map(|done| (None, done)),
            Work::Delete(id) => effect.delete(&mut state, id).map(|done| (None, done)),
        }
    }

    /// Lets the call land after `span`, even if its caller is gone by then.
    async fn lands_late(
        &self,
        span: Duration,
        kind: &'static dyn DynKind,
        call: Call,
        operation: String,
        work: Work<'static>,
    ) -> Result<(Option<Found>, u64), CloudError> {
        let (sim, lost) =
            (self.clone(), CloudError::Other { operation: operation.clone(), message: String::new() });
        let landing = tokio::spawn(async move {
            tokio::time::sleep(span).await;
            sim.land(kind, &call, &operation, &work)
        });
        landing.await.unwrap_or(Err(lost))
    }

    /// Sleeps until the world has reached that age.
    async fn sleep_until(&self, age: impl FnOnce(&State) -> u64) {
        let left = {
            let mut state = self.state();
            age(&state).saturating_sub(state.age())
        };
        if left > 0 {
            tokio::time::sleep(Duration::from_millis(left)).await;
        }
    }
}
