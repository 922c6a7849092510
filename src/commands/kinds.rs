//! `drstack kinds`: lists the kinds of components and resources.

use std::fmt::Write;

use serde_json::json;

use crate::exit::Ended;
use crate::exit::Exit;
use crate::ui::Ui;

/// List the kinds of components and resources
#[derive(clap::Args)]
#[command(after_help = "Example:\n  drstack kinds --json")]
pub(crate) struct KindsArgs {}

pub(super) fn run(ui: Ui) -> Ended {
    let mut text = "Components (what you write):\n".to_owned();
    for component in drstack_kinds::components().iter() {
        let _ = writeln!(text, "  {:<20} {}", component.name(), component.summary());
        ui.line("component", json!({"name": component.name(), "summary": component.summary()}));
    }
    text.push_str("\nResources (what they become):\n");
    for kind in drstack_kinds::kinds().iter() {
        let _ = writeln!(text, "  {:<20} {}", kind.name(), kind.summary());
        ui.line(
            "resource",
            json!({"name": kind.name(), "summary": kind.summary(), "operations": kind.operations()}),
        );
    }
    ui.result(&text);
    Ok(Exit::Done)
}
