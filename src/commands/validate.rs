//! `drstack validate`: finds all problems of a stack, without a network.

use drstack_core::diagnostic::render;
use drstack_core::part::Sequence;
use drstack_core::stack::Stack;
use serde_json::json;

use crate::args::StackArgs;
use crate::exit::{Ended, Exit};
use crate::loading::load_stack;
use crate::ui::Ui;
use crate::views::{count, diagnostic, order};

/// Find all problems of a stack, without a network
#[derive(clap::Args)]
#[command(after_help = "Example:\n  drstack validate stacks/fleet-routing")]
pub(crate) struct ValidateArgs {
    #[command(flatten)]
    stack: StackArgs,
}

pub(super) fn run(ui: Ui, args: &ValidateArgs) -> Ended {
    let stack = load_stack(ui, &args.stack)?;
    let count = count(stack.components.len(), "component");
    ui.line("valid", json!({"stack": stack.facts.name, "components": stack.components.len()}));
    ui.result(&format!("Stack `{}` is valid: {count}.\n", stack.facts.name));
    in_order(ui, &stack);
    Ok(Exit::Done)
}

/// Shows what traffic of `stack` waits for, and what an `after` leaves out.
fn in_order(ui: Ui, stack: &Stack) {
    let sequence = Sequence::of(stack, &drstack_kinds::kinds());
    order::show(ui, &sequence);
    let warnings = sequence.left_out(stack);
    for warning in &warnings {
        ui.line("diagnostic", diagnostic(warning, &stack.sources));
    }
    if !warnings.is_empty() {
        ui.note(render(&warnings, &stack.sources, ui.color).trim_end());
    }
}
