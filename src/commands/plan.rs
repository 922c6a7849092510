//! `drstack plan STACK`: shows what an apply would do.

use clap_complete::engine::ArgValueCompleter;
use std::path::PathBuf;

use drstack_app::failure::Status;
use drstack_app::ops::destroy;
use drstack_app::ops::plan::{Plan, plan};
use drstack_app::planned::PlanOutcome;
use drstack_app::session::Session;
use drstack_app::text::duration;
use drstack_core::objective::Mode;
use drstack_core::part::NEVER_ASKED;
use drstack_core::plan::Intent;
use drstack_core::plan_file::{FORMAT, PlanFile};

use crate::args::{BundleArgs, Global, ModeName, StackArgs, set, typed};
use crate::commands::Edge;
use crate::complete;
use crate::exit::{Ended, Exit, Failure};
use crate::files;
use crate::lines::{Line, WrittenLine};
use crate::ui::Ui;

/// Show what apply would do
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  drstack plan stacks/fleet-routing --cloud sim\n  drstack plan . --detailed-exitcode   # exit 2 when there is something to do\n  drstack plan . --require-rto         # exit 3 when a failover is predicted to miss the RTO\n  drstack plan . --out today.plan && drstack apply today.plan\n  drstack plan . --mode active         # what a failover would change\n  drstack plan . --destroy             # what a destroy would delete, and what it would keep\n  drstack plan --bundle s3://acme-drstack-usw2/fleet-routing --region us-west-2 --mode active   # the same, from an empty folder"
)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    stack: StackArgs,
    #[command(flatten)]
    bundle: BundleArgs,
    /// Mode to plan for [default: the current one]
    #[arg(long, value_enum)]
    mode: Option<ModeName>,
    /// Write the plan to a file for `apply`
    #[arg(long, value_name = "FILE", conflicts_with = "bundle")]
    out: Option<PathBuf>,
    /// Plan only this address and what it needs (repeatable)
    #[arg(long, value_name = "ADDRESS", add = ArgValueCompleter::new(complete::address))]
    target: Vec<String>,
    /// Also delete this data, if a change has to (repeatable)
    #[arg(long, value_name = "ADDRESS", add = ArgValueCompleter::new(complete::address))]
    delete_data: Vec<String>,
    /// Show what destroy would do
    #[arg(long, conflicts_with_all = ["bundle", "mode", "out", "require_rto"])]
    destroy: bool,
    /// Print all values of what is made and changed
    #[arg(long, short)]
    verbose: bool,
    /// Exit with 2 if there are changes
    #[arg(long)]
    detailed_exitcode: bool,
    /// Exit with 3 if the predicted failover misses an RTO
    #[arg(long, conflicts_with = "target")]
    require_rto: bool,
}

pub(super) async fn run(ui: Ui, global: &Global, args: &PlanArgs) -> Ended {
    if let Some(path) = args.out.as_ref().filter(|it| it.extension().is_some_and(|it| it == "toml")) {
        let message = format!("`{}` would be taken for a stack", path.display());
        return Err(Failure::new(
            Status::Usage,
            message,
            "give the plan file another ending: `--out today.plan`",
        ));
    }
    let edge = Edge::of(ui.verbose(args.verbose), global, None)?;
    let (mut session, failover) = match args.bundle.at()? {
        Some(at) => (Session::from_bundle(&edge.app, &at).await?.0, None),
        None => {
            (edge.open(&args.stack).await?, Some(format!("drstack failover {}", typed(global, &args.stack))))
        }
    };
    if args.destroy {
        let (targets, delete_data) = (args.target.clone(), set(&args.delete_data));
        let (_, shown) =
            destroy::planned(&mut session, targets, delete_data, &typed(global, &args.stack)).await?;
        return Ok(exit(&shown, args.detailed_exitcode));
    }
    let how = Plan {
        mode: args.mode.map(Into::into),
        targets: args.target.clone(),
        delete_data: set(&args.delete_data),
        failover,
    };
    let (options, planned) = plan(&mut session, how).await?;
    let in_time = match args.require_rto {
        true => in_time(&session, &planned).await,
        false => Ok(()),
    };
    let exit = exit(&planned, args.detailed_exitcode);
    if let Some(path) = &args.out {
        let file = PlanFile {
            format: FORMAT,
            stack: args.stack.stack.display().to_string(),
            inputs: args.stack.input.clone(),
            input_file: args.stack.inputs.as_ref().map(|it| it.display().to_string()),
            stack_hash: session.stack.hash.clone(),
            at: session.now(),
            head: planned.head(&session.stack, session.cloud.warnings()),
            options,
            plan: planned.plan,
            report: planned.report,
        };
        let bytes = file.to_bytes().map_err(|error| Failure::new(Status::Failed, error, "report this"))?;
        files::write(path, &bytes)?;
        ui.line(&Line::Written(WrittenLine { path: path.display().to_string() }));
        let typed = typed(global, &args.stack);
        let applies = match file.options.intent {
            Intent::Failover | Intent::PlannedFailover => {
                format!("no apply takes it, since it changes the mode: `drstack failover {typed}` does")
            }
            Intent::Failback => {
                format!("no apply takes it, since it changes the mode: `drstack failback {typed}` does")
            }
            Intent::Converge | Intent::Destroy => {
                format!("`drstack apply {}` applies exactly this", path.display())
            }
        };
        ui.note(&format!("Kept in `{0}`; `drstack show {0}` prints it, {applies}.", path.display()));
    }
    match exit {
        Exit::Failed => Ok(exit),
        _ => in_time.map(|()| exit),
    }
}

/// Returns the exit code of a plan.
fn exit(planned: &PlanOutcome, detailed: bool) -> Exit {
    match (planned.report.blocked.is_empty(), planned.plan.is_empty()) {
        (false, _) => Exit::Failed,
        (true, false) if detailed => Exit::Changes,
        (true, _) => Exit::Done,
    }
}

/// Fails if a failover is predicted to miss an RTO, or cannot be held against one.
async fn in_time(session: &Session, planned: &PlanOutcome) -> Result<(), Failure> {
    let is_in_place = planned.plan.is_empty() && planned.mode.standing().mode == Mode::Standby;
    if is_in_place && session.lacks_bundle().await? {
        let message = "no RTO is met without the bundle that a failover works from";
        let hint = "run `drstack apply STACK`: it puts the bundle in place";
        return Err(Failure::new(Status::NotReady, message, hint));
    }
    let failover = planned.predicted.failover.as_ref();
    let unasked = planned.compiled.problems.iter().any(|it| it.code == NEVER_ASKED);
    let (message, hint) = match failover.map(|it| (it, it.meets_rto())) {
        Some((_, Some(true))) if unasked => (
            "no failover meets an RTO while a check is missing".to_owned(),
            "write the check that DR205 above names",
        ),
        Some((_, Some(true))) => return Ok(()),
        Some((idle, Some(false))) if idle.leaves_idle => (
            "no failover meets an RTO while a pool wants no instances".to_owned(),
            "give the pool a capacity of at least 1, or take it out of the stack",
        ),
        Some((late, Some(false))) => {
            let total = duration(late.forecast.total);
            (
                format!("a failover is predicted to take {total} and misses an RTO"),
                "run `drstack plan STACK --mode active` to see its steps",
            )
        }
        Some((_, None)) => (
            "`--require-rto`: the stack asks for no RTO".to_owned(),
            "write `rto` in `[stack]`, or leave the option out",
        ),
        None => (
            "`--require-rto`: no failover is predicted while the standby region serves".to_owned(),
            "leave the option out until the failback",
        ),
    };
    Err(Failure::new(Status::NotReady, message, hint))
}
