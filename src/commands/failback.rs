//! `drstack failback`: moves back to the primary region, which has to answer.

use drstack_app::open::Source;
use drstack_app::ops::failback::{Failback, failback};
use drstack_app::session::Session;
use drstack_app::trust::Trust;

use crate::args::{BundleArgs, Global, RunArgs, StackArgs, typed};
use crate::commands::Edge;
use crate::exit::Ended;
use crate::ui::Ui;

/// Fail back to the primary region, once it answers again
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  drstack failback . --dry-run\n  drstack failback .\n  drstack failback --bundle s3://CONTROL/STACK --region us-west-2 --verify-key KEY   # where the stack's files are lost"
)]
pub(crate) struct FailbackArgs {
    #[command(flatten)]
    stack: StackArgs,
    #[command(flatten)]
    bundle: BundleArgs,
    #[command(flatten)]
    run: RunArgs,
    /// Use the bundle although no key of yours signed it
    #[arg(long, requires = "bundle")]
    unsigned: bool,
    /// Print the plan and the AWS calls that its steps may make; change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(ui: Ui, global: &Global, args: &FailbackArgs) -> Ended {
    let edge = Edge::of(ui, global, args.run.timings.clone())?;
    let (mut session, typed) = match args.bundle.at()? {
        Some(at) => {
            // The primary answers, as in a planned failover.
            let (unsigned, dry_run) = (args.unsigned, args.dry_run);
            let trust = Trust { planned: true, back: true, unsigned, dry_run, ..Trust::default() };
            let session = Session::for_failover(&edge.app, Source::Bundle(at), &trust).await?;
            let mut words = args.bundle.typed(global);
            words.extend(args.bundle.demanded());
            words.extend(args.unsigned.then(|| "--unsigned".to_owned()));
            (session, words.join(" "))
        }
        None => (edge.open(&args.stack).await?, typed(global, &args.stack)),
    };
    let how = Failback {
        dry_run: args.dry_run,
        auto_approve: args.run.auto_approve,
        parallelism: args.run.parallelism,
        typed,
    };
    edge.ended(failback(&mut session, &how).await)
}
