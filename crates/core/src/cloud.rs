//! The cloud as the core sees it: resource calls, facts of the primary, a control store and a clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::Address;
use crate::calls::{CallNote, RefusedCall};
use crate::control::ControlStore;
use crate::engine::journal::Permit;
use crate::facts::FactQuery;
use crate::kind::{FieldChange, Place};
use crate::sides::{Copied, Sides};

/// What a call needs to know about the stack it serves.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Name of the stack, the value of the tag `drstack:stack`.
    pub stack: Arc<str>,
    /// The primary region.
    pub primary: Arc<str>,
    /// The standby region.
    pub standby: Arc<str>,
    /// Values that must never be written down, by their SHA-256 in hex.
    pub secrets: Arc<Secrets>,
}

impl Scope {
    /// The region that `place` means here. Global services are called through the standby's view of them.
    pub fn region(&self, place: Place) -> &str {
        match place {
            Place::Primary => &self.primary,
            Place::Standby | Place::Global => &self.standby,
        }
    }
}

/// Secret values by their SHA-256 in lower-case hex: user data above all. Has no `Serialize` and prints nothing.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// Keeps `value` and returns its hash.
    pub fn keep(&mut self, value: String) -> String {
        let hash = sha256(value.as_bytes());
        self.0.insert(hash.clone(), value);
        hash
    }

    /// The value with this hash, if it was seen in this run.
    pub fn get(&self, hash: &str) -> Option<&str> {
        self.0.get(hash).map(String::as_str)
    }

    /// Takes over all of `other`.
    pub fn extend(&mut self, other: Secrets) {
        self.0.extend(other.0);
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

/// Says that `bucket` was refused to a caller who expects `account` to own it: S3 does not tell which of the two is why.
pub fn not_of_account(bucket: &str, account: &str) -> String {
    format!("bucket `{bucket}` may belong to another account than {account}")
}

/// SHA-256 in lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    sha2::Sha256::digest(bytes).iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

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

/// Why a call did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "class")]
pub enum CloudError {
    /// The service asked for fewer calls.
    #[error("{operation} was throttled")]
    Throttled {
        /// `ec2:RunInstances`.
        operation: String,
    },
    /// The credentials may not do this.
    #[error("{operation} was denied: {message}")]
    Denied {
        /// `s3:PutBucketReplication`.
        operation: String,
        /// What AWS said.
        message: String,
    },
    /// Nothing answered.
    #[error("{operation} in {region} did not answer: {message}")]
    Unreachable {
        /// Which call.
        operation: String,
        /// Where.
        region: String,
        /// What the client saw.
        message: String,
    },
    /// The region has no such capacity now.
    #[error("{operation}: no capacity: {message}")]
    NoCapacity {
        /// Which call.
        operation: String,
        /// What AWS said.
        message: String,
    },
    /// An account limit.
    #[error("{operation}: over a quota: {message}")]
    Quota {
        /// Which call.
        operation: String,
        /// What AWS said.
        message: String,
    },
    /// Something of that name exists or is being changed.
    #[error("{operation}: conflict: {message}")]
    Conflict {
        /// Which call.
        operation: String,
        /// What AWS said.
        message: String,
    },
    /// What has to be so is not so now, and may be later: a check that does not pass.
    #[error("{operation} does not pass: {message}")]
    NotYet {
        /// Which look.
        operation: String,
        /// What was seen.
        message: String,
    },
    /// AWS will never accept this request.
    #[error("{operation} refused: {code}: {message}")]
    Invalid {
        /// Which call.
        operation: String,
        /// AWS's error code.
        code: String,
        /// What AWS said.
        message: String,
    },
    /// It was not sent: it would have left the standby region while the cloud was told to stand alone.
    #[error("{operation} was not sent to {region}: a takeover calls nothing outside the standby region")]
    Forbidden {
        /// Which call.
        operation: String,
        /// Where it would have gone.
        region: String,
    },
    /// It was not sent: the lock of the run that wanted it is over.
    #[error("{operation} was not sent: this run does not hold the stack's lock any more")]
    Lapsed {
        /// Which call.
        operation: String,
    },
    /// Anything else.
    #[error("{operation} failed: {message}")]
    Other {
        /// Which call.
        operation: String,
        /// What was said.
        message: String,
    },
}

impl CloudError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::Unreachable { .. } | Self::Other { .. })
    }

    /// What to do next, as an imperative sentence.
    pub fn hint(&self) -> String {
        match self {
            Self::Throttled { .. } => "run `drstack apply` again, or lower `--parallelism`".to_owned(),
            Self::Denied { operation, .. } if operation.starts_with("s3:") => {
                format!(
                    "name another bucket if this one is another account's; if not, allow `{operation}` to these credentials: `docs/iam-policy.json` lists what drstack needs"
                )
            }
            Self::Denied { operation, .. } => {
                format!(
                    "allow `{operation}` to these credentials; `docs/iam-policy.json` lists what drstack needs"
                )
            }
            Self::Unreachable { region, .. } => {
                format!("check the network and whether {region} is up, then run again")
            }
            Self::NoCapacity { .. } => "name more instance types in the pool, then run again".to_owned(),
            Self::Quota { .. } => {
                "raise the quota in Service Quotas for the standby region, then run again".to_owned()
            }
            Self::Conflict { operation, .. } | Self::Invalid { operation, .. } if !operation.contains(':') => {
                // No service said so: drstack asked something itself, and that does not hold.
                "mend what it names, then run the same command again".to_owned()
            }
            Self::Conflict { .. } => "run `drstack plan` to see what exists now".to_owned(),
            Self::NotYet { .. } => "mend what it looks at in the standby region, then run again: it looks anew".to_owned(),
            Self::Invalid { .. } => "correct the stack; `drstack validate` checks it".to_owned(),
            Self::Forbidden { .. } => {
                "run `drstack plan --mode active` to see which step needs it, and `drstack apply` once the primary answers".to_owned()
            }
            Self::Lapsed { .. } => "run `drstack plan` to see where things stand".to_owned(),
            Self::Other { .. } => "run again; `RUST_LOG=drstack=debug` says more".to_owned(),
        }
    }
}

/// Answers of one bulk read, in the order of the ids asked for: `Ok(None)` is certainly absent, `Err` is "could not look".
pub type Read = Vec<Result<Option<Found>, CloudError>>;

/// A cloud: AWS, or the simulator.
///
/// Assumes: what a resource links to is live before it is created. Guarantees: the same token twice has the effect of
/// one call, creating what exists and is ours is success, deleting what is absent is success, and absence is never
/// reported because a look failed. Calls retry throttling by themselves (one retry layer) and give up in bounded time.
pub trait Cloud: Send + Sync + 'static {
    /// Looks resources of one kind up by name or id, in bulk where the service can.
    fn read<'a>(
        &'a self,
        kind: &'static str,
        scope: &'a Scope,
        place: Place,
        ids: &'a [String],
    ) -> BoxFuture<'a, Read>;
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
        let message = format!("this cloud cannot compare the {}s of `{}`", copied.unit(), copied.name());
        Box::pin(async { Err(CloudError::Other { operation: "sides".to_owned(), message }) })
    }
    /// The control bucket of this name in the standby region.
    fn control(&self, scope: &Scope, bucket: &str) -> Arc<dyn ControlStore>;
    /// Wall-clock time.
    fn now(&self) -> Timestamp;
    /// How many attempts of calls on `kind` in the region of `place` were refused so far because there were too many,
    /// tried again or not: what the engine's pace learns from.
    fn throttled(&self, _kind: &str, _scope: &Scope, _place: Place) -> u64 {
        0
    }
    /// From here on each attempt at a call that changes anything asks `permit` first, retries included, and is refused with
    /// [`CloudError::Lapsed`] once that does not hold; `None` ends this. What the control store writes is no such call: lock and journal
    /// have conditions of their own.
    fn under(&self, _permit: Option<Permit>) {}
    /// From here on nothing may leave the standby region: every call to another region, or to a control plane of the whole partition
    /// ([`crate::calls::is_global`]), answers [`CloudError::Forbidden`] and is never sent. There is no way back: a takeover ends
    /// with the program. A cloud that does nothing here sends nothing anywhere.
    fn stand_alone(&self) {}
    /// Calls that were refused because the cloud stands alone.
    fn refused(&self) -> Vec<RefusedCall> {
        Vec::new()
    }
    /// Every attempt of every call so far, in the order they ended.
    fn calls(&self) -> Vec<CallNote> {
        Vec::new()
    }
    /// What may go wrong on the day the primary is lost and shows in the environment already, one sentence each.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
    /// How long the cloud lets an eventually consistent read lag behind a write.
    fn consistency(&self) -> Duration {
        Duration::from_secs(10)
    }
}
