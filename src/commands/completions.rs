//! `drstack completions`: prints a completion script for a shell.

use clap_complete::Shell;
use clap_complete::env::Shells;
use drstack_app::failure::Status;

use crate::complete::VARIABLE;
use crate::exit::{Ended, Exit, Failure};
use crate::ui::Ui;

/// The program that the script asks: whichever the shell finds.
const PROGRAM: &str = "drstack";

/// Print a script that completes commands in your shell
#[derive(clap::Args)]
#[command(after_help = "Example:\n  drstack completions bash > /etc/bash_completion.d/drstack")]
pub(crate) struct CompletionsArgs {
    /// Shell to complete for
    shell: Shell,
}

pub(super) fn run(ui: Ui, args: &CompletionsArgs) -> Ended {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let written = match shells.completer(&args.shell.to_string()) {
        Some(shell) => shell.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script),
        None => Err(std::io::Error::other("this shell has no completion")),
    };
    written.map_err(|error| Failure::new(Status::Failed, error, "name another shell"))?;
    ui.raw(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
