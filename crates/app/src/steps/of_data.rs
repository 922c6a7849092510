//! Data that was there and is gone, so that what is made in its place is empty; and data that stays and that
//! nothing of the graph stands for.

use drstack_core::compile::compile;
use drstack_core::facts::Facts;
use drstack_core::graph::Graph;
use drstack_core::kind::{Action, Lookup, Place, Role};
use drstack_core::objective::Mode;
use drstack_core::observe::{Look, look_by_name};
use drstack_core::plan::{EMPTY, Intent, Options, Plan, PlanReport, Remark, Step};

use crate::session::Session;

impl Session {
    /// Says what the plan alone does not say of data.
    pub(super) async fn say_of_data(
        &self,
        options: &Options,
        (facts, graph): (&Facts, &Graph),
        plan: &Plan,
        report: &mut PlanReport,
    ) {
        report.notes.extend(self.made_empty(options, plan).await);
        report.notes.extend(self.lost_since(options, plan));
        let stays = self.begun_by_a_failover(options, facts, graph).await;
        match options.intent {
            Intent::Destroy => report.kept.extend(stays),
            _ => report.notes.extend(stays),
        }
    }

    /// Names what a failover began to restore, and died before it had the stack's tags: nothing finds it by them.
    async fn begun_by_a_failover(&self, options: &Options, facts: &Facts, graph: &Graph) -> Vec<Remark> {
        if !matches!(options.intent, Intent::Destroy | Intent::Failback) {
            return Vec::new();
        }
        let active = compile(&self.stack, facts, Mode::Active).graph;
        let restored = active.resources.values().filter(|it| {
            let kind = self.kinds.get(&it.kind);
            !graph.resources.contains_key(&it.address)
                && kind.is_some_and(|kind| kind.role() == Role::Restored)
        });
        let looks = look_by_name(&*self.cloud, &self.kinds, &self.scope, restored).await;
        let stays = looks.into_iter().filter_map(|(address, look)| {
            let text = match look {
                Look::Present(found) if !found.owner.is_ours() => format!(
                    "`{}` has the name under which a failover restores it, and not the tags of this stack: it is left alone; where it is the stack's, delete it yourself",
                    found.id
                ),
                Look::Unknown(error) => format!("could not look: {error}; a failover may have left it"),
                Look::Present(_) | Look::Absent => return None,
            };
            Some(Remark { address: address.to_string(), text })
        });
        stays.collect()
    }

    /// Says of data that is made while the standby region serves that it served: what was written to it is lost.
    fn lost_since(&self, options: &Options, plan: &Plan) -> Vec<Remark> {
        if (options.intent, options.mode) != (Intent::Converge, Mode::Active) {
            return Vec::new();
        }
        let is_lost = |step: &&Step| {
            let kind = self.kinds.get(&step.kind);
            let is_data = kind.is_some_and(|it| it.role().holds_data() && !it.capabilities().starts_empty);
            step.action == Action::Create
                && step.place == Place::Standby
                && !step.replaces
                && is_data
                && kind.is_some_and(|it| it.lookup() == Lookup::Name)
        };
        let text = format!(
            "where a failover left it, it was there and is gone: what was written to it in {} since is lost",
            self.stack.facts.standby
        );
        let lost = plan.steps.iter().filter(is_lost);
        lost.map(|step| Remark { address: step.address.to_string(), text: text.clone() }).collect()
    }

    /// Says of what an apply makes that the last one left data there. The bundle is read only where something
    /// is made that starts empty.
    async fn made_empty(&self, options: &Options, plan: &Plan) -> Vec<Remark> {
        let starts_empty = |step: &&Step| {
            let kind = self.kinds.get(&step.kind);
            step.action == Action::Create
                && !step.replaces
                && kind.is_some_and(|it| it.capabilities().starts_empty)
        };
        let made: Vec<&Step> = plan.steps.iter().filter(starts_empty).collect();
        if options.intent != Intent::Converge || made.is_empty() {
            return Vec::new();
        }
        let before = self.may_alone().await;
        let text = |step: &Step| match &before {
            Ok(before) => before.had(step).then(|| EMPTY.to_owned()),
            Err(failure) => Some(format!("could not look whether data was there: {}", failure.message)),
        };
        let lost = made.into_iter().filter_map(|step| Some((step.address.to_string(), text(step)?)));
        lost.map(|(address, text)| Remark { address, text }).collect()
    }
}
