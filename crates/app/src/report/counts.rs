//! Counts the instances in service during a change of mode.

use std::collections::BTreeMap;
use std::time::Duration;

use drstack_core::address::Address;
use drstack_core::cloud::{CloudError, Found};
use drstack_core::engine::execute::RunSummary;
use drstack_core::kind::{Action, Place};
use drstack_core::observe::Look;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::planned::PlanOutcome;
use crate::report::timeline::InService;
use crate::session::Session;
use crate::text;

/// Interval between two counts of the instances in service. Each count is one bulk call, and a dip
/// that lasts a minute is always seen.
const SAMPLE: Duration = Duration::from_secs(10);

/// Kind and id of a group that runs instances, with the result of reading it.
type Counted = (&'static str, String, Result<Option<Found>, CloudError>);

/// The instances in service, counted during a run.
#[derive(Default)]
pub(crate) struct Counts {
    /// The groups that run instances, by kind and id, with address and spec.
    groups: BTreeMap<&'static str, BTreeMap<String, (Address, Value)>>,
    /// On-demand instances of groups whose target is spot, at the last count.
    on_demand: BTreeMap<Address, u32>,
    /// True if the run took long enough for a count during it.
    is_long: bool,
    before: Option<u32>,
    fewest: Option<u32>,
    last: Option<u32>,
}

impl Counts {
    pub(crate) async fn of(session: &Session, planned: &PlanOutcome) -> Self {
        let mut counts = Self::default();
        for (address, look) in &planned.seen {
            let resource = planned.compiled.graph.resources.get(address);
            if is_made(session, planned, address) {
                counts.before.get_or_insert(0);
            }
            if let (Some(resource), Look::Present(found)) = (resource, look)
                && let Some(kind) = session.kinds.get(&resource.kind)
                && let Ok(Some(serving)) = kind.serving(&found.live)
            {
                let wanted = (address.clone(), resource.spec.clone());
                counts.groups.entry(kind.name()).or_default().insert(found.id.clone(), wanted);
                counts.before = Some(counts.before.unwrap_or(0) + serving);
            }
        }
        counts.add_what_goes(session, planned).await;
        (counts.fewest, counts.last) = (counts.before, counts.before);
        counts
    }

    /// Counts what the run deletes, such as the group of a cold pool: it serves until then.
    async fn add_what_goes(&mut self, session: &Session, planned: &PlanOutcome) {
        let mut going: BTreeMap<&'static str, BTreeMap<String, &Address>> = BTreeMap::new();
        for step in planned.plan.steps.iter().filter(|it| it.action == Action::Delete) {
            let kind = session.kinds.get(&step.kind).filter(|kind| kind.capacity().is_some());
            if let (Some(kind), Some(id)) = (kind, &step.id) {
                going.entry(kind.name()).or_default().insert(id.clone(), &step.address);
            }
        }
        for (kind, groups) in going {
            let ids: Vec<String> = groups.keys().cloned().collect();
            let looks = session.cloud.read(kind, &session.scope, Place::Standby, &ids).await;
            if looks.iter().any(Result::is_err) {
                // What was not seen is not counted, and no number is better than a wrong one.
                self.before = None;
                return;
            }
            for (id, look) in ids.into_iter().zip(looks) {
                let serves = session.kinds.get(kind).zip(look.ok().flatten());
                let serving = serves.and_then(|(kind, found)| kind.serving(&found.live).ok().flatten());
                if let (Some(serving), Some(address)) = (serving, groups.get(&id)) {
                    let wanted = ((*address).clone(), Value::Null);
                    self.groups.entry(kind).or_default().insert(id, wanted);
                    self.before = Some(self.before.unwrap_or(0) + serving);
                }
            }
        }
    }

    /// Counts at intervals, and once more after the run has `finished`, if it took longer than one
    /// interval.
    pub(crate) async fn sample(&mut self, session: &Session, finished: &CancellationToken) {
        while finished.run_until_cancelled(session.app.host.rest(SAMPLE)).await.is_some() {
            self.count(session).await;
        }
        if self.is_long {
            self.count(session).await;
        }
    }

    /// Counts at the end of a run. A short run in which no step failed is counted by what its steps
    /// observed last; a failed step observed no end.
    pub(crate) async fn conclude(&mut self, session: &Session, planned: &PlanOutcome, summary: &RunSummary) {
        match summary.is_complete() {
            _ if self.is_long => {}
            true => self.count_seen(session, planned, summary),
            false => self.count(session).await,
        }
        let made = summary.left.iter().filter(|(address, _)| is_made(session, planned, address));
        let serving = made.filter_map(|(address, found)| {
            let resource = planned.compiled.graph.resources.get(address)?;
            session.kinds.get(&resource.kind)?.serving(&found.live).ok().flatten()
        });
        self.last = self.last.map(|last| last + serving.sum::<u32>());
    }

    /// Counts what the steps of a short run observed last: less time has passed since than between
    /// two counts.
    fn count_seen(&mut self, session: &Session, planned: &PlanOutcome, summary: &RunSummary) {
        let seen = |address: &Address| match planned.seen.get(address) {
            Some(Look::Present(found)) => Some(found.clone()),
            _ => None,
        };
        let looks = self.groups.iter().flat_map(|(kind, groups)| {
            groups.iter().map(|(id, (address, _))| {
                let found = summary.left.get(address).cloned().or_else(|| seen(address));
                (*kind, id.clone(), Ok(found))
            })
        });
        let looks = looks.collect();
        self.note(session, looks);
    }

    async fn count(&mut self, session: &Session) {
        self.is_long = true;
        let mut looks = Vec::new();
        for (kind, groups) in &self.groups {
            let ids: Vec<String> = groups.keys().cloned().collect();
            let found = session.cloud.read(kind, &session.scope, Place::Standby, &ids).await;
            looks.extend(ids.iter().zip(found).map(|(id, look)| (*kind, id.clone(), look)));
        }
        self.note(session, looks);
    }

    /// Records a count. A failed read counts nothing: it shows nothing about the instances in
    /// service.
    fn note(&mut self, session: &Session, looks: Vec<Counted>) {
        let (mut sum, mut on_demand) = (0, BTreeMap::new());
        for (kind, id, look) in looks {
            let wanted = self.groups.get(kind).and_then(|groups| groups.get(&id));
            let Some(kind) = session.kinds.get(kind) else { return };
            if let (Ok(Some(found)), Some((address, spec))) = (&look, wanted) {
                let left = kind.capacity().map(|it| it.left_on_demand(spec, &found.live));
                on_demand.insert(address.clone(), left.and_then(Result::ok).unwrap_or(0));
            }
            match look.map(|found| found.map(|found| kind.serving(&found.live))) {
                Ok(Some(Ok(Some(serving)))) => sum += serving,
                Ok(None) => {}
                _ => return,
            }
        }
        self.on_demand = on_demand;
        if self.before.is_some() {
            self.fewest = self.fewest.map(|fewest| fewest.min(sum));
            self.last = Some(sum);
        }
    }

    /// Lists the instances that Auto Scaling has yet to replace with spot instances after a
    /// failback.
    pub(crate) fn left_on_demand(&self) -> Vec<String> {
        let left = self.on_demand.iter().filter(|(_, count)| **count > 0);
        left.map(|(address, count)| format!("{address}: {}", text::count(*count as usize, "instance")))
            .collect()
    }

    /// True if the run was too short for a count during it.
    pub(crate) fn is_short(&self) -> bool {
        !self.is_long
    }

    pub(crate) fn in_service(&self) -> Option<InService> {
        Some(InService { before: self.before?, fewest: self.fewest?, after: self.last? })
    }
}

/// True if the resource runs instances and did not exist before the run.
fn is_made(session: &Session, planned: &PlanOutcome, address: &Address) -> bool {
    let kind = planned.compiled.graph.resources.get(address).and_then(|it| session.kinds.get(&it.kind));
    let is_absent = planned.seen.get(address) == Some(&Look::Absent);
    is_absent && kind.is_some_and(|kind| kind.capacity().is_some())
}
