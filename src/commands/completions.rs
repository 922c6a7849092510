//! `drstack completions`: prints a completion script for a shell.

use clap::CommandFactory;

use crate::commands::Args;
use crate::exit::{Ended, Exit};
use crate::ui::Ui;

/// Print a script that completes commands in your shell
#[derive(clap::Args)]
#[command(after_help = "Example:\n  drstack completions bash > /etc/bash_completion.d/drstack")]
pub(crate) struct CompletionsArgs {
    /// Shell to complete for
    shell: clap_complete::Shell,
}

pub(super) fn run(ui: Ui, args: &CompletionsArgs) -> Ended {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "drstack", &mut script);
    ui.raw(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
