//! Addresses on the command line.

use drstack_core::graph::Graph;
use drstack_core::observe::Observed;
use drstack_core::plan::{CONTROL, Options};

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
