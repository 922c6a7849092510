//! `drstack destroy`: deletes the stack's resources; data is kept unless named.

use clap_complete::engine::ArgValueCompleter;
use drstack_app::ops::destroy::{Destroy, destroy};

use crate::args::{Global, RunArgs, StackArgs, set, typed};
use crate::commands::Edge;
use crate::complete;
use crate::exit::Ended;
use crate::ui::Ui;

/// Delete the stack's resources in the standby region; keep data unless named
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  drstack destroy .\n  drstack destroy . --delete-data bucket.models --delete-data control"
)]
pub(crate) struct DestroyArgs {
    #[command(flatten)]
    stack: StackArgs,
    #[command(flatten)]
    run: RunArgs,
    /// Delete only this address and what needs it (repeatable)
    #[arg(long, value_name = "ADDRESS", add = ArgValueCompleter::new(complete::address))]
    target: Vec<String>,
    /// Also delete this data; `control` is the control bucket (repeatable)
    #[arg(long, value_name = "ADDRESS", add = ArgValueCompleter::new(complete::address))]
    delete_data: Vec<String>,
}

pub(super) async fn run(ui: Ui, global: &Global, args: &DestroyArgs) -> Ended {
    let edge = Edge::of(ui, global, args.run.timings.clone())?;
    let mut session = edge.open(&args.stack).await?;
    let how = Destroy {
        targets: args.target.clone(),
        delete_data: set(&args.delete_data),
        auto_approve: args.run.auto_approve,
        parallelism: args.run.parallelism,
        typed: typed(global, &args.stack),
    };
    edge.ended(destroy(&mut session, how).await)
}
