//! Whether the names that users call lead to the standby region once a failover has moved traffic.
//!
//! A failover does not ask DNS: its control plane may be in the lost region. It knows what leads users from what the last
//! apply published, and from the journals of the runs since.

use std::collections::{BTreeMap, BTreeSet};

use drstack_core::address::ComponentAddress;
use drstack_core::control::runs::{Leading, unsettled};
use drstack_core::graph::{Graph, Resource};
use drstack_core::kind::Place;
use drstack_core::plan::{Intent, Options, PlanReport, Remark};

use crate::failure::{Failure, store_failure};
use crate::ops::unlock::{Held, look};
use crate::session::Session;
use crate::text::listed;

/// Components that nothing says how they are, each with the run that has changed it.
pub(super) type Unsettled = BTreeMap<ComponentAddress, String>;

impl Session {
    /// Returns the components that lead users in `graph`.
    fn leading(&self, graph: &Graph) -> BTreeSet<ComponentAddress> {
        let leads = |kind: &str| self.kinds.get(kind).is_some_and(|kind| kind.leads_users());
        let leading = graph.resources.values().filter(|it| leads(&it.kind));
        leading.map(|it| it.address.component()).collect()
    }

    /// Reads which components that lead users a run has changed since what a failover works from was published: one that
    /// was cut off, or failed.
    ///
    /// # Errors
    /// The error of the control bucket.
    pub(super) async fn unsettled(&self, options: &Options, graph: &Graph) -> Result<Unsettled, Failure> {
        let components = self.leading(graph);
        // A planned failover looks at DNS itself.
        if options.intent != Intent::Failover || self.decisions.without_control || components.is_empty() {
            return Ok(Unsettled::new());
        }
        // The record, and what it asks. Weights and switches are what a failover moves users with.
        let leads = |it: &&Resource| {
            let kind = self.kinds.get(&it.kind).filter(|kind| kind.traffic().is_none());
            let is_meant =
                kind.is_some_and(|kind| it.place == Place::Global || kind.capabilities().is_read_elsewhere);
            is_meant && components.contains(&it.address.component())
        };
        let leading = Leading {
            kinds: components.iter().map(ComponentAddress::kind).collect(),
            resources: graph.resources.values().filter(leads).map(|it| it.address.resource()).collect(),
        };
        let holder = match look(self).await? {
            Held::By { holder, .. } => Some(holder.run),
            Held::Free | Held::Broken(_) => None,
        };
        let since = self.alone.as_ref().and_then(|it| it.run.as_deref());
        let left = unsettled(&*self.store, &leading, since, holder.as_deref()).await;
        left.map_err(|error| store_failure(&error))
    }

    /// Notes the names of which nobody knows whether they lead users, after what was `left` of them.
    pub(super) fn say_who_is_led(
        &self,
        left: Result<Unsettled, Failure>,
        graph: &Graph,
        report: &mut PlanReport,
    ) {
        let leading = self.leading(graph);
        let standby = &self.stack.facts.standby;
        let mut note = |of: Vec<&ComponentAddress>, text: &str| {
            // What nobody has seen is said already.
            let new: Vec<&ComponentAddress> =
                of.into_iter().filter(|it| !report.unled.contains(*it)).collect();
            let remark = |it: &&ComponentAddress| Remark { address: it.to_string(), text: text.to_owned() };
            report.notes.extend(new.iter().map(remark));
            report.unled.extend(new.into_iter().cloned());
        };
        let left = match left {
            Ok(left) => left,
            Err(error) => {
                let text = format!(
                    "could not look whether a run has changed what leads users to {standby}: {}",
                    error.message
                );
                return note(leading.iter().collect(), &text);
            }
        };
        let mut by_run: BTreeMap<&str, Vec<&ComponentAddress>> = BTreeMap::new();
        for (component, run) in &left {
            by_run.entry(run).or_default().push(component);
        }
        for (run, changed) in by_run {
            // Under another name it may be any of them.
            let known: Vec<&ComponentAddress> =
                changed.iter().copied().filter(|it| leading.contains(it)).collect();
            let meant = if known.len() == changed.len() { known } else { leading.iter().collect() };
            let text = format!(
                "run {run} changed {} and published nothing for a failover: nobody knows whether users are led to {standby}",
                listed(&changed)
            );
            note(meant, &text);
        }
    }
}
