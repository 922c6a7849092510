//! `drstack graph`: draws what is wanted.

use drstack_core::plan::{Intent, Options};

use super::Ended;
use crate::args::{Global, GraphArgs, GraphFormat};
use crate::exit::Exit;
use crate::session::Session;
use crate::ui::Ui;
use crate::views::{graph, svg};

pub(super) async fn run(ui: Ui, global: &Global, args: &GraphArgs) -> Ended {
    let mut session = Session::open(ui, global, &args.stack).await?;
    let options = Options {
        intent: Intent::Converge,
        mode: args.mode.into(),
        targets: Vec::new(),
        delete_data: Default::default(),
    };
    let planned = session.first_apply(&options).await?;
    let (all, critical) = (&planned.compiled.graph, graph::critical(&planned.plan));
    if ui.json {
        ui.line("graph", graph::json(all, &critical));
        return Ok(Exit::Done);
    }
    let text = match args.format {
        GraphFormat::Dot => graph::dot(all, &critical),
        GraphFormat::Mermaid => graph::mermaid(all, &critical),
        GraphFormat::Json => format!("{:#}\n", graph::json(all, &critical)),
        GraphFormat::Svg => svg::svg(all, &critical),
    };
    ui.raw(&text);
    Ok(Exit::Done)
}
