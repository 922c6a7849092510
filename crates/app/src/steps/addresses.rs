//! Addresses on the command line.

use drstack_core::address::Address;
use drstack_core::graph::Graph;
use drstack_core::kind::Action;
use drstack_core::observe::Observed;
use drstack_core::plan::{CONTROL, Options, Plan, PlanReport, Remark};

use crate::failure::{Failure, Status};
use crate::session::Session;
use crate::text;

impl Session {
    /// Checks that the addresses on the command line exist: a typo must not end as "nothing to do".
    pub(super) fn check_addresses(
        &self,
        options: &Options,
        want: &Graph,
        seen: &Observed,
    ) -> Result<(), Failure> {
        let known = || want.resources.keys().chain(seen.owners());
        let hint = |name: &str| match text::closest(name, known()) {
            Some(it) => format!("did you mean `{it}`?"),
            None => "`drstack graph STACK` shows the addresses of the stack".to_owned(),
        };
        // A component may have no resource, such as an existing network in mode standby.
        let is_declared = |name: &str| self.stack.components.keys().any(|it| it.is_within(name));
        let is_unknown =
            |name: &&String| *name != CONTROL && !is_declared(name) && !known().any(|it| it.is_within(name));
        if let Some(target) = options.targets.iter().find(is_unknown) {
            let message = format!("`{target}` names nothing of this stack");
            return Err(Failure::new(Status::Usage, message, hint(target)));
        }
        let is_no_data = |name: &&String| *name != CONTROL && !known().any(|it| it.is_named_by(name));
        if let Some(name) = options.delete_data.iter().find(is_no_data) {
            let message = format!("`--delete-data {name}` names no component and no resource of this stack");
            return Err(Failure::new(Status::Usage, message, hint(name)));
        }
        Ok(())
    }
}

impl Session {
    /// Checks that each of `names` is a part of the stack: a part that has another name by now would fail over
    /// as nothing.
    pub(crate) fn expect_declared(&self, names: &[String]) -> Result<(), Failure> {
        let known = || self.stack.components.keys();
        let is_declared = |name: &&String| {
            let of = Address::parse(name).map(|it| it.component());
            known().any(|it| it.is_within(name) || of.as_ref() == Some(it))
        };
        let Some(name) = names.iter().find(|name| !is_declared(name)) else { return Ok(()) };
        let hint = match text::nearest(name, known().map(ToString::to_string)) {
            Some(it) => format!("did you mean `{it}`?"),
            None => "`drstack graph STACK` shows the addresses of the stack".to_owned(),
        };
        Err(Failure::new(Status::Usage, format!("`{name}` names nothing of this stack"), hint))
    }
}

/// Says which data `--delete-data` names in vain: what the stack names still, and nothing has to replace.
///
/// What is kept or blocked is said there.
pub(super) fn not_deleted(options: &Options, plan: &Plan, report: &PlanReport) -> Vec<Remark> {
    let goes = |name: &str| {
        let mut steps = plan.steps.iter().filter(|step| step.action == Action::Delete);
        steps.any(|step| step.address.is_named_by(name))
    };
    let is_said = |name: &str| {
        let mut said = report.kept.iter().chain(&report.blocked).filter_map(|it| Address::parse(&it.address));
        said.any(|it| it.is_named_by(name))
    };
    let in_vain = options.delete_data.iter().filter(|name| *name != CONTROL && !goes(name) && !is_said(name));
    let text = "`--delete-data` deletes nothing of it: the stack names it, and no change has to replace it";
    in_vain.map(|name| Remark { address: name.clone(), text: text.to_owned() }).collect()
}
