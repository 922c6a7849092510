//! Drain: a planned failover counts and shows the backlog of replication until it is empty.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use drstack_core::address::{Address, ComponentAddress};
use drstack_core::cloud::{Found, Owner};
use drstack_core::copies::{copied, look};
use drstack_core::kind::Place;
use drstack_core::observe::Look;
use drstack_core::part::Sequence;
use drstack_core::plan::Remark;
use drstack_core::sides::Copied;
use jiff::{SignedDuration, Timestamp};

use crate::failure::{Failure, Status};
use crate::operator::News;
use crate::planned::PlanOutcome;
use crate::report::data::Data;
use crate::session::Session;
use crate::text;

/// Default time to wait for replication: S3 promises 15 minutes for its time control, and is faster
/// as a rule.
pub const AT_MOST: &str = "15m";

/// Interval between two comparisons: S3 and DynamoDB deliver most within seconds, and each
/// comparison lists all data.
const POLL: Duration = Duration::from_secs(10);

/// Failed comparisons in a row before the drain gives up: a primary that is silent for so long
/// cannot take part in a planned failover.
const LOOKS: usize = 4;

/// The data that `planned` keeps in both regions.
type Copies = BTreeMap<Address, Copied>;

/// Compares both sides of all data that `planned` keeps in both regions. It also counts writes at
/// or after `since`. Returns a remark on each copy that has still to be made.
pub(crate) async fn sides(
    session: &Session,
    planned: &PlanOutcome,
    since: Option<Timestamp>,
) -> Result<(Vec<Data>, Vec<Remark>), Failure> {
    let _busy = session.busy("Comparing both sides".to_owned());
    let mut copies = copies(session, planned, None)?;
    let mut missing = Vec::new();
    for (address, _) in planned.seen.iter().filter(|(_, look)| **look == Look::Absent) {
        let copy = planned.compiled.graph.resources.get(address).filter(|it| it.place == Place::Standby);
        let Some(name) = copy.and_then(|it| it.name.as_deref()) else { continue };
        let before = copies.len();
        copies.retain(|of, it| it.copy != name || of.component() != address.component());
        if copies.len() < before {
            let text = format!("`{name}` is not there, and nothing of it is compared");
            missing.push(Remark { address: address.to_string(), text });
        }
    }
    Ok((compared(session, &copies, since).await, missing))
}

/// Compares both sides of the data of these components once more.
pub(crate) async fn again(
    session: &Session,
    planned: &PlanOutcome,
    of: &BTreeSet<ComponentAddress>,
) -> Result<Vec<Data>, Failure> {
    Ok(compared(session, &copies(session, planned, Some(of))?, None).await)
}

/// Returns the backlog that a planned failover would wait for now.
pub(crate) async fn backlog(
    session: &Session,
    planned: &PlanOutcome,
    patience: &Patience<'_>,
) -> Result<Vec<Data>, Failure> {
    Ok(compared(session, &awaited(session, planned, patience)?.0, None).await)
}

async fn compared(session: &Session, copied: &Copies, since: Option<Timestamp>) -> Vec<Data> {
    let _busy = session.busy("Comparing the data of both regions".to_owned());
    let looked = look(&*session.cloud, &session.scope, copied, since).await;
    looked.into_iter().map(|(address, it)| Data::new(&address, &copied[&address], it)).collect()
}

fn copies(
    session: &Session,
    planned: &PlanOutcome,
    of: Option<&BTreeSet<ComponentAddress>>,
) -> Result<Copies, Failure> {
    let mut copied = copied(&planned.compiled.graph, &session.kinds, of)
        .map_err(|error| Failure::new(Status::Failed, error, "report this, with the stack"))?;
    copied.retain(|address, _| is_copy(planned, address));
    Ok(copied)
}

/// True unless data of another posture stands in the place of the copy at `address`.
fn is_copy(planned: &PlanOutcome, address: &Address) -> bool {
    match planned.seen.get(address) {
        Some(Look::Present(Found { owner: Owner::Ours(of), .. })) => {
            of == address || of.component() != address.component()
        }
        _ => true,
    }
}

/// Returns the data to wait for, and the addresses of what is left out. A name that matches no data
/// is an error, so that a typo cannot leave data out unnoticed.
fn awaited(
    session: &Session,
    planned: &PlanOutcome,
    patience: &Patience<'_>,
) -> Result<(Copies, Vec<String>), Failure> {
    let of = (!patience.only.is_empty()).then(|| referred(session, patience.only));
    let mut copied = copies(session, planned, of.as_ref())?;
    for name in patience.except {
        let is_of_order = || planned.sequence.iter().flat_map(Sequence::parts).any(|it| it.is_within(name));
        if !copied.keys().any(|it| it.is_within(name)) && !is_of_order() {
            let known: Vec<String> = copied.keys().map(|it| it.component().to_string()).collect();
            let hint = match text::nearest(name, known.iter().cloned()) {
                Some(it) => format!("did you mean `{it}`?"),
                None if known.is_empty() => "leave it out: there is no data to wait for".to_owned(),
                None => format!("what is waited for is {}", known.join(", ")),
            };
            return Err(Failure::new(Status::Usage, format!("`{name}` is no data that is waited for"), hint));
        }
    }
    let is_left = |it: &Address| patience.except.iter().any(|name| it.is_within(name));
    let left: BTreeSet<String> =
        copied.keys().filter(|it| is_left(it)).map(|it| it.component().to_string()).collect();
    copied.retain(|it, _| !is_left(it));
    Ok((copied, left.into_iter().collect()))
}

/// Returns the components that `only` names, and all that they refer to.
fn referred(session: &Session, only: &[String]) -> BTreeSet<ComponentAddress> {
    let components = &session.stack.components;
    // The name of a resource stands for its component, whose data replicates as one.
    let component = |name: &str| name.split_once('/').map_or(name, |(it, _)| it).to_owned();
    let is_meant = |it: &ComponentAddress| only.iter().any(|name| it.is_within(&component(name)));
    let mut open: Vec<ComponentAddress> = components.keys().filter(|it| is_meant(it)).cloned().collect();
    let mut all = BTreeSet::new();
    while let Some(address) = open.pop() {
        open.extend(components.get(&address).into_iter().flat_map(|it| it.refers_to.iter().cloned()));
        if !all.insert(address) {
            // The references of this component were followed already.
            open.retain(|it| !all.contains(it));
        }
    }
    all
}

/// The data to wait for, and how long.
pub(crate) struct Patience<'a> {
    /// Wait for the data of these components and of what they refer to; of all if empty.
    pub(crate) only: &'a [String],
    /// Do not wait for the data of these components.
    pub(crate) except: &'a [String],
    pub(crate) at_most: SignedDuration,
}

/// Waits until the backlog is empty. Returns when that was read, and what data was left out.
pub(crate) async fn drain(
    session: &Session,
    planned: &PlanOutcome,
    patience: &Patience<'_>,
) -> Result<(Timestamp, Vec<String>), Failure> {
    let Patience { at_most, .. } = *patience;
    let (copied, left) = awaited(session, planned, patience)?;
    let begun = session.now();
    let (mut said, mut failed) = (Vec::new(), 0);
    loop {
        let all = compared(session, &copied, None).await;
        let now = session.now();
        show(session, &all, now, &mut said);
        failed = if all.iter().any(|it| it.sides.is_none()) { failed + 1 } else { 0 };
        if all.iter().all(|it| it.is_drained(begun)) {
            session.tell(News::Drained { standby: &session.stack.facts.standby, now, left: &left });
            return Ok((now, left));
        }
        let waited = now.duration_since(begun);
        let over = waited.checked_add(SignedDuration::try_from(POLL).unwrap_or_default());
        if failed >= LOOKS || all.iter().any(Data::is_untold) || over.is_none_or(|it| it > at_most) {
            return Err(not_drained(&all, begun, now));
        }
        let _busy = session.busy("Waiting for replication".to_owned());
        session.app.host.rest(POLL).await;
    }
}

/// Reports the data whose backlog changed since the last comparison.
fn show(session: &Session, all: &[Data], now: Timestamp, said: &mut Vec<String>) {
    // Ages grow with each comparison, so only another number is news.
    let news: Vec<String> = all
        .iter()
        .map(|it| format!("{:?}{:?}", it.sides.as_ref().map(|it| (it.waiting, it.reported)), it.error))
        .collect();
    let changed: Vec<usize> = (0..all.len()).filter(|at| said.get(*at) != news.get(*at)).collect();
    session.tell(News::Draining { data: all, changed: &changed, now });
    *said = news;
}

/// Returns the failure for a backlog that is not empty. Nothing was changed by then.
fn not_drained(all: &[Data], begun: Timestamp, now: Timestamp) -> Failure {
    let left: Vec<String> = all.iter().filter(|it| !it.is_drained(begun)).map(|it| it.backlog(now)).collect();
    let message = format!(
        "replication has not drained after {}: {}",
        text::duration(now.duration_since(begun).unsigned_abs()),
        left.join("; ")
    );
    let unseen = all.iter().any(|it| it.sides.is_none());
    let hint = match all.iter().any(Data::is_untold) {
        _ if unseen => "nothing was changed; without `--planned` a failover asks nothing of the primary",
        true => {
            "nothing was changed; look at the metrics of its replication, then run it again with `--not-waiting-for ADDRESS`"
        }
        false => {
            "nothing was changed; stop what still writes, copy what never arrives by itself (what is older than the replication rule, or failed), \
             and run it again; `--drain-timeout 1h` waits longer"
        }
    };
    Failure::new(Status::NotReady, message, hint)
}
