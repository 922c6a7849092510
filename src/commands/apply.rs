//! `drstack apply`: makes it true.

use std::path::Path;

use drstack_core::control::lock::FAILBACK;
use drstack_core::objective::Mode;
use drstack_core::plan::file::{PlanFile, PlanFileError};
use drstack_core::plan::{Intent, Options};

use super::{Ended, plan};
use crate::args::{ApplyArgs, Global, RunArgs, StackArgs, set, typed};
use crate::bundle::signer;
use crate::exit::{Exit, Failure};
use crate::planning::Planned;
use crate::session::Session;
use crate::ui::Ui;
use crate::{files, views};

pub(super) async fn run(ui: Ui, global: &Global, args: &ApplyArgs) -> Ended {
    let file = plan_file(&args.stack.stack)?;
    let more = !args.stack.input.is_empty() || args.stack.inputs.is_some() || args.mode.is_some();
    if file.is_some() && (more || !args.target.is_empty() || !args.delete_data.is_empty()) {
        let message = "a plan file is applied as it was made: with its own inputs, targets and data";
        return Err(Failure::new(Exit::Usage, message, "leave these options out, or make another plan"));
    }
    let stack = match &file {
        Some(file) => StackArgs {
            stack: file.stack.clone().into(),
            input: file.inputs.clone(),
            inputs: file.input_file.clone().map(Into::into),
        },
        None => args.stack.clone(),
    };
    let mut session = Session::open(ui, global, &stack).await?;
    if let Some(mode) = args.mode {
        session.record_anew(mode.into(), &args.run).await?;
    }
    // After a takeover the standby region serves, and stays as that wants it until it is handed back.
    let mode = session.sure_mode().await?;
    let options = match &file {
        Some(file) => file.options.clone(),
        None => Options {
            intent: Intent::Converge,
            mode: mode.standing().mode,
            targets: args.target.clone(),
            delete_data: set(&args.delete_data),
        },
    };
    if options.intent != Intent::Converge {
        let hint = "taking over is `drstack failover`, handing back `drstack failback`";
        return Err(Failure::new(Exit::Usage, "a plan that changes the mode cannot be applied", hint));
    }
    if options.mode != mode.standing().mode {
        let message = "the mode changed since this plan was made";
        return Err(Failure::new(Exit::Locked, message, "look at a new one: `drstack plan --out FILE`"));
    }
    if !mode.is_complete() {
        let message = format!("a change to mode `{}` is not complete", name(options.mode));
        let again = |command: &str| format!("drstack {command} {}", typed(&stack));
        let hint = match options.mode {
            Mode::Active => match session.plan(&options).await {
                Ok(seen) => session.way_on(&seen, &again("failover")),
                Err(_) => format!("run `{}` again: it goes on from there", again("failover")),
            },
            Mode::Standby => format!("run `{}` again: it goes on from there", again("failback")),
        };
        return Err(Failure::new(Exit::Locked, message, hint));
    }
    session.signer = signer(&session.stack, args.signing_key.as_deref())?;
    let shown = session.plan(&options).await?;
    if let Some(file) = &file {
        check(file, &session, &shown)?;
    }
    plan::show(&session, &shown, &options.intent);
    if shown.plan.is_empty() {
        if !shown.report.blocked.is_empty() {
            return Ok(Exit::Failed);
        }
        session.publish_unchanged(&options, shown).await?;
        session.keep_twice(&mode).await;
        return Ok(Exit::Done);
    }
    let approved = args.run.auto_approve || file.is_some();
    let exit = finish(&mut session, &options, shown, "apply", &args.run, approved, "Make it so?").await?;
    session.keep_twice(&mode).await;
    Ok(exit)
}

/// Confirm, lock, look again, execute: the second half of every command that changes something.
pub(super) async fn finish(
    session: &mut Session,
    options: &Options,
    shown: Planned,
    purpose: &str,
    run: &RunArgs,
    approved: bool,
    question: &str,
) -> Ended {
    let ui = session.ui;
    if !approved {
        super::confirm(ui, question)?;
    }
    let lock = session.lock(purpose).await?;
    let planned = match shown.still_stands_under(&lock) {
        true => shown,
        false => match session.plan(options).await {
            // What was shown is what is done: if another run changed the world meanwhile, nothing is.
            Ok(planned) if planned.plan == shown.plan => planned,
            Ok(_) => {
                super::release(lock).await?;
                let hint = "run it again to see what is to be done now";
                return Err(Failure::new(Exit::Locked, "the world changed while this plan was shown", hint));
            }
            Err(failure) => {
                super::release(lock).await?;
                return Err(failure);
            }
        },
    };
    let mut progress = views::progress::Progress::new(ui, session.simulated);
    let mut timings = views::gantt::Timings::new();
    let mut sink = |event| {
        timings.hear(&event);
        progress.show(&event);
    };
    let summary = session.execute(&planned, None, lock, purpose, run.parallelism, &mut sink).await?;
    let verb = match purpose {
        "destroy" => "Destroy",
        // What handing back begins with: the rest of it comes after this, and says so itself.
        FAILBACK => "First part",
        _ => "Apply",
    };
    ui.result(&views::progress::summary(verb, &summary));
    for (step, rung) in &summary.degraded {
        ui.result(&format!("DEGRADED {}: {rung}\n", planned.plan.steps[*step].address));
    }
    if let Some(sentence) = timings.sentence(&planned.plan) {
        ui.result(&sentence);
    }
    if let Some(path) = &run.timings {
        files::write(path, timings.svg(&planned.plan).as_bytes())?;
        ui.note(&format!("When each step ran is drawn in `{}`.", path.display()));
    }
    for (step, error) in &summary.failed {
        let address = planned.plan.steps[*step].address.as_str();
        ui.step_failure(address, &error.to_string(), &error.hint());
    }
    let complete = summary.is_complete() && planned.report.blocked.is_empty();
    match (complete, summary.unfinished.is_empty()) {
        (true, _) => Ok(Exit::Done),
        (false, true) => Ok(Exit::Failed),
        (false, false) => Ok(Exit::Interrupted),
    }
}

fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::Standby => "standby",
        Mode::Active => "active",
    }
}

/// The plan file at `path`, if that is one.
fn plan_file(path: &Path) -> Result<Option<PlanFile>, Failure> {
    if !path.is_file() || path.extension().is_some_and(|it| it == "toml") {
        return Ok(None);
    }
    let unreadable = |error: PlanFileError| {
        let hint = "make it again with `drstack plan --out FILE`";
        Failure::new(Exit::Usage, format!("`{}`: {error}", path.display()), hint)
    };
    let bytes = files::plan_bytes(path).map_err(|error| {
        Failure::new(Exit::Usage, format!("cannot read `{}`: {error}", path.display()), "name a plan file")
    })?;
    PlanFile::from_bytes(&bytes).map(Some).map_err(unreadable)
}

fn check(file: &PlanFile, session: &Session, now: &Planned) -> Result<(), Failure> {
    file.check(&session.stack.hash, &now.plan)
        .map_err(|error| Failure::new(Exit::Locked, error, "look at a new one: `drstack plan --out FILE`"))
}
