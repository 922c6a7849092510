//! `drstack man`: prints the manual page.

use clap::CommandFactory;
use drstack_app::failure::Status;

use crate::commands::Args;
use crate::exit::{Ended, Exit, Failure};
use crate::ui::Ui;

/// Print the manual page
#[derive(clap::Args)]
#[command(after_help = "Example:\n  drstack man | man -l -")]
pub(crate) struct ManArgs {}

pub(super) fn run(ui: Ui) -> Ended {
    let mut page = Vec::new();
    clap_mangen::Man::new(Args::command())
        .render(&mut page)
        .map_err(|error| Failure::new(Status::Failed, error, "`drstack --help` says the same"))?;
    ui.raw(&String::from_utf8_lossy(&page));
    Ok(Exit::Done)
}
