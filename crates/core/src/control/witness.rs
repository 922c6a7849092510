//! Witnesses of the mode: what shows which region serves, beside the record in the control bucket.
//!
//! Each change of mode writes its record a second time, as a parameter in the standby region,
//! before it changes anything else. The first apply writes it too, for the name of the control
//! bucket. The resources that publish the mode to applications and their clients are witnesses too,
//! and so are the groups that a change of mode has sized. So a record that was lost, damaged or
//! replaced by an older one, or a control bucket of another name, is a [`Doubt`] and never read as
//! a stack that never failed over. No epoch falls, and what serves goes on serving until the
//! operator decides which region does.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::address::Address;
use crate::cloud::{Call, Cloud, CloudError, Found, Scope, sha256};
use crate::control::record::{FORMAT, Record, address, name};
use crate::graph::Graph;
use crate::kind::{FieldChange, KindRegistry, Place, ShapeError, Statement};
use crate::objective::{Mode, Standing};
use crate::observe::{Look, Observed};

/// Operation that errors of reading and writing it name.
pub(super) const OPERATION: &str = "mode";
/// Most characters of a parameter, by the API reference of `PutParameter`.
pub(super) const LONGEST: usize = 4096;
/// Attempts of a transient call, without a pause: a failover does not wait for it.
pub(super) const TRIES: usize = 3;

/// The second record of a change of mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Testimony {
    /// The record, as of the start of the change.
    #[serde(flatten)]
    pub record: Record,
    /// Name of the control bucket that holds the first record.
    pub control: String,
    /// True if only parts had failed over and they were too many to name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_part: bool,
}

/// Why the record in the control bucket cannot be relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The record is missing.
    Missing,
    /// The record cannot be parsed.
    Damaged(String),
    /// The record, with this epoch, is older than the witnesses.
    Older(u64),
    /// The record has the same epoch as the second one, but this other mode.
    Contradicted(Mode),
    /// The stack's control bucket is the one of this name.
    Elsewhere(String),
    /// The record is missing, and the second one could not be read.
    Unseen(CloudError),
    /// The record is missing, and the second one cannot be parsed.
    Unreadable(String),
}

/// Evidence of the mode from one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    /// The resource.
    pub address: Address,
    /// What it shows.
    pub witness: Statement,
}

impl Testimony {
    pub(super) fn text(&self) -> String {
        // Numbers, times and names always have a JSON form.
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

/// Reads the second record; `None` before the first apply.
///
/// # Errors
/// The cloud's errors; a record that cannot be parsed is an error, not an absence.
pub async fn testimony(cloud: &dyn Cloud, scope: &Scope) -> Result<Option<Testimony>, CloudError> {
    let names = [name(&scope.stack)];
    let mut tries = 1;
    loop {
        let answer = cloud.read(cloud.record_kind(), scope, Place::Standby, &names).await.pop();
        let none = || CloudError::Other { operation: OPERATION.to_owned(), message: "no answer".to_owned() };
        match answer.unwrap_or_else(|| Err(none())) {
            Ok(None) => return Ok(None),
            // The answer may be garbled, and not the record.
            Ok(Some(found)) => match parsed(&found) {
                Err(_) if tries < TRIES => tries += 1,
                settled => return settled.map(Some),
            },
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
        return Err(CloudError::Invalid {
            operation: OPERATION.to_owned(),
            code: "Newer".to_owned(),
            message: format!("a newer drstack wrote `{}`", found.id),
        });
    }
    Ok(testimony)
}

pub(super) fn broken(message: String) -> CloudError {
    CloudError::Conflict { operation: OPERATION.to_owned(), message }
}

/// Returns the evidence of a failover in the standby region; empty if its resources show none.
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
        let Some(witness) = kinds.get(kind).and_then(|kind| kind.witness()) else { continue };
        let says = match witness.statement(&found.id, &found.live)? {
            Some(Statement::Region(region)) => {
                (*region == *scope.standby).then_some(Statement::Region(region))
            }
            Some(Statement::Epoch(0) | Statement::Mode(_, 0)) | None => None,
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
        let found = cloud.create(cloud.record_kind(), &call("create"), &spec).await?;
        before = found.live["value"].clone();
        if before == *value {
            return Ok(());
        }
        if let Ok(there) = parsed(&found) {
            let epoch = there.record.standing.epoch;
            if epoch > testimony.record.standing.epoch {
                return Err(broken(format!("`{name}` says epoch {epoch} already")));
            }
            if there.control != testimony.control {
                let control = there.control;
                return Err(broken(format!("`{name}` says that the control bucket is `{control}`")));
            }
        }
    }
    let changes = FieldChange::of("value", &before, &Value::from(value.clone()));
    cloud
        .update(cloud.record_kind(), &call("update"), &name, &spec, &changes.into_iter().collect::<Vec<_>>())
        .await
}

/// Deletes the second record, together with the control bucket.
///
/// # Errors
/// The cloud's errors.
pub async fn forget(cloud: &dyn Cloud, scope: &Scope) -> Result<(), CloudError> {
    let names = [name(&scope.stack)];
    let found =
        cloud.read(cloud.record_kind(), scope, Place::Standby, &names).await.pop().transpose()?.flatten();
    // A parameter that is not a mode record is not ours.
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
    cloud.delete(cloud.record_kind(), &call, &name).await
}
