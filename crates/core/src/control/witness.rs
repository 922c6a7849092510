//! Witnesses of the mode: what says which region serves, beside the record in the control bucket.
//!
//! Each change of mode keeps its record a second time, as a parameter of the standby region, before it changes anything else. What an
//! application and its clients are told of the mode are witnesses too. So a record that was lost, damaged or replaced by an older one, and a
//! control bucket of another name, are a [`Doubt`] and never the mode of a stack that was never failed over: no epoch falls, and what serves
//! goes on serving, until somebody says which region does.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::address::Address;
use crate::cloud::{Call, Cloud, CloudError, Found, Scope, sha256};
use crate::control::record::{FORMAT, Record, address, name};
use crate::graph::Graph;
use crate::kind::{FieldChange, KindRegistry, Place, ShapeError, Witness};
use crate::objective::{Mode, Standing};
use crate::observe::{Look, Observed};

/// The kind as which the second record is kept.
const KIND: &str = "parameter";
/// What the errors of reading and keeping it name.
const OPERATION: &str = "mode";
/// Most characters of a parameter, by the API reference of `PutParameter`.
pub(super) const LONGEST: usize = 4096;
/// How often a call that may succeed later is tried, at once: a failover does not wait for it.
pub(super) const TRIES: usize = 3;

/// The record of a change of mode as it is kept a second time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Testimony {
    /// The record, as of the beginning of the change.
    #[serde(flatten)]
    pub record: Record,
    /// The control bucket that has the first one.
    pub control: String,
    /// Whether only parts had failed over, which were too many to name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_part: bool,
}

/// Why the record in the control bucket is not to be relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It is not there.
    Missing,
    /// It cannot be read.
    Damaged(String),
    /// It is older than what the witnesses say.
    Older(u64),
    /// It is of the same change as the second one, and names this mode, which is another.
    Contradicted(Mode),
    /// The stack is kept in the control bucket of this name.
    Elsewhere(String),
    /// It is not there, and nobody could look at the second one.
    Unseen(CloudError),
}

/// What one resource says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    /// Which.
    pub address: Address,
    /// What it says.
    pub witness: Witness,
}

impl Testimony {
    pub(super) fn text(&self) -> String {
        // Numbers, times and names: always has a JSON form.
        let text = serde_json::to_string(self).unwrap_or_default();
        if text.chars().count() <= LONGEST {
            return text;
        }
        let standing = Standing { only: Vec::new(), ..self.record.standing.clone() };
        let short =
            Self { record: Record { standing, ..self.record.clone() }, in_part: true, ..self.clone() };
        serde_json::to_string(&short).unwrap_or_default()
    }
}

/// What is kept a second time; `None` before the first change of mode.
///
/// # Errors
/// What the cloud says; a record that cannot be read is an error and not an absence.
pub async fn testimony(cloud: &dyn Cloud, scope: &Scope) -> Result<Option<Testimony>, CloudError> {
    let names = [name(&scope.stack)];
    let mut tries = 1;
    loop {
        let answer = cloud.read(KIND, scope, Place::Standby, &names).await.pop();
        match answer.unwrap_or_else(|| Err(broken("no answer".to_owned()))) {
            Ok(None) => return Ok(None),
            Ok(Some(found)) => return parsed(&found).map(Some),
            Err(error) if error.is_transient() && tries < TRIES => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

fn parsed(found: &Found) -> Result<Testimony, CloudError> {
    let text = found.live.get("value").and_then(Value::as_str).unwrap_or_default();
    let unreadable = |why: String| broken(format!("`{}` cannot be read: {why}", found.id));
    let testimony: Testimony = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
    if testimony.record.format > FORMAT {
        return Err(unreadable("a newer drstack wrote it".to_owned()));
    }
    Ok(testimony)
}

pub(super) fn broken(message: String) -> CloudError {
    CloudError::Conflict { operation: OPERATION.to_owned(), message }
}

/// What the resources of the standby region say about a failover; nothing where they are as if there had never been one.
///
/// # Errors
/// A live value that is not of its kind's shape.
pub fn signs(
    graph: &Graph,
    seen: &Observed,
    kinds: &KindRegistry,
    scope: &Scope,
) -> Result<Vec<Sign>, ShapeError> {
    let wanted = seen.seen.iter().filter_map(|(address, look)| match (graph.resources.get(address), look) {
        (Some(it), Look::Present(found)) if it.place == Place::Standby => Some((&*it.kind, address, found)),
        _ => None,
    });
    let others = seen.others.iter().filter(|it| it.place == Place::Standby);
    let others = others.map(|it| (it.kind, &it.address, &it.found));
    let mut signs = Vec::new();
    for (kind, address, found) in wanted.chain(others) {
        let Some(kind) = kinds.get(kind) else { continue };
        let says = match kind.witness(&found.id, &found.live)? {
            Some(Witness::Region(region)) => (*region == *scope.standby).then_some(Witness::Region(region)),
            Some(Witness::Epoch(0)) | None => None,
            other => other,
        };
        signs.extend(says.map(|witness| Sign { address: address.clone(), witness }));
    }
    Ok(signs)
}

pub(super) async fn keep(
    cloud: &dyn Cloud,
    scope: &Scope,
    testimony: &Testimony,
    stands: bool,
) -> Result<(), CloudError> {
    let (name, value) = (name(&scope.stack), testimony.text());
    let spec = json!({ "name": name, "value": value });
    let call = |action: &str| Call {
        scope: scope.clone(),
        place: Place::Standby,
        address: address(),
        name: Some(name.clone()),
        token: sha256(format!("{action} {} {value}", scope.stack).as_bytes()),
    };
    let mut before = Value::Null;
    if !stands {
        let found = cloud.create(KIND, &call("create"), &spec).await?;
        before = found.live["value"].clone();
        if before == *value {
            return Ok(());
        }
        let there = parsed(&found).ok().map(|it| it.record.standing.epoch);
        if let Some(there) = there.filter(|there| *there > testimony.record.standing.epoch) {
            return Err(broken(format!("`{name}` says epoch {there} already")));
        }
    }
    let changes = FieldChange::of("value", &before, &Value::from(value.clone()));
    cloud.update(KIND, &call("update"), &name, &spec, &changes.into_iter().collect::<Vec<_>>()).await
}

/// Removes the second record, with the control bucket.
///
/// # Errors
/// What the cloud says.
pub async fn forget(cloud: &dyn Cloud, scope: &Scope) -> Result<(), CloudError> {
    let names = [name(&scope.stack)];
    let found = cloud.read(KIND, scope, Place::Standby, &names).await.pop().transpose()?.flatten();
    // What is no record of a mode is somebody else's.
    if found.is_none_or(|it| parsed(&it).is_err()) {
        return Ok(());
    }
    let [name] = names;
    let token = sha256(format!("delete {}", scope.stack).as_bytes());
    let call = Call {
        scope: scope.clone(),
        place: Place::Standby,
        address: address(),
        name: Some(name.clone()),
        token,
    };
    cloud.delete(KIND, &call, &name).await
}
