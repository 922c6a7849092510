//! The resources of a stack, and the steps that would make all of them.

use drstack_core::objective::Mode;
use drstack_core::plan::{Intent, Options};

use crate::failure::Failure;
use crate::planned::PlanOutcome;
use crate::session::Session;

/// The graph of the stack of `session` in `mode`, and a plan as if nothing existed yet.
///
/// # Errors
/// The stack is invalid, or its facts do not answer.
pub async fn graph(session: &mut Session, mode: Mode) -> Result<PlanOutcome, Failure> {
    let options =
        Options { intent: Intent::Converge, mode, targets: Vec::new(), delete_data: Default::default() };
    session.first_apply(&options).await
}
