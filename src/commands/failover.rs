//! `drstack failover`: takes over in the standby region, with no call to any other unless it is planned.

use drstack_core::bundle::commands;
use drstack_core::control::lock::{self, FAILOVER};
use drstack_core::engine::execute::RunSummary;
use drstack_core::engine::journal::{self, Entry};
use drstack_core::objective::Mode;
use drstack_core::plan::{Intent, Options};
use drstack_core::verdict::Verdict;
use jiff::Timestamp;

use super::{Ended, plan};
use crate::args::{FailoverArgs, Global};
use crate::drain::{Patience, backlog, drain};
use crate::exit::{Exit, Failure};
use crate::minimum::command;
use crate::only::addresses;
use crate::planning::Planned;
use crate::session::{Session, store_failure};
use crate::takeover::{Change, carry_out};
use crate::ui::Ui;
use crate::views;

/// How often a failed look is repeated before a takeover goes on with what it has seen, and the pause between: what is wrong for
/// longer than this is wrong for good, and the clock runs.
const LOOKS: usize = 4;
const PAUSE: std::time::Duration = std::time::Duration::from_secs(2);

/// How often `--watch` looks for news.
const NEWS: std::time::Duration = std::time::Duration::from_secs(2);

pub(super) async fn run(ui: Ui, global: &Global, args: &FailoverArgs) -> Ended {
    let mut session = Session::open_for_takeover(ui, global, args).await?;
    if args.watch {
        return watch(&session).await;
    }
    session.accept(&args.minimum)?;
    let command = command(args);
    session.stated = true;
    let detected = args.detected_at.unwrap_or_else(|| session.now());
    session.go_without(&args.not_waiting_for, args.planned)?;
    let named = addresses(&session.stack, &args.only)?;
    let options = Options {
        intent: if args.planned { Intent::Planned } else { Intent::Failover },
        mode: Mode::Active,
        targets: session.part(named)?,
        delete_data: Default::default(),
    };
    let patience =
        Patience { only: &options.targets, except: &args.not_waiting_for, at_most: args.drain_timeout };
    if args.dry_run {
        plan::rehearsed(&session);
    }
    let shown = look_and_plan(&mut session, &options).await?;
    let kept = shown.mode.clone();
    session.warn_of_doubt(&kept)?;
    if args.planned {
        super::failback::expect_primary(&session, &shown)?;
    }
    plan::show(&session, &shown, &options.intent);
    if args.dry_run {
        if args.planned {
            let data = backlog(&session, &shown, &patience).await?;
            let now = session.now();
            data.iter().for_each(|it| ui.line("backlog", it.line(now)));
            ui.result(&views::data::backlog(&data, now));
        }
        ui.result(&views::plan::calls(&shown.plan, &session.kinds));
        return Ok(if shown.report.blocked.is_empty() { Exit::Done } else { Exit::Failed });
    }
    let serves = kept.standing().mode == Mode::Active && kept.is_complete();
    if serves && shown.plan.is_empty() && shown.report.blocked.is_empty() {
        return served_already(&session, &shown, &command).await;
    }
    if shown.plan.is_empty() && !shown.report.blocked.is_empty() {
        let hint = "mend what cannot be done now as it says there, then run it again; the mode is as it was";
        return Err(Failure::new(Exit::Failed, "nothing of the takeover can be done now", hint));
    }
    if !args.run.auto_approve {
        super::confirm(ui, &question(&shown))?;
    }
    let decided = session.now();
    // What has begun already goes on: the standby region may have been written to.
    let drained = match args.planned && kept.standing().mode == Mode::Standby {
        true => Some(drain(&session, &shown, &patience).await?),
        false => None,
    };
    let change = Change {
        mode: Mode::Active,
        purpose: FAILOVER,
        options: &options,
        parallelism: args.run.parallelism,
        command,
        detected: detected.min(decided),
        decided,
        drained,
        data: Vec::new(),
        not_compared: Vec::new(),
    };
    carry_out(&mut session, shown, kept, &change).await
}

/// How it ends where a failover has come to its end and left nothing to do.
async fn served_already(session: &Session, shown: &Planned, command: &str) -> Ended {
    let nothing = RunSummary::default();
    let judged = session.judge(shown, &shown.mode.standing(), true, &nothing, true).await?;
    let standby = &session.stack.facts.standby;
    if judged.verdict == Verdict::NothingToDo {
        session.ui.result(&format!("Nothing to do: {standby} serves already.\n"));
    }
    for pool in &judged.evidence.pools {
        if let Some(short) = pool.shortfall() {
            session.ui.result(&format!("DEGRADED {}: {short}\n", pool.address));
        }
    }
    judged.end(session, false, command)
}

/// What is asked before anything is done.
fn question(shown: &Planned) -> String {
    match commands::of_plan(&shown.plan).len() {
        0 => "Take over now?".to_owned(),
        1 => "Take over now, and run the command above on this machine?".to_owned(),
        count => format!("Take over now, and run the {count} commands above on this machine?"),
    }
}

/// The plan, once all of the standby region could be looked at, or after some tries.
async fn look_and_plan(session: &mut Session, options: &Options) -> Result<Planned, Failure> {
    let mut planned = session.plan(options).await?;
    for _ in 1..LOOKS {
        if !planned.has_failed_looks() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        planned = session.plan(options).await?;
    }
    Ok(planned)
}

/// Shows what the run that holds the lock does, until it ends.
async fn watch(session: &Session) -> Ended {
    let ui = session.ui;
    let held = lock::holder(&*session.store).await;
    let Some((holder, _)) =
        held.map_err(|error| Failure::new(Exit::Failed, error, "`drstack unlock` frees it"))?
    else {
        ui.result("Nobody is taking over: no run holds the lock.\n");
        return Ok(Exit::Done);
    };
    ui.result(&format!(
        "`drstack {}` of {} on {}, since {:.0}\n",
        holder.purpose, holder.owner, holder.host, holder.since
    ));
    let mut told = 0;
    loop {
        let entries =
            journal::entries(&*session.store, &holder.run).await.map_err(|error| store_failure(&error))?;
        for (number, entry) in entries.iter().enumerate().skip(told) {
            if let Some(text) = news(entry, &entries[..=number]) {
                ui.result(&text);
            }
        }
        told = entries.len();
        let now = lock::holder(&*session.store).await.ok().flatten();
        let is_held = now.as_ref().is_some_and(|(it, _)| it.run == holder.run);
        match now {
            _ if !is_held => {
                ui.result("The run has ended.\n");
                return Ok(Exit::Done);
            }
            Some((it, _)) if it.until < session.now() => {
                let hint = format!("take over from it: run `drstack {}` again", holder.purpose);
                return Err(Failure::new(Exit::Failed, "the run gives no sign of life", hint));
            }
            _ => tokio::time::sleep(NEWS).await,
        }
    }
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
        Entry::RunStarted { steps, .. } => format!("  {}\n", views::count(*steps, "step")),
        Entry::Intent { address, .. } => format!("  began {address}\n"),
        Entry::Done { step, .. } => format!("  done {}\n", address(*step)?),
        Entry::Degraded { step, rung } => format!("  DEGRADED {}: {rung}\n", address(*step)?),
        Entry::Failed { step, error, .. } => format!("  FAILED {}: {error}\n", address(*step)?),
        Entry::RunFinished { .. } => "  finished\n".to_owned(),
        Entry::Sealed { by } => format!("  taken over by {by}\n"),
    })
}

/// When the outage was noticed.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "write it as 2026-11-24T03:00:00Z".to_owned())
}
