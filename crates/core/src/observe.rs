//! Observe: what the cloud really holds of what is wanted and of what is owned.
//!
//! Absent, present and could-not-look are three different answers, and stay so to the end.

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
use crate::plan::Remark;

/// What one look at one wanted resource answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Look {
    /// Certainly not there.
    Absent,
    /// There.
    Present(Found),
    /// The look failed: nothing is known.
    Unknown(CloudError),
}

/// A resource the stack owns and the graph does not name, or names a second time.
#[derive(Clone, Debug, PartialEq)]
pub struct Owned {
    /// Its kind's name.
    pub kind: &'static str,
    /// Where it stands.
    pub place: Place,
    /// The address it was made for.
    pub address: Address,
    /// The resource.
    pub found: Found,
}

/// Something that its tags alone say is the stack's.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Its kind's name.
    pub kind: &'static str,
    /// Where it stands.
    pub place: Place,
    /// The resource.
    pub found: Found,
}

/// What the cloud holds.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// One answer for each wanted resource.
    pub seen: BTreeMap<Address, Look>,
    /// Owned, and not (or not only) wanted.
    pub others: Vec<Owned>,
    /// Tagged as the stack's without anything that proves it, and not what a wanted resource's name leads to.
    pub unproven: Vec<Claim>,
    /// Listings that failed: there may be more that is owned.
    pub unlisted: Vec<(&'static str, Place, CloudError)>,
    /// What a run was cut off while making: it may be there without the stack's tags.
    pub begun: BTreeSet<Address>,
}

/// Wanted resources by what is asked for all of them at once.
type Wanted<'a> = BTreeMap<(&'a str, Place), Vec<&'a Resource>>;

fn by_kind<'a>(resources: impl Iterator<Item = &'a Resource>) -> Wanted<'a> {
    let mut wanted = Wanted::new();
    for resource in resources {
        wanted.entry((&resource.kind, resource.place)).or_default().push(resource);
    }
    wanted
}

/// Looks at every resource of `graph`, and lists what the stack owns, all kinds at once.
pub async fn observe(cloud: &dyn Cloud, kinds: &KindRegistry, scope: &Scope, graph: &Graph) -> Observed {
    let mut wanted = by_kind(graph.resources.values());
    for kind in kinds.iter() {
        for place in kind.places() {
            wanted.entry((kind.name(), *place)).or_default();
        }
    }
    look_at(cloud, kinds, scope, graph, wanted).await
}

/// What a failover sees: it asks the standby region alone, and there only for what it may have to change. The rest is as `known` says:
/// absent what that does not name. What nobody wants is not listed: a failover removes nothing.
pub async fn observe_alone(
    cloud: &dyn Cloud,
    kinds: &KindRegistry,
    scope: &Scope,
    graph: &Graph,
    known: &BTreeMap<Address, Found>,
) -> Observed {
    let may_change = |it: &&Resource| it.place == Place::Standby && !known.contains_key(&it.address);
    let wanted = by_kind(graph.resources.values().filter(may_change));
    let mut seen = look_at(cloud, kinds, scope, graph, wanted).await;
    for resource in graph.resources.values().filter(|it| !may_change(it)) {
        let found = known.get(&resource.address).cloned();
        seen.seen.insert(resource.address.clone(), found.map_or(Look::Absent, Look::Present));
    }
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
        let kind = kinds.get(name).filter(|kind| !kind.verifies())?;
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
    // The second record of the mode is no component's, and outlives them all.
    let witness = record::address();
    others.retain(|other| other.address != witness);
    // What one kind lists may be what another one looked at by name.
    others.retain(|other| match seen.get(&other.address) {
        Some(Look::Present(found)) => {
            found.id != other.found.id || graph.resources[&other.address].kind == other.kind
        }
        _ => true,
    });
    all
}

/// The pause between two looks for what was just made.
const AGAIN: Duration = Duration::from_secs(1);

/// Looks again at these resources alone, which were just made or changed: what a look does not find is looked for until none
/// can miss it any more.
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
            // Answered below.
            None => Look::Absent,
        };
        observed.seen.insert(resource.address.clone(), answer);
    }
    leave_out_what_was_looked_at(kind, &wanted, &observed.seen, &mut owned);
    let by_tag = |it: &&&Resource| it.name.is_none() || kind.keeps_name();
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

/// The answer for the resource at `address`, which is looked up by `name`.
fn named(read: Option<Result<Option<Found>, CloudError>>, name: &str, address: &Address) -> Look {
    match read {
        Some(Ok(Some(mut found))) => {
            // It has the name that this very address gives: that is proof enough.
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

/// What a listing says of something that was looked at by its name is about the same object. Only what keeps the name that another
/// wanted address gave it is still to be found under that address.
fn leave_out_what_was_looked_at(
    kind: &'static dyn DynKind,
    wanted: &[&Resource],
    seen: &BTreeMap<Address, Look>,
    owned: &mut BTreeMap<Address, Vec<Found>>,
) {
    for resource in wanted {
        let Some(Look::Present(found)) = seen.get(&resource.address) else { continue };
        let Owner::Ours(owner) = &found.owner else { continue };
        let is_of_another = kind.keeps_name() && *owner != resource.address && seen.contains_key(owner);
        if !is_of_another {
            let name = resource.name.as_deref();
            take(owned, owner, |other| other.id == found.id || Some(other.id.as_str()) == name);
        }
    }
}

/// By address; of one address in the order of their ids, so that the order of the listing decides nothing.
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

/// Facts, freshly asked, with the last answers where nothing answered.
#[derive(Debug, Default)]
pub struct Capture {
    /// All answers, fresh and last.
    pub facts: Facts,
    /// What must not be written down.
    pub secrets: Secrets,
    /// Questions that nothing answered now, and why.
    pub failed: Vec<Remark>,
}

/// What becomes of an answer, beside the one before it: what is kept of both is for the reader of that kind of fact to say.
pub type Keep = fn(&FactQuery, Option<&Fact>, Fact) -> Fact;

/// Pauses before facts that were throttled are asked for again. The cloud itself gives up after few attempts, since a region that is
/// lost has to be waited for by each of them; one that throttles is there, and answers within seconds.
const THROTTLED: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// Asks `queries`; where nothing answers, what was in `last` stays, with its old time and beside the reason.
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

/// The answers in order; what was throttled is asked for again, as long as [`THROTTLED`] has it.
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

    /// Answers to two questions, the first of which is throttled this many times, and how often somebody asked.
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
