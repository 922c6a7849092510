//! `drstack graph`: draws the desired resources.

use crate::args::{Global, ModeName, StackArgs};
use crate::commands::Edge;
use crate::exit::{Ended, Exit};
use crate::lines::Line;
use crate::ui::Ui;
use crate::views::{graph, svg};

/// Draw the graph of resources
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  drstack graph . --format svg > graph.svg\n  drstack graph . --format mermaid"
)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "mermaid")]
    format: GraphFormat,
    /// Mode to draw
    #[arg(long, value_enum, default_value = "standby")]
    mode: ModeName,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum GraphFormat {
    Dot,
    Mermaid,
    Json,
    Svg,
}

pub(super) async fn run(ui: Ui, global: &Global, args: &GraphArgs) -> Ended {
    let edge = Edge::of(ui, global, None)?;
    let mut session = edge.open(&args.stack).await?;
    let planned = drstack_app::ops::graph::graph(&mut session, args.mode.into()).await?;
    let (all, critical) = (&planned.compiled.graph, graph::critical(&planned.plan));
    if ui.json {
        ui.line(&Line::Graph(graph::line(all, &critical)));
        return Ok(Exit::Done);
    }
    let text = match args.format {
        GraphFormat::Dot => graph::dot(all, &critical),
        GraphFormat::Mermaid => graph::mermaid(all, &critical),
        GraphFormat::Json => graph::json(all, &critical),
        GraphFormat::Svg => svg::svg(all, &critical),
    };
    ui.raw(&text);
    Ok(Exit::Done)
}
