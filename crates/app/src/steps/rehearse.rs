//! Rehearses a failover, from the world that an apply leaves.

use std::collections::{BTreeMap, BTreeSet};

use drstack_core::address::Address;
use drstack_core::compile::compile;
use drstack_core::facts::Facts;
use drstack_core::graph::{Graph, Resource};
use drstack_core::kind::{Action, KindRegistry, Place};
use drstack_core::objective::{Mode, Standing};
use drstack_core::observe::{Look, Observed, Owned, look_by_name};
use drstack_core::plan::stability::{Beside, Rehearsal};
use drstack_core::plan::{Intent, Options, Plan, Remark};

use crate::failure::{Failure, shape_failure};
use crate::session::Session;

/// Returns the data in the standby region that the stack does not want there now, and that `plan` keeps.
fn left_data<'s>(seen: &'s Observed, plan: &Plan, kinds: &KindRegistry) -> Vec<&'s Owned> {
    let is_data = |it: &&Owned| kinds.get(it.kind).is_some_and(|kind| kind.role().holds_data());
    let goes = deleted(plan);
    let in_standby = seen.others.iter().filter(|it| it.place == Place::Standby).filter(is_data);
    in_standby.filter(|it| !goes.contains(it.found.id.as_str())).collect()
}

/// Returns the ids of what `plan` deletes.
fn deleted(plan: &Plan) -> BTreeSet<&str> {
    plan.steps.iter().filter(|it| it.action == Action::Delete).filter_map(|it| it.id.as_deref()).collect()
}

/// Returns what stands in the way of the rehearsed failover: calls that it may not make, else what it
/// could not do.
pub(super) fn obstacles(rehearsal: &Rehearsal) -> Vec<Remark> {
    if !rehearsal.violations.is_empty() {
        return rehearsal.violations.clone();
    }
    let lacks = |it: &Remark| Remark {
        address: it.address.clone(),
        text: format!("a failover would be blocked: {}", it.text),
    };
    rehearsal.report.blocked.iter().map(lacks).collect()
}

impl Session {
    /// Rehearses a failover from the world that `standby` describes, if this is a whole apply.
    ///
    /// What could not be looked at for it is added to what was `seen`.
    pub(super) async fn rehearse(
        &self,
        options: &Options,
        facts: &Facts,
        standby: &Graph,
        (now, plan, seen): (&Standing, &Plan, &mut Observed),
    ) -> Result<Option<Rehearsal>, Failure> {
        if options.intent != Intent::Converge || options.mode != Mode::Standby || !options.targets.is_empty()
        {
            return Ok(None);
        }
        let epoch = now.epoch.saturating_add(1);
        let active = self.as_it_serves(facts, epoch);
        let is_new =
            |it: &&Resource| it.place == Place::Standby && !standby.resources.contains_key(&it.address);
        let new = active.resources.values().filter(is_new);
        let mut named = look_by_name(&*self.cloud, &self.kinds, &self.scope, new).await;
        let goes = deleted(plan);
        named.retain(|_, look| !matches!(look, Look::Present(found) if goes.contains(found.id.as_str())));
        let unseen: BTreeMap<Address, Look> =
            named.extract_if(.., |_, look| matches!(look, Look::Unknown(_))).collect();
        let beside = Beside { left: left_data(seen, plan, &self.kinds), named, begun: seen.begun.clone() };
        let mut rehearsal = self.rehearsed(standby, &active, &beside)?;
        // What could not be looked at may be in the way: what waits for it is another matter.
        rehearsal.report.blocked.extend(unseen.iter().filter_map(|(address, look)| match look {
            Look::Unknown(error) => {
                let text = format!("could not look: {error}; {}", error.hint());
                Some(Remark { address: address.to_string(), text })
            }
            Look::Present(_) | Look::Absent => None,
        }));
        seen.seen.extend(unseen);
        Ok(Some(rehearsal))
    }

    /// Compiles the stack as it serves after a failover with this epoch.
    pub(crate) fn as_it_serves(&self, facts: &Facts, epoch: u64) -> Graph {
        compile(&self.stack, facts, Standing { epoch, ..Mode::Active.into() }).graph
    }

    /// Rehearses the failover to `active` from the world that `standby` describes, and what is `beside` it.
    pub(super) fn rehearsed(
        &self,
        standby: &Graph,
        active: &Graph,
        beside: &Beside<'_>,
    ) -> Result<Rehearsal, Failure> {
        let (planner, stack) = (&self.app.catalog.planner, &self.stack.facts);
        let rehearsal = planner.rehearse(standby, active, &self.kinds, stack, beside);
        rehearsal.map_err(|error| shape_failure(&error))
    }
}
