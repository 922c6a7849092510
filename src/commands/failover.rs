//! `drstack failover`: moves to the standby region and calls no other, unless it is planned.

use clap_complete::engine::ArgValueCompleter;
use drstack_app::accepted::{Accepted, parse, quoted};
use drstack_app::open::Source;
use drstack_app::ops::failover::{Failover, failover};
use drstack_app::ops::watch::watch;
use drstack_app::session::Session;
use drstack_app::text::count;
use drstack_app::trust::Trust;
use drstack_core::control::journal::Entry;
use drstack_core::minimum::Minimum;

use crate::args::{BundleArgs, Global, RunArgs, StackArgs, typed};
use crate::commands::Edge;
use crate::complete;
use crate::exit::{Ended, Exit};
use crate::loading::load_stack;
use crate::ui::Ui;

/// Fail over to the standby region, calling no other unless it is planned
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  drstack failover . --dry-run                     # the plan, and the AWS calls of its steps\n  drstack failover . --auto-approve                # from a runbook\n  drstack failover . --only pool.inference         # a part, with what it needs\n  drstack failover --bundle s3://CONTROL/STACK --region us-west-2 --verify-key KEY   # in an empty folder\n  drstack failover . --planned                     # while the primary still answers: waits for replication first\n  drstack failover . --watch                       # what another operator's run is doing\n  drstack failover . --minimum 40%                 # go on with less than the minimum of the stack\n  drstack failover . --accept-degraded             # go on with whatever is in service\n\nRun it again after any failure: finished steps are not repeated.\n\nExit codes: 0 what serves was asked and answered, within the RTO; 1 not complete, or nothing is in service; 3 later than the RTO, degraded, or no check asked what serves; 4 locked, 130 interrupted"
)]
pub(crate) struct FailoverArgs {
    #[command(flatten)]
    stack: StackArgs,
    #[command(flatten)]
    bundle: BundleArgs,
    #[command(flatten)]
    run: RunArgs,
    /// Fail over only this address, `tier=N` or `tag:KEY=VALUE`, and what it needs (repeatable)
    #[arg(long, value_name = "ADDRESS", add = ArgValueCompleter::new(complete::address))]
    only: Vec<String>,
    /// Use the stack's files as they are now, and not what was last applied
    #[arg(long, conflicts_with_all = ["bundle", "watch", "unsigned"])]
    with_files: bool,
    /// Use the bundle although no key of yours signed it and your files, if any, say something else
    #[arg(long)]
    unsigned: bool,
    /// Print the plan and the AWS calls that its steps may make; change nothing
    #[arg(long)]
    dry_run: bool,
    /// While the primary answers: wait for replication, then fail over
    #[arg(long)]
    planned: bool,
    /// Give up without a change if replication takes longer
    #[arg(long, value_name = "TIME", requires = "planned", default_value = drstack_app::ops::drain::AT_MOST)]
    drain_timeout: jiff::SignedDuration,
    /// Do not wait for this: move traffic without it, or without its replication (repeatable)
    #[arg(long, value_name = "ADDRESS", add = ArgValueCompleter::new(complete::address))]
    not_waiting_for: Vec<String>,
    /// Accept less capacity in this failover: `40%`, `16`, or `pool.inference=40%` (repeatable)
    #[arg(long, value_name = "MINIMUM", value_parser = parse)]
    minimum: Vec<Accepted>,
    /// Accept whatever is in service in this failover, one instance of each pool at least
    #[arg(long, conflicts_with = "minimum")]
    accept_degraded: bool,
    /// Count the recovery time from this moment, when the outage was noticed
    #[arg(long, value_name = "TIME", conflicts_with = "planned", value_parser = moment)]
    detected_at: Option<jiff::Timestamp>,
    /// Fail over without the control bucket, if it is lost: no lock, no journal
    #[arg(long, conflicts_with_all = ["bundle", "watch"])]
    without_control: bool,
    /// Follow the run that holds the lock
    #[arg(long)]
    watch: bool,
}

pub(super) async fn run(ui: Ui, global: &Global, args: &FailoverArgs) -> Ended {
    let edge = Edge::of(ui, global, args.run.timings.clone())?;
    let trust = Trust {
        back: false,
        planned: args.planned,
        unsigned: args.unsigned,
        dry_run: args.dry_run,
        watch: args.watch,
        without_control: args.without_control,
        with_files: args.with_files,
    };
    let source = match args.bundle.at()? {
        Some(at) => Source::Bundle(at),
        None => Source::Files(Box::new(load_stack(ui, &args.stack)?), args.bundle.demands()?),
    };
    let mut session = Session::for_failover(&edge.app, source, &trust).await?;
    if args.watch {
        return follow(ui, &session).await;
    }
    let how = Failover {
        only: args.only.clone(),
        planned: args.planned,
        drain_timeout: args.drain_timeout,
        not_waiting_for: args.not_waiting_for.clone(),
        minimum: match args.accept_degraded {
            true => vec![Accepted { pool: None, minimum: Minimum::Instances(1) }],
            false => args.minimum.clone(),
        },
        detected_at: args.detected_at,
        with_files: args.with_files,
        dry_run: args.dry_run,
        auto_approve: args.run.auto_approve,
        parallelism: args.run.parallelism,
        command: command(global, args),
    };
    edge.ended(failover(&mut session, &how).await)
}

/// Returns the command that goes on with the failover of `args`, as an operator types it.
fn command(global: &Global, args: &FailoverArgs) -> String {
    let mut words = vec!["drstack failover".to_owned()];
    match args.bundle.typed(global) {
        bundle if bundle.is_empty() => words.push(typed(global, &args.stack)),
        bundle => words.extend(bundle),
    }
    words.extend(args.with_files.then(|| "--with-files".to_owned()));
    words.extend(args.bundle.demanded());
    words.extend(args.only.iter().flat_map(|it| ["--only".to_owned(), quoted(it)]));
    words.extend(args.not_waiting_for.iter().flat_map(|it| ["--not-waiting-for".to_owned(), quoted(it)]));
    let flags = [
        (args.planned, "--planned"),
        (args.unsigned, "--unsigned"),
        (args.without_control, "--without-control"),
    ];
    words.extend(flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag.to_owned()));
    words.join(" ")
}

/// Follows the run that holds the lock until it ends.
async fn follow(ui: Ui, session: &Session) -> Ended {
    let is_held = watch(
        session,
        |holder| {
            ui.result(&format!(
                "`drstack {}` of {} on {}, since {:.0}\n",
                holder.purpose, holder.owner, holder.host, holder.since
            ));
        },
        |entry, all| news(entry, all).iter().for_each(|text| ui.result(text)),
    );
    let end = match is_held.await? {
        true => "The run has ended.\n",
        false => "No failover is running: no run holds the lock.\n",
    };
    ui.result(end);
    Ok(Exit::Done)
}

fn news(entry: &Entry, all: &[Entry]) -> Option<String> {
    // A run that executes again counts its steps anew.
    let address = |of: usize| {
        all.iter().rev().find_map(|entry| match entry {
            Entry::Intent { step, address, .. } if *step == of => Some(address.to_string()),
            _ => None,
        })
    };
    Some(match entry {
        Entry::RunStarted { steps, .. } => format!("  {}\n", count(*steps, "step")),
        Entry::Intent { address, .. } => format!("  began {address}\n"),
        Entry::Done { step, .. } => format!("  {} done {}\n", ended(all), address(*step)?),
        Entry::Degraded { step, rung } => format!("  DEGRADED {}: {rung}\n", address(*step)?),
        Entry::Failed { step, error, .. } => {
            format!("  {} FAILED {}: {error}\n", ended(all), address(*step)?)
        }
        Entry::RunFinished { .. } => "  finished\n".to_owned(),
        Entry::Sealed { by } => format!("  stopped: run {by} took the lock\n"),
    })
}

/// Returns how many steps of the run have ended by the last of `all`, of how many: `[2/7]`.
fn ended(all: &[Entry]) -> String {
    let start = all.iter().rposition(|entry| matches!(entry, Entry::RunStarted { .. })).unwrap_or(0);
    let count = all[start..].iter().filter(|it| matches!(it, Entry::Done { .. } | Entry::Failed { .. }));
    let steps = match all.get(start) {
        Some(Entry::RunStarted { steps, .. }) => steps.to_string(),
        _ => "?".to_owned(),
    };
    format!("[{:>width$}/{steps}]", count.count(), width = steps.len())
}

/// Parses the moment at which the outage was noticed.
fn moment(text: &str) -> Result<jiff::Timestamp, String> {
    text.parse().map_err(|_| "write it as 2026-11-24T03:00:00Z".to_owned())
}
