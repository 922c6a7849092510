//! Observation: the actual state of desired and owned resources in the cloud.
//!
//! Absent, present and unknown (the read failed) are three different answers, and stay so to the
//! end.

mod by_name;
mod there;
mod untagged;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::address::Address;
use crate::cloud::{Captured, Cloud, CloudError, Found, Owner, Scope, Secrets};
use crate::control::record;
use crate::facts::{Fact, FactQuery, Facts};
use crate::graph::{Graph, Resource};
use crate::kind::{DynKind, KindRegistry, Place};
use crate::remark::Remark;

pub use by_name::look_by_name;

use there::{AGAIN, are_there};

/// Result of observing one desired resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Look {
    /// It certainly does not exist.
    Absent,
    /// It exists.
    Present(Found),
    /// The read failed, so its state is unknown.
    Unknown(CloudError),
}

/// A resource that the stack owns and the graph does not name, or that duplicates a named one.
#[derive(Clone, Debug, PartialEq)]
pub struct Owned {
    /// Name of its kind.
    pub kind: &'static str,
    /// Place of the resource.
    pub place: Place,
    /// Address that it was created for.
    pub address: Address,
    /// The resource.
    pub found: Found,
}

/// An object that only its tags assign to the stack.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Name of its kind.
    pub kind: &'static str,
    /// Place of the object.
    pub place: Place,
    /// The object.
    pub found: Found,
}

/// Observed state of the cloud.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// One result for each desired resource.
    pub seen: BTreeMap<Address, Look>,
    /// Owned resources that are not desired, or are duplicates.
    pub others: Vec<Owned>,
    /// Objects tagged as the stack's without proof, and not found by the name of a desired
    /// resource.
    pub unproven: Vec<Claim>,
    /// Listings that failed: there may be more owned resources.
    pub unlisted: Vec<(&'static str, Place, CloudError)>,
    /// Resources whose creation was interrupted: the objects may exist without the stack's tags.
    pub begun: BTreeSet<Address>,
    /// Data that a failover takes as it was known, since nobody could look whether it exists.
    pub taken: BTreeSet<Address>,
    /// Copies of images that are gone: what runs needs none, and nothing more can be launched from them.
    pub no_image: BTreeSet<Address>,
    /// Data that exists and cannot serve, and why.
    pub unwell: BTreeMap<Address, String>,
    /// Objects that the stack's own use, which may be these desired resources without their tags:
    /// they seem absent.
    pub untagged: BTreeMap<Address, Vec<Found>>,
}

/// Desired resources, grouped by the bulk read that covers them.
type Wanted<'a> = BTreeMap<(&'a str, Place), Vec<&'a Resource>>;

fn by_kind<'a>(resources: impl Iterator<Item = &'a Resource>) -> Wanted<'a> {
    let mut wanted = Wanted::new();
    for resource in resources {
        wanted.entry((&resource.kind, resource.place)).or_default().push(resource);
    }
    wanted
}

/// Observes every resource of `graph` and lists what the stack owns, all kinds concurrently.
pub async fn observe(cloud: &dyn Cloud, kinds: &KindRegistry, scope: &Scope, graph: &Graph) -> Observed {
    let mut wanted = by_kind(graph.resources.values());
    for kind in kinds.iter() {
        for place in kind.places() {
            wanted.entry((kind.name(), *place)).or_default();
        }
    }
    look_at(cloud, kinds, scope, graph, wanted).await
}

/// Observes for an unplanned failover: only the standby region, and there only what may have to
/// change.
///
/// The rest is taken from `known`, and what of it is in the standby region has to exist; what `known`
/// does not name counts as absent. Unwanted resources
/// are not listed, since a failover deletes nothing.
pub async fn observe_alone(
    cloud: &dyn Cloud,
    kinds: &KindRegistry,
    scope: &Scope,
    graph: &Graph,
    known: &BTreeMap<Address, Found>,
) -> Observed {
    let may_change = |it: &&Resource| it.place == Place::Standby && !known.contains_key(&it.address);
    let wanted = by_kind(graph.resources.values().filter(may_change));
    let kept = graph.resources.values().filter(|it| it.place == Place::Standby);
    let kept = kept.filter_map(|it| Some((it, known.get(&it.address)?)));
    let (mut seen, there) =
        tokio::join!(look_at(cloud, kinds, scope, graph, wanted), are_there(cloud, kinds, scope, kept));
    for resource in graph.resources.values().filter(|it| !may_change(it)) {
        let found = known.get(&resource.address).filter(|_| !there.gone.contains(&resource.address));
        seen.seen.insert(resource.address.clone(), found.cloned().map_or(Look::Absent, Look::Present));
    }
    seen.taken = there.unknown;
    (seen.no_image, seen.unwell) = (there.no_image, there.unwell);
    seen
}

async fn look_at(
    cloud: &dyn Cloud,
    kinds: &KindRegistry,
    scope: &Scope,
    graph: &Graph,
    wanted: Wanted<'_>,
) -> Observed {
    let looks = wanted.into_iter().filter_map(|((name, place), wanted)| {
        let kind = kinds.get(name).filter(|kind| kind.check().is_none())?;
        Some(look(cloud, kind, scope, place, wanted))
    });
    let mut all = Observed::default();
    for part in join_all(looks).await {
        all.seen.extend(part.seen);
        all.others.extend(part.others);
        all.unproven.extend(part.unproven);
        all.unlisted.extend(part.unlisted);
    }
    let Observed { seen, others, .. } = &mut all;
    // The second record of the mode belongs to no component and outlives them all.
    let witness = record::address();
    others.retain(|other| other.address != witness);
    // The listing of one kind may include an object that another kind read by name.
    others.retain(|other| match seen.get(&other.address) {
        Some(Look::Present(found)) => {
            found.id != other.found.id || graph.resources[&other.address].kind == other.kind
        }
        _ => true,
    });
    untagged::find(cloud, kinds, scope, graph, &mut all).await;
    all
}

impl Observed {
    /// Returns the addresses of the stack that something stands for, though the graph need not name
    /// them: what is found by its name may be another's.
    pub fn owners(&self) -> impl Iterator<Item = &Address> {
        let named = self.seen.values().filter_map(|look| match look {
            Look::Present(Found { owner: Owner::Ours(address), .. }) => Some(address),
            _ => None,
        });
        named.chain(self.others.iter().map(|it| &it.address))
    }
}

/// Observes again only these resources, which were just created or changed.
///
/// A resource that is not found is read again until eventual consistency can no longer hide it.
pub async fn look_again(
    cloud: &dyn Cloud,
    kinds: &KindRegistry,
    scope: &Scope,
    resources: impl Iterator<Item = &Resource>,
) -> BTreeMap<Address, Look> {
    let begin = Instant::now();
    let mut missing: Vec<&Resource> = resources.collect();
    let mut seen = BTreeMap::new();
    loop {
        let late = begin.elapsed() > cloud.consistency();
        let looks = by_kind(missing.iter().copied())
            .into_iter()
            .filter_map(|((kind, place), wanted)| Some(look(cloud, kinds.get(kind)?, scope, place, wanted)));
        seen.extend(join_all(looks).await.into_iter().flat_map(|part| part.seen));
        missing.retain(|resource| seen.get(&resource.address) == Some(&Look::Absent));
        if missing.is_empty() || late {
            return seen;
        }
        sleep(AGAIN).await;
    }
}

async fn look(
    cloud: &dyn Cloud,
    kind: &'static dyn DynKind,
    scope: &Scope,
    place: Place,
    wanted: Vec<&Resource>,
) -> Observed {
    let names: Vec<String> = wanted.iter().filter_map(|resource| resource.name.clone()).collect();
    let read = async {
        if names.is_empty() { Vec::new() } else { cloud.read(kind.name(), scope, place, &names).await }
    };
    let (read, listed) = tokio::join!(read, cloud.list_owned(kind.name(), scope, place, &names));
    let mut observed = Observed::default();
    let (listed, unlisted) = match listed {
        Ok(listed) => (listed, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let (claims, listed): (Vec<Found>, Vec<Found>) =
        listed.into_iter().partition(|it| matches!(it.owner, Owner::Unproven(_)));
    let mut owned = by_address(listed);
    let mut read = read.into_iter();
    for resource in &wanted {
        let answer = match &resource.name {
            Some(name) => named(read.next(), name, &resource.address),
            // Filled in below.
            None => Look::Absent,
        };
        observed.seen.insert(resource.address.clone(), answer);
    }
    if kind.keeps_name().is_some() {
        give_each_its_own(&wanted, &mut observed.seen, &mut owned);
    }
    leave_out_what_was_looked_at(kind, &wanted, &observed.seen, &mut owned);
    let by_tag = |it: &&&Resource| it.name.is_none() || kind.keeps_name().is_some();
    for resource in wanted.iter().filter(by_tag) {
        let Some(look @ Look::Absent) = observed.seen.get_mut(&resource.address) else { continue };
        *look = match (take(&mut owned, &resource.address, |_| true), &unlisted) {
            (Some(found), _) => Look::Present(found),
            (None, None) => Look::Absent,
            (None, Some(error)) => Look::Unknown(error.clone()),
        };
    }
    let looked_at: BTreeSet<&str> = wanted.iter().filter_map(|it| it.name.as_deref()).collect();
    let claims = claims.into_iter().filter(|it| !looked_at.contains(it.id.as_str()));
    observed.unproven = claims.map(|found| Claim { kind: kind.name(), place, found }).collect();
    observed.unlisted.extend(unlisted.map(|error| (kind.name(), place, error)));
    observed.others = owned
        .into_iter()
        .flat_map(|(address, found)| found.into_iter().map(move |found| (address.clone(), found)))
        .map(|(address, found)| Owned { kind: kind.name(), place, address, found })
        .collect();
    observed
}

/// Converts the read of the resource at `address`, which is looked up by `name`.
fn named(read: Option<Result<Option<Found>, CloudError>>, name: &str, address: &Address) -> Look {
    match read {
        Some(Ok(Some(mut found))) => {
            // It has the name that only this address gives: that is proof enough.
            if found.owner == Owner::Unproven(Some(address.clone())) {
                found.owner = Owner::Ours(address.clone());
            }
            Look::Present(found)
        }
        Some(Ok(None)) => Look::Absent,
        Some(Err(error)) => Look::Unknown(error),
        None => Look::Unknown(CloudError::Other {
            operation: "read".to_owned(),
            message: format!("no answer for `{name}`"),
        }),
    }
}

/// Gives each address its own object where that keeps the name of another, and its name leads to
/// another's.
fn give_each_its_own(
    wanted: &[&Resource],
    seen: &mut BTreeMap<Address, Look>,
    owned: &mut BTreeMap<Address, Vec<Found>>,
) {
    let mut strangers = Vec::new();
    for resource in wanted {
        let Some(Look::Present(found)) = seen.get(&resource.address) else { continue };
        let Owner::Ours(owner) = &found.owner else { continue };
        if *owner != resource.address {
            strangers.push(&resource.address);
            // A listing may leave out what is read by name.
            let listed = owned.entry(owner.clone()).or_default();
            if listed.iter().all(|it| it.id != found.id) {
                listed.push(found.clone());
            }
        }
    }
    for address in strangers {
        if let Some(own) = take(owned, address, |_| true) {
            seen.insert(address.clone(), Look::Present(own));
        }
    }
}

/// Drops listed objects that were already read by name.
///
/// Only an object that keeps the name which another desired address gave it is still listed under
/// that address.
fn leave_out_what_was_looked_at(
    kind: &'static dyn DynKind,
    wanted: &[&Resource],
    seen: &BTreeMap<Address, Look>,
    owned: &mut BTreeMap<Address, Vec<Found>>,
) {
    for resource in wanted {
        let Some(Look::Present(found)) = seen.get(&resource.address) else { continue };
        let Owner::Ours(owner) = &found.owner else { continue };
        let is_of_another =
            kind.keeps_name().is_some() && *owner != resource.address && seen.contains_key(owner);
        if !is_of_another {
            let name = resource.name.as_deref();
            take(owned, owner, |other| other.id == found.id || Some(other.id.as_str()) == name);
        }
    }
}

/// Groups by address, sorted by id within one, so that the order of the listing decides nothing.
fn by_address(mut listed: Vec<Found>) -> BTreeMap<Address, Vec<Found>> {
    listed.sort_by(|a, b| a.id.cmp(&b.id));
    let mut owned: BTreeMap<Address, Vec<Found>> = BTreeMap::new();
    for found in listed {
        if let Owner::Ours(address) = &found.owner {
            owned.entry(address.clone()).or_default().push(found);
        }
    }
    owned
}

fn take(
    owned: &mut BTreeMap<Address, Vec<Found>>,
    address: &Address,
    which: impl Fn(&Found) -> bool,
) -> Option<Found> {
    let all = owned.get_mut(address)?;
    let at = all.iter().position(which)?;
    Some(all.remove(at))
}

/// Captured facts: fresh answers, and the last ones for queries that failed.
#[derive(Debug, Default)]
pub struct Capture {
    /// All answers, fresh and last.
    pub facts: Facts,
    /// Values that must never be stored.
    pub secrets: Secrets,
    /// Queries that failed now, and why.
    pub failed: Vec<Remark>,
}

/// Merges a fresh answer with the previous one; the reader of that kind of fact decides what is
/// kept of both.
pub type Keep = fn(&FactQuery, Option<&Fact>, Fact) -> Fact;

/// Pauses before throttled facts are queried again.
///
/// The cloud client itself gives up after few attempts, since each attempt on a lost region costs a
/// wait. A region that throttles is alive and answers within seconds.
const THROTTLED: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// Captures `queries`; if one fails, its answer in `last` is kept with its old time, beside the
/// reason.
pub async fn capture(
    cloud: &dyn Cloud,
    scope: &Scope,
    queries: &[FactQuery],
    last: Facts,
    keep: Keep,
) -> Capture {
    let mut capture = Capture { facts: Facts { failed: BTreeMap::new(), ..last }, ..Capture::default() };
    for (query, answer) in
        queries.iter().zip(answers(queries, async |asked| cloud.capture_all(scope, asked).await).await)
    {
        let key = query.key();
        let value = match answer {
            Ok(Some(Captured { value, secrets })) => {
                capture.secrets.extend(secrets);
                value
            }
            Ok(None) => serde_json::Value::Null,
            Err(error) => {
                capture.failed.push(Remark { address: key.clone(), text: error.to_string() });
                capture.facts.failed.insert(key, error);
                continue;
            }
        };
        let fact = keep(query, capture.facts.answers.get(&key), Fact::new(cloud.now(), value));
        capture.facts.answers.insert(key, fact);
    }
    capture
}

type Answer = Result<Option<Captured>, CloudError>;

/// Returns the answers in order; queries again what was throttled, once per pause in [`THROTTLED`].
async fn answers(queries: &[FactQuery], ask: impl AsyncFn(&[FactQuery]) -> Vec<Answer>) -> Vec<Answer> {
    let mut answers = ask(queries).await;
    for pause in THROTTLED {
        let is_throttled = |at: &usize| matches!(answers[*at], Err(CloudError::Throttled { .. }));
        let throttled: Vec<usize> = (0..queries.len().min(answers.len())).filter(is_throttled).collect();
        if throttled.is_empty() {
            break;
        }
        sleep(pause).await;
        let again: Vec<FactQuery> = throttled.iter().map(|at| queries[*at].clone()).collect();
        for (at, answer) in throttled.into_iter().zip(ask(&again).await) {
            answers[at] = answer;
        }
    }
    answers
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn throttled() -> Answer {
        Err(CloudError::Throttled { operation: "s3:GetEncryptionConfiguration".to_owned() })
    }

    /// Returns the answers to two queries, the first of which is throttled `times` times, and the
    /// number of rounds.
    async fn asked(times: usize) -> (Vec<Answer>, usize) {
        let (queries, rounds) = (["a", "b"].map(|it| FactQuery::primary("bucket", it)), Cell::new(0));
        let answers = answers(&queries, async |asked| {
            rounds.set(rounds.get() + 1);
            assert!(rounds.get() == 1 || asked == &queries[..1], "what was answered is not asked again");
            let is_throttled = |it: &FactQuery| it.name == "a" && rounds.get() <= times;
            asked.iter().map(|it| if is_throttled(it) { throttled() } else { Ok(None) }).collect()
        });
        (answers.await, rounds.get())
    }

    #[tokio::test(start_paused = true)]
    async fn a_fact_that_was_throttled_is_asked_for_again_within_a_bound() {
        for (times, is_answered, rounds) in [(0, true, 1), (1, true, 2), (3, true, 4), (9, false, 4)] {
            let (answers, asked) = asked(times).await;
            assert_eq!((matches!(answers[0], Ok(None)), asked), (is_answered, rounds), "{times}");
            assert!(matches!(answers[1], Ok(None)));
        }
    }
}
