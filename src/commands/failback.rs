//! `drstack failback`: moves back to the primary region, which has to answer.

use drstack_app::ops::failback::{Failback, failback};

use crate::args::{Global, RunArgs, StackArgs, typed};
use crate::commands::Edge;
use crate::exit::Ended;
use crate::ui::Ui;

/// Fail back to the primary region, once it answers again
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  drstack failback . --dry-run\n  drstack failback .")]
pub(crate) struct FailbackArgs {
    #[command(flatten)]
    stack: StackArgs,
    #[command(flatten)]
    run: RunArgs,
    /// Print the plan and the AWS calls that its steps may make; change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(ui: Ui, global: &Global, args: &FailbackArgs) -> Ended {
    let edge = Edge::of(ui, global, args.run.timings.clone())?;
    let mut session = edge.open(&args.stack).await?;
    let how = Failback {
        dry_run: args.dry_run,
        auto_approve: args.run.auto_approve,
        parallelism: args.run.parallelism,
        typed: typed(global, &args.stack),
    };
    edge.ended(failback(&mut session, &how).await)
}
