//! `drstack man`: prints or writes the manual pages.

use std::path::PathBuf;

use clap::CommandFactory;
use drstack_app::failure::Status;

use crate::commands::Args;
use crate::exit::{Ended, Exit, Failure};
use crate::files;
use crate::ui::Ui;
use crate::views::count;

/// Print a manual page
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  drstack man | man -l -\n  drstack man failover | man -l -\n  drstack man --dir ~/.local/share/man/man1    # all pages, for `man drstack-failover`"
)]
pub(crate) struct ManArgs {
    /// Command whose page to print [default: drstack itself]
    command: Option<String>,
    /// Write all pages to this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    dir: Option<PathBuf>,
}

pub(super) fn run(ui: Ui, args: &ManArgs) -> Ended {
    let mut whole = Args::command().disable_help_subcommand(true);
    whole.build();
    if let Some(dir) = &args.dir {
        let all = with_subcommands(&whole);
        let written = all.len();
        for command in all {
            let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
            files::write(&dir.join(format!("{name}.1")), &page(command)?)?;
        }
        ui.result(&format!("Wrote {} to `{}`.\n", count(written, "page"), dir.display()));
        return Ok(Exit::Done);
    }
    let command = match &args.command {
        None => whole,
        Some(name) => whole.find_subcommand(name).cloned().ok_or_else(|| {
            let hint = "`drstack --help` lists the commands";
            Failure::new(Status::Usage, format!("there is no command `{name}`"), hint)
        })?,
    };
    ui.raw(&String::from_utf8_lossy(&page(command)?));
    Ok(Exit::Done)
}

/// Returns a command and all below it: each page names those of its subcommands.
fn with_subcommands(command: &clap::Command) -> Vec<clap::Command> {
    let below = command.get_subcommands().flat_map(with_subcommands);
    [command.clone()].into_iter().chain(below).collect()
}

fn page(command: clap::Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(command).render(&mut page);
    rendered.map_err(|error| Failure::new(Status::Failed, error, "`drstack --help` says the same"))?;
    Ok(page)
}
