//! `drstack runs`: past runs of a stack, and their reports.

use std::num::NonZeroUsize;

use drstack_app::ops::runs::{run as one, runs};
use drstack_app::session::Session;

use crate::args::{BundleArgs, Global, StackArgs};
use crate::commands::Edge;
use crate::exit::{Ended, Exit};
use crate::ui::Ui;
use crate::views::runs as view;

/// List past runs, or show one with its report
///
/// The control bucket keeps what each run did, also one that was killed. Nothing of the primary region is asked, so it works while that is lost. A run that had nothing to do is not kept.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  drstack runs .\n  drstack runs . --show 20261128T031500Z   # its steps and its report\n  drstack runs . --json | jq 'select(.state != \"done\")'\n  drstack runs --bundle s3://CONTROL/STACK --region us-west-2   # in an empty folder"
)]
pub(crate) struct RunsArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Show this run alone; the start of its name is enough
    #[arg(long, value_name = "RUN")]
    show: Option<String>,
    /// Show so many runs, the newest first
    #[arg(long, value_name = "N", default_value = "10", conflicts_with = "show")]
    last: NonZeroUsize,
    #[command(flatten)]
    bundle: BundleArgs,
}

pub(super) async fn run(ui: Ui, global: &Global, args: &RunsArgs) -> Ended {
    let edge = Edge::of(ui, global, None)?;
    let session = match args.bundle.at()? {
        Some(at) => Session::from_bundle(&edge.app, &at).await?.0,
        None => edge.open(&args.stack).await?,
    };
    match &args.show {
        Some(name) => view::one(ui, &one(&session, name).await?),
        None => {
            let (shown, all) = runs(&session, args.last.get()).await?;
            view::list(ui, &shown, all);
        }
    }
    Ok(Exit::Done)
}
