//! The resources of a stack, and the steps that would create all of them.

use drstack_core::objective::Mode;
use drstack_core::plan::{Intent, Options};

use crate::failure::Failure;
use crate::planned::PlanOutcome;
use crate::session::Session;

/// Returns the graph of the stack of `session` in `mode`, with a plan for a world where nothing
/// exists yet.
///
/// # Errors
/// Returns an error if the stack is invalid, or its facts do not answer.
pub async fn graph(session: &mut Session, mode: Mode) -> Result<PlanOutcome, Failure> {
    let options =
        Options { intent: Intent::Converge, mode, targets: Vec::new(), delete_data: Default::default() };
    session.first_apply(&options).await
}
