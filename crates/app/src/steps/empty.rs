//! Data that was there and is gone: what is made in its place is empty.

use std::collections::BTreeSet;

use drstack_core::address::Address;
use drstack_core::kind::Action;
use drstack_core::plan::{EMPTY, Intent, Options, Plan, Remark, Step};

use crate::session::Session;

impl Session {
    /// Says of what an apply makes that the last one left data there. The bundle is read only where something
    /// is made that starts empty.
    pub(super) async fn made_empty(&self, options: &Options, plan: &Plan) -> Vec<Remark> {
        let starts_empty = |step: &&Step| {
            let kind = self.kinds.get(&step.kind);
            step.action == Action::Create
                && !step.replaces
                && kind.is_some_and(|it| it.capabilities().starts_empty)
        };
        let made: Vec<&Address> = plan.steps.iter().filter(starts_empty).map(|it| &it.address).collect();
        if options.intent != Intent::Converge || made.is_empty() {
            return Vec::new();
        }
        let had: BTreeSet<Address> =
            self.published().await.map(|it| it.data.into_keys().collect()).unwrap_or_default();
        let lost = made.into_iter().filter(|it| had.contains(*it));
        lost.map(|it| Remark { address: it.to_string(), text: EMPTY.to_owned() }).collect()
    }
}
