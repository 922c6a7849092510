//! Identity of a stack: its name and regions are those of the first apply, since its resources are
//! found by them.
//!
//! A folder is no identity: pipelines and laptops share a stack. So a copy of a stack's files under
//! the same name is recognized by its plan alone, which keeps nothing of what exists.

use std::collections::{BTreeMap, BTreeSet};

use drstack_core::address::{Address, ComponentAddress};
use drstack_core::cloud::Found;
use drstack_core::component::StackFacts;
use drstack_core::control::records;
use drstack_core::graph::Graph;
use drstack_core::kind::Action;
use drstack_core::observe::Look;
use drstack_core::plan::{Plan, Remark};

use crate::failure::{Failure, Status, store_failure};
use crate::planned::PlanOutcome;
use crate::session::Session;

/// Components that the question about another stack names at most.
const NAMED: usize = 3;

/// Fails if the files are of another stack than the one that was `applied` with this control bucket,
/// or of the same one in other regions: what exists would be out of sight.
pub(crate) fn same_stack(files: &StackFacts, applied: &StackFacts) -> Result<(), Failure> {
    let StackFacts { name, primary, standby, .. } = applied;
    let said = |it: &StackFacts| format!("`{}`, from {} to {}", it.name, it.primary, it.standby);
    let hint = if files.name != *name {
        format!(
            "write `name = \"{name}\"` again: its resources carry that name; another stack needs a `control` bucket of its own"
        )
    } else if (&files.primary, &files.standby) != (primary, standby) {
        format!(
            "write `primary = \"{primary}\"` and `standby = \"{standby}\"` again; to move without a gap, apply these files with another `name` and `control`, run `drstack destroy STACK` with the old ones, then apply the new ones again: DNS records that belong to the old stack wait for that"
        )
    } else {
        return Ok(());
    };
    let message = format!(
        "the control bucket `{}` is of {}; the files say {}",
        files.control,
        said(applied),
        said(files)
    );
    Err(Failure::new(Status::NotReady, message, hint))
}

/// Returns the remark on a plan that deletes what the stack has and keeps nothing of it: its files
/// may be those of another stack with the same name.
pub(crate) fn replaces_all(plan: &Plan, want: &Graph, seen: &BTreeMap<Address, Look>) -> Option<Remark> {
    let ours = |look: &Look| matches!(look, Look::Present(Found { owner, .. }) if owner.is_ours());
    // What could not be looked at may be kept.
    if seen.values().any(|look| ours(look) || matches!(look, Look::Unknown(_))) {
        return None;
    }
    let wanted: BTreeSet<ComponentAddress> = want.resources.keys().map(Address::component).collect();
    let deleted = plan.steps.iter().filter(|step| step.action == Action::Delete);
    let gone: BTreeSet<ComponentAddress> =
        deleted.map(|step| step.address.component()).filter(|it| !wanted.contains(it)).collect();
    let mut names: Vec<String> = gone.iter().take(NAMED).map(ToString::to_string).collect();
    names.extend((gone.len() > NAMED).then(|| "...".to_owned()));
    let text = format!(
        "this plan deletes all that the stack has ({}) and keeps nothing of it; is this another stack with the same name?",
        names.join(", ")
    );
    (!gone.is_empty()).then(|| Remark { address: "stack".to_owned(), text })
}

impl Session {
    /// Fails if `shown` replaces all that the stack has, which a person has to approve.
    pub(crate) fn expect_more_than_replaced(&self, shown: &PlanOutcome) -> Result<(), Failure> {
        let Some(remark) = replaces_all(&shown.plan, &shown.compiled.graph, &shown.seen) else {
            return Ok(());
        };
        let hint = "where it is another stack, give it another `name`, and a `control` bucket of its own; where it is this one, run \
                    `drstack apply STACK` without `--auto-approve` and answer the question, or run `drstack destroy STACK` before";
        Err(Failure::new(Status::NotReady, remark.text, hint))
    }

    /// Fails as [`same_stack`] does, before anything is said about which region serves.
    pub(crate) async fn expect_same_stack(&self) -> Result<(), Failure> {
        let kept = records::facts(&*self.store).await.map_err(|error| store_failure(&error))?;
        kept.of.iter().try_for_each(|applied| same_stack(&self.stack.facts, applied))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(name: &str, standby: &str) -> StackFacts {
        let [name, primary, standby, control] =
            [name, "us-east-1", standby, "shop-control"].map(str::to_owned);
        StackFacts { name, primary, standby, control, permissions_boundary: None }
    }

    #[test]
    fn a_stack_keeps_its_name_and_regions() {
        let applied = facts("shop", "us-west-2");
        assert!(same_stack(&applied, &applied).is_ok());
        let moved = same_stack(&facts("shop", "eu-west-1"), &applied).unwrap_err();
        assert!(moved.message.contains("`shop`, from us-east-1 to us-west-2"), "{}", moved.message);
        assert!(moved.hint.unwrap().contains("`standby = \"us-west-2\"` again"));
        let renamed = same_stack(&facts("store", "us-west-2"), &applied).unwrap_err();
        assert!(renamed.hint.unwrap().contains("`name = \"shop\"` again"));
    }
}
