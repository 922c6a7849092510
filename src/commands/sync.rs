//! `drstack sync`: brings the standby region in line after a deploy to production.

use std::path::PathBuf;

use drstack_app::ops::sync::{Sync, sync};

use crate::args::{Global, StackArgs, parallelism, typed};
use crate::commands::Edge;
use crate::exit::Ended;
use crate::files;
use crate::ui::Ui;

/// Bring the standby region in line after a deploy to production
///
/// Looks at the primary, brings over what has changed there since the last apply (images, templates, capacity, tables, queues), and publishes what a failover works from. Asks nobody: what needs a person, such as a deletion or a change of the stack's files, is left and told. `[sync]` of the stack limits what it may do.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  drstack sync stacks/fleet-routing --cloud sim\n  drstack sync . --check   # changes nothing; exit 3 when the standby region is behind\n\nExit codes: 0 in line, 1 failed or could not look, 3 behind or left to a person, 4 locked, 64 usage, 65 invalid stack."
)]
pub(crate) struct SyncArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Change nothing; exit with 3 if the standby region is behind
    #[arg(long)]
    check: bool,
    /// Sign the bundle with this private key
    #[arg(long, value_name = "FILE", env = "DRSTACK_SIGNING_KEY")]
    signing_key: Option<PathBuf>,
    /// Run this many steps at once
    #[arg(long, value_name = "N", default_value_t = drstack_core::engine::execute::PARALLELISM, value_parser = parallelism)]
    parallelism: usize,
    /// Draw when each step ran, as SVG
    #[arg(long, value_name = "FILE.svg", conflicts_with = "check")]
    timings: Option<PathBuf>,
}

pub(super) async fn run(ui: Ui, global: &Global, args: &SyncArgs) -> Ended {
    let edge = Edge::of(ui, global, args.timings.clone())?;
    let mut session = edge.open(&args.stack).await?;
    let how = Sync {
        check: args.check,
        signing_key: args.signing_key.as_deref().map(files::private_key).transpose()?,
        parallelism: args.parallelism,
        typed: typed(global, &args.stack),
    };
    edge.ended(sync(&mut session, how).await)
}
