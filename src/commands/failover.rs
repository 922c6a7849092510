//! `drstack failover`: moves to the standby region, with no call to any other unless it is planned.

use drstack_app::accepted::quoted;
use drstack_app::open::Source;
use drstack_app::ops::failover::{Failover, failover};
use drstack_app::ops::watch::watch;
use drstack_app::session::Session;
use drstack_app::text::count;
use drstack_app::trust::Trust;
use drstack_core::engine::journal::Entry;

use crate::args::{FailoverArgs, Global};
use crate::commands::Edge;
use crate::exit::{Ended, Exit};
use crate::loading::load_stack;
use crate::ui::Ui;

pub(super) async fn run(ui: Ui, global: &Global, args: &FailoverArgs) -> Ended {
    let edge = Edge::of(ui, global, args.run.timings.clone());
    let trust = Trust {
        planned: args.planned,
        unsigned: args.unsigned,
        dry_run: args.dry_run,
        watch: args.watch,
        without_control: args.without_control,
    };
    let source = match args.bundle.at()? {
        Some(at) => Source::Bundle(at),
        None => Source::Files(Box::new(load_stack(ui, &args.stack)?), args.bundle.verify_key()?),
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
        minimum: args.minimum.clone(),
        detected_at: args.detected_at,
        dry_run: args.dry_run,
        auto_approve: args.run.auto_approve,
        parallelism: args.run.parallelism,
        command: command(args),
    };
    edge.ended(failover(&mut session, &how).await)
}

/// The command that goes on with the failover of `args`, as one types it.
fn command(args: &FailoverArgs) -> String {
    let mut words = vec!["drstack failover".to_owned()];
    match &args.bundle.bundle {
        Some(url) => {
            words.extend(["--bundle".to_owned(), quoted(url)]);
            words.extend(
                args.bundle.region.iter().flat_map(|region| ["--region".to_owned(), region.to_owned()]),
            );
        }
        None => words.push(crate::args::typed(&args.stack)),
    }
    let key = args.bundle.verify_key.iter();
    words.extend(key.flat_map(|key| ["--verify-key".to_owned(), quoted(key)]));
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

/// Shows what the run that holds the lock does, until it ends.
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
    // A run that does something again counts its steps anew.
    let address = |of: usize| {
        all.iter().rev().find_map(|entry| match entry {
            Entry::Intent { step, address, .. } if *step == of => Some(address.to_string()),
            _ => None,
        })
    };
    Some(match entry {
        Entry::RunStarted { steps, .. } => format!("  {}\n", count(*steps, "step")),
        Entry::Intent { address, .. } => format!("  began {address}\n"),
        Entry::Done { step, .. } => format!("  done {}\n", address(*step)?),
        Entry::Degraded { step, rung } => format!("  DEGRADED {}: {rung}\n", address(*step)?),
        Entry::Failed { step, error, .. } => format!("  FAILED {}: {error}\n", address(*step)?),
        Entry::RunFinished { .. } => "  finished\n".to_owned(),
        Entry::Sealed { by } => format!("  stopped: run {by} took the lock\n"),
    })
}
