//! `drstack validate`: finds all problems of a stack, without a network.

use drstack_core::diagnostic::render;
use drstack_core::part::Sequence;
use drstack_core::stack::Stack;

use crate::args::StackArgs;
use crate::exit::{Ended, Exit};
use crate::lines::{Line, ValidLine};
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
    let (name, components) = (stack.facts.name.as_str(), stack.components.len());
    ui.line(&Line::Valid(ValidLine { stack: name, components }));
    ui.result(&format!("Stack `{name}` is valid: {}.\n", count(components, "component")));
    in_order(ui, &stack);
    Ok(Exit::Done)
}

/// Shows what traffic of `stack` waits for, and warns of what is left out or never asked.
fn in_order(ui: Ui, stack: &Stack) {
    let sequence = Sequence::of(stack, &drstack_kinds::kinds());
    order::show(ui, &sequence);
    let mut warnings = sequence.left_out(stack);
    warnings.extend(sequence.never_asked(stack));
    for warning in &warnings {
        ui.line(&diagnostic(warning, &stack.sources));
    }
    if !warnings.is_empty() {
        ui.note(render(&warnings, &stack.sources, ui.color).trim_end());
    }
}
