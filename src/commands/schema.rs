//! `drstack schema`: prints the JSON Schema of stack files.

use crate::exit::{Ended, Exit};
use crate::ui::Ui;

/// Print the JSON Schema of stack files
#[derive(clap::Args)]
#[command(after_help = "Example:\n  drstack schema > stack.schema.json")]
pub(crate) struct SchemaArgs {}

pub(super) fn run(ui: Ui) -> Ended {
    let schema = drstack_core::stack::schema(&drstack_kinds::components());
    ui.raw(&format!("{schema:#}\n"));
    Ok(Exit::Done)
}
