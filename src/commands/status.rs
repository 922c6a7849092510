//! `drstack status`: says whether a failover would work now.

use drstack_app::ops::status::status;

use crate::args::{Global, StackArgs, typed};
use crate::commands::Edge;
use crate::exit::Ended;
use crate::ui::Ui;

/// Say whether a failover would work now
///
/// Looks at both regions and at the control bucket, and changes nothing. Shows who serves, what a failover would lack, the worst first, and the command that mends it; then each component, and how long a failover would take.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  drstack status stacks/fleet-routing --cloud sim\n  drstack status . --data                # and how much a failover would lose now\n  drstack status . --json | jq 'select(.type == \"finding\")'\n\nExit codes: 0 ready, 3 not ready, 1 could not look at everything, 65 invalid stack."
)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Also compare both sides of all replicated data: what a failover would lose now. It lists all objects and reads all items, up to a limit
    #[arg(long)]
    data: bool,
}

pub(super) async fn run(ui: Ui, global: &Global, args: &StatusArgs) -> Ended {
    let edge = Edge::of(ui, global, None)?;
    let mut session = edge.open(&args.stack).await?;
    edge.ended(status(&mut session, &typed(global, &args.stack), args.data).await)
}
