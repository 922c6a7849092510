//! `drstack plan`: shows the difference.

use drstack_core::objective::Mode;
use drstack_core::part::Sequence;
use drstack_core::plan::file::{FORMAT, PlanFile};
use drstack_core::plan::{Intent, Options};

use super::Ended;
use crate::args::{Global, PlanArgs, set, typed};
use crate::exit::{Exit, Failure};
use crate::session::Session;
use crate::ui::Ui;
use crate::{files, views};

pub(super) async fn run(ui: Ui, global: &Global, args: &PlanArgs) -> Ended {
    if let Some(path) = args.out.as_ref().filter(|it| it.extension().is_some_and(|it| it == "toml")) {
        let message = format!("`{}` would be taken for a stack", path.display());
        return Err(Failure::new(
            Exit::Usage,
            message,
            "give the plan file another ending: `--out today.plan`",
        ));
    }
    let mut session = match &args.bundle.bundle {
        Some(url) => Session::from_bundle(ui, global, url, &args.bundle).await?.0,
        None => Session::open(ui, global, &args.stack).await?,
    };
    let kept = session.mode().await?;
    let now = kept.standing().mode;
    let mode = args.mode.map_or(now, Into::into);
    // What a change of mode would do may be seen; what keeps to the mode needs to know it.
    session.stated = mode != now;
    let mut options = Options {
        intent: match (now, mode) {
            (Mode::Standby, Mode::Active) => Intent::Failover,
            (Mode::Active, Mode::Standby) => Intent::Failback,
            _ => Intent::Converge,
        },
        mode,
        targets: args.target.clone(),
        delete_data: set(&args.delete_data),
    };
    if options.intent == Intent::Failover {
        options.targets = session.part(options.targets)?;
        rehearsed(&session);
    }
    let planned = session.plan(&options).await?;
    show(&session, &planned, &options.intent);
    if let (Mode::Active, false, None) = (now, planned.mode.is_complete(), &args.bundle.bundle) {
        let on = session.way_on(&planned, &format!("drstack failover {}", typed(&args.stack)));
        ui.warn(&format!("warning: a failover is not complete, and `drstack apply` waits for it: {on}"));
    }
    let (blocked, empty) = (!planned.report.blocked.is_empty(), planned.plan.is_empty());
    if let Some(path) = &args.out {
        let file = PlanFile {
            format: FORMAT,
            stack: args.stack.stack.display().to_string(),
            inputs: args.stack.input.clone(),
            input_file: args.stack.inputs.as_ref().map(|it| it.display().to_string()),
            stack_hash: session.stack.hash.clone(),
            options,
            plan: planned.plan,
            report: planned.report,
        };
        let bytes = file.to_bytes().map_err(|error| Failure::new(Exit::Failed, error, "report this"))?;
        files::write(path, &bytes)?;
        ui.line("written", serde_json::json!({"path": path.display().to_string()}));
        ui.note(&format!("Kept in `{0}`; `drstack apply {0}` applies exactly this.", path.display()));
    }
    match (blocked, empty) {
        (true, _) => Ok(Exit::Failed),
        (false, false) if args.detailed_exitcode => Ok(Exit::Changes),
        _ => Ok(Exit::Done),
    }
}

/// What the last apply expected of a takeover: known before anything is looked at, however slow that is.
pub(super) fn rehearsed(session: &Session) {
    if let Some(it) = &session.rehearsed {
        session.ui.result(&views::plan::rehearsed(it.at, &it.skeleton));
        session.ui.line("rehearsed", views::plan::rehearsed_line(it.at, &it.skeleton));
    }
}

/// What traffic waits for, for people and programs.
pub(super) fn order(ui: Ui, sequence: &Sequence) {
    ui.result(&views::order::text(sequence));
    views::order::lines(sequence).into_iter().for_each(|line| ui.line("order", line));
}

/// The plan, for people or programs.
pub(super) fn show(session: &Session, planned: &crate::planning::Planned, intent: &Intent) {
    let ui = session.ui;
    if *intent == Intent::Converge {
        ui.result(&views::plan::posture(&session.stack));
        ui.line("posture", views::plan::posture_line(&session.stack));
    }
    ui.result(&views::plan::text(&planned.plan, &planned.report, intent));
    if let Some(sequence) = planned.sequence.as_ref().filter(|_| *intent != Intent::Failback) {
        order(ui, sequence);
    }
    for (kind, value) in views::plan::lines(&planned.plan, &planned.report) {
        ui.line(kind, value);
    }
    if *intent == Intent::Converge {
        for warning in session.cloud.warnings() {
            ui.warn(&format!("warning: {warning}"));
        }
    }
    if let Some(rehearsal) = planned.rehearsal.as_ref().filter(|_| planned.report.blocked.is_empty()) {
        ui.result(&views::plan::takeover(rehearsal, session.rto()));
    }
    if !planned.report.blocked.is_empty() {
        ui.warn("hint: mend what cannot be done now as it says there, then run it again");
    }
}
