//! `drstack kinds`: lists the kinds of components and resources.

use std::fmt::Write;

use crate::exit::Ended;
use crate::exit::Exit;
use crate::lines::{ComponentLine, Line, ResourceLine};
use crate::ui::Ui;

/// List the kinds of components and resources
#[derive(clap::Args)]
#[command(after_help = "Example:\n  drstack kinds --json")]
pub(crate) struct KindsArgs {}

pub(super) fn run(ui: Ui) -> Ended {
    let mut text = "Components (what you write):\n".to_owned();
    for component in drstack_kinds::components().iter() {
        let (name, summary) = (component.name(), component.summary());
        let _ = writeln!(text, "  {name:<20} {summary}");
        ui.line(&Line::Component(ComponentLine { name, summary }));
    }
    text.push_str("\nResources (what they become):\n");
    for kind in drstack_kinds::kinds().iter() {
        let (name, summary) = (kind.name(), kind.summary());
        let _ = writeln!(text, "  {name:<20} {summary}");
        ui.line(&Line::Resource(ResourceLine { name, summary, operations: kind.operations() }));
    }
    ui.result(&text);
    Ok(Exit::Done)
}
