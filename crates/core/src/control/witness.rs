//! Witnesses of the mode: what says which region serves, beside the record in the control bucket.
//!
//! Each change of mode keeps its record a second time, as a parameter of the standby region, before it changes anything else. What an
//! application and its clients are told of the mode are witnesses too. So a record that was lost, damaged or replaced by an older one, and a
//! control bucket of another name, are a [`Doubt`] and never the mode of a stack that was never failed over: no epoch falls, and what serves
//! goes on serving, until somebody says which region does.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::address::{Address, ComponentAddress};
use crate::cloud::{Call, Cloud, CloudError, Found, Scope, sha256};
use crate::control::mode::{FORMAT, KeptMode, Record};
use crate::graph::Graph;
use crate::kind::{FieldChange, KindRegistry, Place, ShapeError, Witness};
use crate::objective::{Mode, Standing};
use crate::observe::{Look, Observed};

/// The kind as which the second record is kept.
const KIND: &str = "parameter";
/// What the errors of reading and keeping it name.
const OPERATION: &str = "mode";
/// Most characters of a parameter, by the API reference of `PutParameter`.
const LONGEST: usize = 4096;
/// How often a call that may succeed later is tried, at once: a failover does not wait for it.
const TRIES: usize = 3;

/// The address of the second record.
pub fn address() -> Address {
    Address::new(&ComponentAddress::new("control"), "mode")
}

/// The name of the second record.
pub fn name(stack: &str) -> String {
    format!("/drstack/{stack}/mode")
}

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
    fn text(&self) -> String {
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

fn broken(message: String) -> CloudError {
    CloudError::Conflict { operation: OPERATION.to_owned(), message }
}

/// What the control bucket says (`recorded`), held against what is kept a second time.
pub(super) fn weigh(
    recorded: KeptMode,
    testimony: Result<Option<Testimony>, CloudError>,
    scope: &Scope,
    control: &str,
) -> KeptMode {
    let known = recorded.record.as_ref().map(|it| it.standing.epoch);
    let testimony = match testimony {
        Ok(Some(testimony)) => testimony,
        // With a first record nobody needs the second one.
        Ok(None) => return recorded,
        Err(error) => {
            let unseen = || Doubt::Unseen(error);
            let doubt = if known.is_none() { recorded.doubt.or_else(|| Some(unseen())) } else { None };
            return KeptMode { doubt, ..recorded };
        }
    };
    let epoch = testimony.record.standing.epoch;
    let mode = recorded.record.as_ref().map(|it| it.standing.mode);
    let doubt = match (known, mode) {
        (Some(known), _) if known > epoch => None,
        _ if testimony.control != control => Some(Doubt::Elsewhere(testimony.control.clone())),
        (Some(known), Some(mode)) if known == epoch => {
            (mode != testimony.record.standing.mode).then_some(Doubt::Contradicted(mode))
        }
        (Some(known), _) => Some(Doubt::Older(known)),
        (None, _) => recorded.doubt.clone().or(Some(Doubt::Missing)),
    };
    if doubt.is_none() {
        return KeptMode { testimony: Some(testimony), ..recorded };
    }
    let record = Some(Record { complete: false, ..testimony.record.clone() });
    let witnesses = vec![format!("the parameter `{}`", name(&scope.stack))];
    KeptMode { record, doubt, witnesses, testimony: Some(testimony), ..recorded }
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

impl KeptMode {
    /// The same held against what was seen: in doubt where that is of a change of mode which is not recorded.
    #[must_use]
    pub fn beside(self, signs: &[Sign]) -> Self {
        let epoch = |sign: &Sign| if let Witness::Epoch(epoch) = sign.witness { epoch } else { 0 };
        let epoch = signs.iter().map(epoch).max().unwrap_or_default();
        let known = self.record.as_ref().map(|it| it.standing.epoch);
        if signs.is_empty() || known.is_some_and(|known| epoch <= known) {
            return self;
        }
        let serves = signs.iter().any(|it| !matches!(it.witness, Witness::Epoch(_)));
        let mode = if serves { Mode::Active } else { Mode::Standby };
        let standing = Standing { mode, epoch: epoch.max(u64::from(serves)), ..Standing::default() };
        let since = Timestamp::UNIX_EPOCH;
        let record = Record { format: FORMAT, standing, since, run: "unknown".to_owned(), complete: false };
        let doubt = self.doubt.or(Some(known.map_or(Doubt::Missing, Doubt::Older)));
        let witnesses = signs.iter().map(|it| it.address.to_string()).collect();
        Self { record: Some(record), doubt, witnesses, ..self }
    }

    /// Whether the second record says something else than the first one, which is in no doubt.
    pub fn is_kept_once(&self, control: &str) -> bool {
        let Some(record) = self.record.as_ref().filter(|_| self.doubt.is_none()) else { return false };
        let same =
            |it: &Testimony| it.record.standing.epoch == record.standing.epoch && it.control == control;
        !self.testimony.as_ref().is_some_and(same)
    }

    /// Keeps the record a second time. One that is newer stays.
    ///
    /// # Errors
    /// What the cloud says.
    pub async fn testify(&self, cloud: &dyn Cloud, scope: &Scope, control: &str) -> Result<(), CloudError> {
        let Some(record) = self.record.clone() else { return Ok(()) };
        let testimony = Testimony { record, control: control.to_owned(), in_part: false };
        let mut tries = 1;
        loop {
            match keep(cloud, scope, &testimony, self.testimony.is_some()).await {
                Err(error) if error.is_transient() && tries < TRIES => tries += 1,
                done => return done,
            }
        }
    }
}

async fn keep(
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

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        let [stack, primary, standby] = ["demo", "us-east-1", "us-west-2"].map(Into::into);
        Scope { stack, primary, standby, secrets: std::sync::Arc::default() }
    }

    fn record(mode: Mode, epoch: u64) -> Record {
        let standing = Standing { mode, epoch, ..Standing::default() };
        Record {
            format: FORMAT,
            standing,
            since: Timestamp::UNIX_EPOCH,
            run: "run".to_owned(),
            complete: true,
        }
    }

    fn recorded(record: Option<Record>) -> KeptMode {
        KeptMode { record, ..KeptMode::default() }
    }

    fn testimony(mode: Mode, epoch: u64, control: &str) -> Testimony {
        Testimony { record: record(mode, epoch), control: control.to_owned(), in_part: false }
    }

    fn weighed(first: Option<Record>, second: Option<Testimony>) -> KeptMode {
        weigh(recorded(first), Ok(second), &scope(), "ours")
    }

    fn sign(witness: Witness) -> Sign {
        Sign { address: Address::parse("fence.writers/it").unwrap(), witness }
    }

    #[test]
    fn a_record_that_is_missing_while_it_is_kept_a_second_time_is_a_doubt() {
        let kept = weighed(None, Some(testimony(Mode::Active, 3, "ours")));
        assert_eq!(kept.doubt, Some(Doubt::Missing));
        assert_eq!(
            (kept.standing().mode, kept.standing().epoch, kept.is_complete()),
            (Mode::Active, 3, false)
        );
        assert_eq!(kept.next(Mode::Active, &[]).epoch, 3, "it goes on");
        assert_eq!(kept.next(Mode::Standby, &[]).epoch, 4);
        assert_eq!(weighed(None, None).doubt, None, "it never failed over");
    }

    #[test]
    fn an_older_record_or_another_bucket_is_a_doubt_and_an_older_second_record_is_none() {
        let older = weighed(Some(record(Mode::Active, 1)), Some(testimony(Mode::Standby, 2, "ours")));
        assert_eq!((older.doubt.clone(), older.standing().epoch), (Some(Doubt::Older(1)), 2));
        for first in [None, Some(record(Mode::Standby, 1)), Some(record(Mode::Active, 2))] {
            let elsewhere = weighed(first, Some(testimony(Mode::Active, 2, "theirs")));
            assert_eq!(elsewhere.doubt, Some(Doubt::Elsewhere("theirs".to_owned())));
        }
        let contradicted = weighed(Some(record(Mode::Standby, 2)), Some(testimony(Mode::Active, 2, "ours")));
        assert_eq!(contradicted.doubt, Some(Doubt::Contradicted(Mode::Standby)));
        assert_eq!(contradicted.standing().mode, Mode::Active);
        let first = record(Mode::Active, 3);
        for second in [testimony(Mode::Standby, 2, "theirs"), testimony(Mode::Active, 3, "ours")] {
            let kept = weighed(Some(first.clone()), Some(second));
            assert_eq!((kept.doubt, kept.record.as_ref()), (None, Some(&first)));
        }
    }

    #[test]
    fn who_could_not_look_at_the_second_record_does_not_take_a_missing_first_one_for_none() {
        let weigh = |first| weigh(recorded(first), Err(broken("no answer".to_owned())), &scope(), "ours");
        assert!(matches!(weigh(None).doubt, Some(Doubt::Unseen(_))));
        assert_eq!(weigh(Some(record(Mode::Standby, 2))).doubt, None);
    }

    #[test]
    fn what_applications_are_told_of_a_failover_is_a_witness_of_it() {
        let traffic = weighed(None, None).beside(&[sign(Witness::Traffic)]);
        assert_eq!((traffic.doubt.clone(), traffic.standing().mode), (Some(Doubt::Missing), Mode::Active));
        assert_eq!(traffic.standing().epoch, 1);
        let signs = [sign(Witness::Epoch(4)), sign(Witness::Region("us-west-2".to_owned()))];
        let fence = weighed(None, None).beside(&signs);
        assert_eq!((fence.standing().mode, fence.standing().epoch), (Mode::Active, 4));
        // Handed back: no epoch falls.
        let back = weighed(None, None).beside(&[sign(Witness::Epoch(4))]);
        assert_eq!((back.doubt.clone(), back.standing().mode), (Some(Doubt::Missing), Mode::Standby));
        assert_eq!(back.next(Mode::Active, &[]).epoch, 5);
        let behind = weighed(Some(record(Mode::Standby, 2)), None).beside(&signs);
        assert_eq!((behind.doubt.clone(), behind.standing().epoch), (Some(Doubt::Older(2)), 4));
    }

    #[test]
    fn signs_of_what_is_recorded_are_no_doubt() {
        let signs = [sign(Witness::Epoch(2)), sign(Witness::Traffic)];
        for record in [record(Mode::Active, 2), record(Mode::Standby, 3)] {
            let kept = weighed(Some(record.clone()), None).beside(&signs);
            assert_eq!((kept.doubt, kept.record), (None, Some(record)));
        }
    }

    #[test]
    fn a_second_record_that_is_too_long_says_so_and_leaves_out_the_parts_alone() {
        let only = (0..400).map(|it| format!("pool.inference-{it}")).collect();
        let mut long = testimony(Mode::Active, 1, "ours");
        long.record.standing.only = only;
        let text = long.text();
        assert!(text.len() <= LONGEST, "{}", text.len());
        let read: Testimony = serde_json::from_str(&text).unwrap();
        assert!(read.in_part && read.record.standing.only.is_empty());
        let kept = weighed(None, Some(read));
        let named = ["pool.inference-1".to_owned()];
        assert_eq!(kept.next(Mode::Active, &named).only, named);
    }
}
