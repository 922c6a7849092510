//! Identity of a stack: its name and regions are those of the first apply, since its resources are
//! found by them.

use drstack_core::component::StackFacts;
use drstack_core::control::records;

use crate::failure::{Failure, Status, store_failure};
use crate::session::Session;

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
            "write `primary = \"{primary}\"` and `standby = \"{standby}\"` again; to move without a gap, apply these files with another `name` and `control`, then run `drstack destroy` with the old ones"
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

impl Session {
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
        StackFacts { name, primary, standby, control }
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
