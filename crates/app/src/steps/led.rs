//! Whether the names that users call lead to the standby region once a failover has moved traffic.
//!
//! A failover does not ask DNS: its control plane may be in the lost region. It knows what leads users from the last whole
//! apply, and from the journals of the runs since.

use std::collections::{BTreeMap, BTreeSet};

use drstack_core::address::ComponentAddress;
use drstack_core::control::runs::unsettled;
use drstack_core::graph::Graph;
use drstack_core::plan::{Intent, Options, PlanReport, Remark};

use crate::failure::{Failure, store_failure};
use crate::ops::unlock::{Held, look};
use crate::session::Session;
use crate::text::listed;

impl Session {
    /// Notes the names that a run has changed since what the failover works from was published: one that was cut off, or failed.
    pub(super) async fn say_who_is_led(&self, options: &Options, graph: &Graph, report: &mut PlanReport) {
        // A planned failover looks at DNS itself.
        if options.intent != Intent::Failover || self.decisions.without_control {
            return;
        }
        let leads = |kind: &str| self.kinds.get(kind).is_some_and(|kind| kind.leads_users());
        let leading = graph.resources.values().filter(|it| leads(&it.kind)).map(|it| it.address.component());
        let leading: BTreeSet<ComponentAddress> = leading.collect();
        let kinds: BTreeSet<&str> = leading.iter().map(ComponentAddress::kind).collect();
        if kinds.is_empty() {
            return;
        }
        let standby = &self.stack.facts.standby;
        let since = self.alone.as_ref().and_then(|it| it.run.as_deref());
        let left = match self.unsettled(&kinds, since).await {
            Ok(left) => left,
            Err(error) => {
                let text = format!(
                    "could not look whether a run has changed what leads users to {standby}: {}",
                    error.message
                );
                report
                    .notes
                    .extend(leading.iter().map(|it| Remark { address: it.to_string(), text: text.clone() }));
                report.unled.extend(leading);
                return;
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
            report
                .notes
                .extend(meant.iter().map(|it| Remark { address: it.to_string(), text: text.clone() }));
            report.unled.extend(meant.into_iter().cloned());
        }
    }

    /// Returns the components of `kinds` that nothing says how they are, each with the run that has changed it.
    async fn unsettled(
        &self,
        kinds: &BTreeSet<&str>,
        since: Option<&str>,
    ) -> Result<BTreeMap<ComponentAddress, String>, Failure> {
        let holder = match look(self).await? {
            Held::By { holder, .. } => Some(holder.run),
            Held::Free | Held::Broken(_) => None,
        };
        let left = unsettled(&*self.store, kinds, since, holder.as_deref()).await;
        left.map_err(|error| store_failure(&error))
    }
}
