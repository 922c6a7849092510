//! Loads a stack from its files, or reports all its problems.

use std::path::Path;

use drstack_app::failure::Status;
use drstack_core::compile::check;
use drstack_core::diagnostic::{Diagnostic, MOST_SHOWN, Severity, Sources, render};
use drstack_core::stack::{Failed, Stack, load};

use crate::args::StackArgs;
use crate::exit::Failure;
use crate::files;
use crate::ui::Ui;

/// Loads the stack. Shows its warnings; its errors are a failure.
pub(crate) fn load_stack(ui: Ui, args: &StackArgs) -> Result<Stack, Failure> {
    let inputs = files::inputs(args)?;
    let entry = files::entry(&args.stack);
    match load(&entry, &inputs, &drstack_kinds::components(), &files::Disk) {
        Ok(loaded) => {
            if !loaded.warnings.is_empty() {
                for warning in &loaded.warnings {
                    ui.line(&crate::views::diagnostic(warning, &loaded.stack.sources));
                }
                ui.note(render(&loaded.warnings, &loaded.stack.sources, ui.color).trim_end());
            }
            let mut problems = check(&loaded.stack);
            if !problems.is_empty() {
                let left_out = problems.len().saturating_sub(MOST_SHOWN);
                problems.truncate(MOST_SHOWN);
                return Err(invalid(ui, &problems, left_out, &loaded.stack.sources, &entry));
            }
            Ok(loaded.stack)
        }
        Err(Failed { problems, left_out, sources }) => {
            Err(invalid(ui, &problems, left_out, &sources, &entry))
        }
    }
}

/// Shows the problems of the stack at `entry` and the number of further ones. Returns the failure.
fn invalid(ui: Ui, problems: &[Diagnostic], left_out: usize, sources: &Sources, entry: &Path) -> Failure {
    for problem in problems {
        ui.line(&crate::views::diagnostic(problem, sources));
    }
    let shown = problems.iter().filter(|it| it.severity == Severity::Error).count();
    let count = crate::views::count(shown, "error");
    let more =
        if left_out == 0 { String::new() } else { format!(", and {left_out} more that are not shown") };
    let message = format!("{}{count} in `{}`{more}", render(problems, sources, ui.color), entry.display());
    Failure { status: Status::Invalid, message, hint: None }
}
