//! `drstack schema`: prints the JSON Schema of stack files, or of the JSON lines.

use crate::exit::{Ended, Exit};
use crate::lines;
use crate::ui::Ui;

/// Print the JSON Schema of stack files
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  drstack schema > stack.schema.json\n  drstack schema --events > events.schema.json   # to check and decode the lines of `--json`"
)]
pub(crate) struct SchemaArgs {
    /// Print the JSON Schema of the lines that `--json` writes
    #[arg(long)]
    events: bool,
}

pub(super) fn run(ui: Ui, args: &SchemaArgs) -> Ended {
    let schema = match args.events {
        true => lines::schema::schema(),
        false => drstack_core::stack::schema(&drstack_kinds::components()),
    };
    ui.raw(&format!("{schema:#}\n"));
    Ok(Exit::Done)
}
