//! `drstack graph`: draws what is wanted.

use crate::args::{Global, GraphArgs, GraphFormat};
use crate::commands::Edge;
use crate::exit::{Ended, Exit};
use crate::ui::Ui;
use crate::views::{graph, svg};

pub(super) async fn run(ui: Ui, global: &Global, args: &GraphArgs) -> Ended {
    let edge = Edge::of(ui, global, None);
    let mut session = edge.open(&args.stack).await?;
    let planned = drstack_app::ops::graph::graph(&mut session, args.mode.into()).await?;
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
