//! The cloud as the core sees it: resource calls, facts of the primary, a control store and a clock.

mod error;
mod scope;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::Address;
use crate::calls::Calls;
use crate::control::ControlStore;
use crate::facts::FactQuery;
use crate::kind::{FieldChange, Place};
use crate::sides::{Copied, Sides};
use crate::supply::{Supply, Wanted};

pub use error::CloudError;
pub use scope::{Scope, Secrets, not_of_account, sha256};

/// Whose a live resource is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// This stack's, with the address it was made for.
    Ours(Address),
    /// Another drstack stack's.
    Stack(String),
    /// Tagged as this stack's, with the address where that can be read, and without what only drstack gives its objects: nothing proves
    /// that drstack made it, so it is named and left alone.
    Unproven(Option<Address>),
    /// Somebody else's.
    Foreign,
    /// A setting on something of the user's, such as a primary bucket's versioning: nobody owns it, it is never removed.
    Setting,
}

impl Owner {
    /// True if it is proven to be this stack's. A creation may take nothing else that exists under its name.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Ours(_))
    }

    /// Whether its tags name this stack, proven or not.
    pub fn claims(&self) -> bool {
        matches!(self, Self::Ours(_) | Self::Unproven(_))
    }
}

/// A live resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The name it was looked up by, or the id AWS gave it.
    pub id: String,
    /// Whose it is.
    pub owner: Owner,
    /// What the cloud reports, in the shape of the kind's `Live`.
    pub live: Value,
}

/// One change about to be made.
#[derive(Clone, Debug)]
pub struct Call {
    /// The stack.
    pub scope: Scope,
    /// Where.
    pub place: Place,
    /// For which resource; becomes its `drstack:address` tag.
    pub address: Address,
    /// The name it is looked up by; `None` for kinds found by tag, whose id the cloud chooses.
    pub name: Option<String>,
    /// Idempotency token made from stack, address and spec, 64 hex digits: the same token twice has the effect of one call.
    pub token: String,
}

/// Something the primary said, and what of it must not be written down.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The fact's value, in the shape its reader in the kinds crate knows.
    pub value: Value,
    /// User data and the like.
    pub secrets: Secrets,
}

/// Whether an object exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It does not.
    Absent,
    /// It does.
    There,
    /// It does, and cannot serve: why, as a sentence.
    Unwell(String),
}

impl From<bool> for Presence {
    fn from(is_there: bool) -> Self {
        if is_there { Self::There } else { Self::Absent }
    }
}

/// Answers of one bulk read, in the order of the ids asked for: `Ok(None)` is certainly absent, `Err` is "could not look".
pub type Read = Vec<Result<Option<Found>, CloudError>>;

/// A cloud: AWS, or the simulator.
///
/// Assumes: what a resource links to is live before it is created. Guarantees: the same token twice has the effect of
/// one call, creating what exists and is ours is success, deleting what is absent is success, and absence is never
/// reported because a look failed. Calls retry throttling by themselves (one retry layer) and give up in bounded time.
pub trait Cloud: Calls + Send + Sync + 'static {
    /// Looks resources of one kind up by name or id, in bulk where the service can.
    fn read<'a>(
        &'a self,
        kind: &'static str,
        scope: &'a Scope,
        place: Place,
        ids: &'a [String],
    ) -> BoxFuture<'a, Read>;
    /// Says of each id, in this order, whether the object exists and can serve, with as few calls as that takes.
    fn exist<'a>(
        &'a self,
        kind: &'static str,
        scope: &'a Scope,
        place: Place,
        ids: &'a [String],
    ) -> BoxFuture<'a, Vec<Result<Presence, CloudError>>> {
        let read = self.read(kind, scope, place, ids);
        Box::pin(
            async move { read.await.into_iter().map(|it| it.map(|found| found.is_some().into())).collect() },
        )
    }
    /// Everything of one kind that the stack owns there; `except`, which the caller reads by name, may be left out.
    fn list_owned<'a>(
        &'a self,
        kind: &'static str,
        scope: &'a Scope,
        place: Place,
        except: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Found>, CloudError>>;
    /// Makes it. `spec` has no open links. The answer may still be waiting to be ready.
    fn create<'a>(
        &'a self,
        kind: &'static str,
        call: &'a Call,
        spec: &'a Value,
    ) -> BoxFuture<'a, Result<Found, CloudError>>;
    /// Changes these fields of it.
    fn update<'a>(
        &'a self,
        kind: &'static str,
        call: &'a Call,
        id: &'a str,
        spec: &'a Value,
        changes: &'a [FieldChange],
    ) -> BoxFuture<'a, Result<(), CloudError>>;
    /// Takes it away.
    fn delete<'a>(
        &'a self,
        kind: &'static str,
        call: &'a Call,
        id: &'a str,
    ) -> BoxFuture<'a, Result<(), CloudError>>;
    /// Asks for a fact; `Ok(None)` when what it is about does not exist.
    fn capture<'a>(
        &'a self,
        scope: &'a Scope,
        query: &'a FactQuery,
    ) -> BoxFuture<'a, Result<Option<Captured>, CloudError>>;
    /// Asks for several facts, in bulk where the service can; answers in order.
    fn capture_all<'a>(
        &'a self,
        scope: &'a Scope,
        queries: &'a [FactQuery],
    ) -> BoxFuture<'a, Vec<Result<Option<Captured>, CloudError>>> {
        Box::pin(join_all(queries.iter().map(|query| self.capture(scope, query))))
    }
    /// How the two sides of `copied` compare now; what was written at or after `since` is counted too. Reads only. Where there is too
    /// much of it to compare, [`Sides::is_whole`] is false: nothing is called the same that nobody has looked at.
    fn sides<'a>(
        &'a self,
        _scope: &'a Scope,
        copied: &'a Copied,
        _since: Option<Timestamp>,
    ) -> BoxFuture<'a, Result<Sides, CloudError>> {
        let message = format!("this cloud cannot compare the {}s of `{}`", copied.unit, &copied.name);
        Box::pin(async { Err(CloudError::Other { operation: "sides".to_owned(), message }) })
    }
    /// What the standby region has for the instances that are `wanted`. Reads only; what does not answer is
    /// [`Supply::unknown`].
    fn supply<'a>(&'a self, _scope: &'a Scope, _wanted: &'a [Wanted]) -> BoxFuture<'a, Supply> {
        let message = "this cloud cannot say what a region offers".to_owned();
        let error = CloudError::Other { operation: "supply".to_owned(), message };
        let unknown = vec![("instance types and quotas".to_owned(), error)];
        Box::pin(async { Supply { unknown, ..Supply::default() } })
    }
    /// The control bucket of this name in the standby region.
    fn control(&self, scope: &Scope, bucket: &str) -> Arc<dyn ControlStore>;
    /// Kind that keeps the second record of the mode, apart from the control bucket: [`KindRegistry::text_keeper`].
    ///
    /// [`KindRegistry::text_keeper`]: crate::kind::KindRegistry::text_keeper
    fn record_kind(&self) -> &'static str;
    /// Wall-clock time.
    fn now(&self) -> Timestamp;
    /// How long the cloud lets an eventually consistent read lag behind a write.
    fn consistency(&self) -> Duration {
        Duration::from_secs(10)
    }
}
