//! Identity of a stack: its name and regions are those of the first apply, since its resources are
//! found by them.
//!
//! A folder is no identity: pipelines and laptops share a stack. So a copy of a stack's files under
//! the same name is recognized by its plan alone, which keeps nothing of what exists. And files that
//! lead to a control bucket where nothing is kept, since it has its name from what was edited, are
//! recognized by what the stack has in the primary region and in global services.

use std::collections::{BTreeMap, BTreeSet};

use drstack_core::address::{Address, ComponentAddress};
use drstack_core::cloud::{Found, Owner};
use drstack_core::component::StackFacts;
use drstack_core::control::mode::KeptMode;
use drstack_core::graph::Graph;
use drstack_core::kind::{Action, Place};
use drstack_core::objective::Mode;
use drstack_core::observe::{Look, Observed};
use drstack_core::plan::{Intent, Options, Plan, Remark};
use drstack_core::stack::{Stack, is_region};
use drstack_core::text::plain;

use crate::failure::{Failure, Status};
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
            "write `primary = \"{primary}\"` and `standby = \"{standby}\"` again; to move, apply these files with another `name` and `control` and without `[traffic]`, run `drstack destroy STACK` with the old ones, then apply the new ones again: copies have no gap, and a DNS record of `[traffic]` has one between the last two"
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

/// Fails if a stack that nothing is kept of has nothing in the standby region either, and something
/// elsewhere: it was applied with another standby region, and what is there would be out of sight.
pub(crate) fn applied_here(files: &StackFacts, want: &Graph, seen: &Observed) -> Result<(), Failure> {
    let wanted = seen.seen.iter().filter_map(|(address, look)| match (want.resources.get(address), look) {
        (Some(it), Look::Present(found)) if found.owner.is_ours() => Some((it.place, address, found)),
        _ => None,
    });
    let others = seen.others.iter().map(|it| (it.place, &it.address, &it.found));
    let ours: Vec<(Place, &Address, &Found)> = wanted.chain(others).collect();
    if ours.is_empty() || ours.iter().any(|(place, ..)| *place == Place::Standby) {
        return Ok(());
    }
    let StackFacts { name, primary, standby, .. } = files;
    let has: BTreeSet<String> = ours.iter().map(|(_, address, _)| address.to_string()).collect();
    let message = format!(
        "`{name}` has nothing in {standby}, and {} elsewhere: it was applied with another `standby` region",
        listed(&has)
    );
    let regions: BTreeSet<String> = ours.iter().flat_map(|(.., found)| regions(found)).collect();
    let mut regions = regions.iter().filter(|it| *it != primary);
    let again = match (regions.next(), regions.next()) {
        (Some(region), None) => format!("write `standby = \"{region}\"` again, which they name"),
        _ => "write the `standby` region again that it was applied with".to_owned(),
    };
    let hint = format!(
        "{again}; to move, apply these files with another `name` and without `[traffic]`, run `drstack destroy STACK` with the old ones, then apply the new ones \
         again: copies have no gap, and a DNS record of `[traffic]` has one between the last two; where all that was in the standby region is gone, `drstack destroy STACK --target ADDRESS` takes away what is left"
    );
    Err(Failure::new(Status::NotReady, message, hint))
}

/// Returns the regions that the names in a live resource have, such as `acme-models-us-west-2`.
fn regions(found: &Found) -> BTreeSet<String> {
    let text = format!("{} {}", found.id, found.live);
    let is_part = |it: char| it.is_ascii_alphanumeric() || it == '-';
    let ends = |word: &str| {
        let parts: Vec<&str> = word.split('-').collect();
        let last = |count: usize| parts.len().checked_sub(count).map(|from| parts[from..].join("-"));
        // The longer one first: `us-gov-west-1`. No other region has a name of four parts.
        let longer = last(4).filter(|it| it.starts_with("us-gov-"));
        longer.or(last(3)).filter(|it| is_region(it) && it.split('-').next().is_some_and(|it| it.len() == 2))
    };
    text.split(|it| !is_part(it)).filter_map(ends).collect()
}

/// Fails if a stack that nothing is kept of and that has nothing yet names what another stack made:
/// it is that stack under another name, and would be made a second time.
pub(crate) fn has_its_name(files: &StackFacts, seen: &Observed) -> Result<(), Failure> {
    let ours = |look: &Look| matches!(look, Look::Present(Found { owner, .. }) if owner.is_ours());
    if !seen.others.is_empty() || seen.seen.values().any(ours) {
        return Ok(());
    }
    let other = seen.seen.iter().find_map(|(address, look)| match look {
        Look::Present(Found { owner: Owner::Stack(other), id, .. }) => Some((address, id, other)),
        _ => None,
    });
    let Some((address, id, other)) = other else { return Ok(()) };
    let [id, other] = [plain(id), plain(other)];
    let message = format!(
        "`{id}` ({address}) belongs to stack `{other}`, and `{}` has nothing yet; is this `{other}` under another name?",
        files.name
    );
    let hint = format!(
        "write `name = \"{other}\"` again: its resources carry that name; where it is another stack, leave `{}` out of it, or give it another name in AWS",
        address.component()
    );
    Err(Failure::new(Status::NotReady, message, hint))
}

/// Names at most [`NAMED`] of these.
fn listed(names: &BTreeSet<String>) -> String {
    let mut all: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    all.extend((names.len() > NAMED).then_some("..."));
    all.join(", ")
}

/// Returns the components that a plan deletes, if it keeps nothing of what the stack has, and none of
/// them is in its files; else nothing.
fn replaced(
    plan: &Plan,
    want: &Graph,
    stack: &Stack,
    seen: &BTreeMap<Address, Look>,
) -> BTreeSet<ComponentAddress> {
    let ours = |look: &Look| matches!(look, Look::Present(Found { owner, .. }) if owner.is_ours());
    // What could not be looked at may be kept.
    if seen.values().any(|look| ours(look) || matches!(look, Look::Unknown(_))) {
        return BTreeSet::new();
    }
    let wanted: BTreeSet<ComponentAddress> = want.resources.keys().map(Address::component).collect();
    // A component may have no resource now, or not compile.
    let is_declared = |it: &ComponentAddress| wanted.contains(it) || stack.components.contains_key(it);
    let deleted = plan.steps.iter().filter(|step| step.action == Action::Delete);
    deleted.map(|step| step.address.component()).filter(|it| !is_declared(it)).collect()
}

/// Returns the remark on a plan that deletes what the stack has and keeps nothing of it: its files
/// may be those of another stack with the same name.
pub(crate) fn replaces_all(
    plan: &Plan,
    want: &Graph,
    stack: &Stack,
    seen: &BTreeMap<Address, Look>,
) -> Option<Remark> {
    remark(&replaced(plan, want, stack, seen))
}

fn remark(gone: &BTreeSet<ComponentAddress>) -> Option<Remark> {
    let names: BTreeSet<String> = gone.iter().map(ToString::to_string).collect();
    let text = format!(
        "this plan deletes all that the stack has ({}) and keeps nothing of it; is this another stack with the same name?",
        listed(&names)
    );
    (!gone.is_empty()).then(|| Remark { address: "stack".to_owned(), text })
}

impl Session {
    /// Fails if the stack is not new, although nothing is kept where its files say: under this name it
    /// has another region, or under another name it exists.
    pub(crate) fn expect_new(
        &self,
        options: &Options,
        mode: &KeptMode,
        graph: &Graph,
        seen: &Observed,
    ) -> Result<(), Failure> {
        // Targets name what goes.
        if options.intent == Intent::Destroy && !options.targets.is_empty() {
            return Ok(());
        }
        if mode.testimony.is_none() {
            applied_here(&self.stack.facts, graph, seen)?;
        }
        has_its_name(&self.stack.facts, seen)
    }

    /// Returns the remark on `shown` as [`replaces_all`] does.
    pub(crate) fn replaced(&self, shown: &PlanOutcome) -> Option<Remark> {
        replaces_all(&shown.plan, &shown.compiled.graph, &self.stack, &shown.seen)
    }

    /// Fails if `shown` replaces or deletes all that the stack has, and nothing of it is in the files:
    /// a person has to approve that. `command` is the one that was typed.
    pub(crate) fn expect_more_than_replaced(
        &self,
        shown: &PlanOutcome,
        command: &str,
    ) -> Result<(), Failure> {
        // Targets name what goes.
        if shown.options.intent == Intent::Destroy && !shown.options.targets.is_empty() {
            return Ok(());
        }
        let gone = replaced(&shown.plan, &shown.compiled.graph, &self.stack, &shown.seen);
        let Some(remark) = remark(&gone) else { return Ok(()) };
        let mut hint = format!(
            "where it is another stack, give it another `name`, and a `control` bucket of its own; where it is this one, run \
             `drstack {command}` without `--auto-approve` and answer the question"
        );
        // While the standby region serves, nothing is destroyed.
        if shown.mode.standing().mode == Mode::Standby {
            let targets: Vec<String> = gone.iter().map(|it| format!(" --target '{it}'")).collect();
            hint += &format!(", or name what goes: `drstack destroy STACK{}`", targets.concat());
        }
        Err(Failure::new(Status::NotReady, remark.text, hint))
    }

    /// Fails as [`same_stack`] does, before anything is said about which region serves.
    pub(crate) async fn expect_same_stack(&self) -> Result<(), Failure> {
        let kept = self.kept_facts().await?;
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
