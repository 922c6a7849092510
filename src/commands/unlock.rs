//! `drstack unlock`: breaks a lock, after it has shown whose lock that is.

use drstack_app::failure::Status;
use drstack_app::ops::unlock::{Held, look, unlock};
use drstack_app::session::Session;

use crate::args::{BundleArgs, Global, StackArgs};
use crate::commands::Edge;
use crate::exit::{Ended, Exit, Failure};
use crate::lines::{Line, LockLine, LockState};
use crate::ui::Ui;

/// Remove the lock of a run that died
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  drstack unlock . --force\n  drstack unlock --bundle s3://CONTROL/STACK --region us-west-2   # in an empty folder"
)]
pub(crate) struct UnlockArgs {
    #[command(flatten)]
    stack: StackArgs,
    #[command(flatten)]
    bundle: BundleArgs,
    /// Do not ask for confirmation
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(ui: Ui, global: &Global, args: &UnlockArgs) -> Ended {
    let force = args.force;
    let edge = Edge::of(ui, global, None)?;
    let session = match args.bundle.at()? {
        Some(at) => Session::from_bundle(&edge.app, &at).await?.0,
        None => edge.open(&args.stack).await?,
    };
    let held = look(&session).await?;
    let broken = match &held {
        Held::Free => {
            ui.line(&Line::Lock(LockLine::default()));
            ui.result("The stack is not locked.\n");
            return Ok(Exit::Done);
        }
        Held::Broken(error) => {
            ui.note(&format!("{error}\nReplacing it ends the run that held it, if one did."));
            ask(ui, force, "Replace it?")?;
            LockLine { state: LockState::Broken, ..LockLine::default() }
        }
        Held::By { holder, is_alive } => {
            let alive = match is_alive {
                true => "It renewed its lease within the last minute.",
                false => "Its lease ran out.",
            };
            ui.note(&format!(
                "{} on {} holds the lock for `{}` since {:.0}, run {}. {alive}\n\
                 Breaking it ends that run: it starts nothing more, and what it is doing now is stopped once it notices.",
                holder.owner, holder.host, holder.purpose, holder.since, holder.run
            ));
            ask(ui, force, "Break it?")?;
            LockLine {
                state: LockState::Broken,
                owner: Some(&holder.owner),
                host: Some(&holder.host),
                purpose: Some(&holder.purpose),
                run: Some(&holder.run),
            }
        }
    };
    unlock(&session, &held).await?;
    ui.line(&Line::Lock(broken));
    ui.result("Unlocked. Run `drstack plan STACK` to see where things stand.\n");
    Ok(Exit::Done)
}

fn ask(ui: Ui, force: bool, question: &str) -> Result<(), Failure> {
    if force {
        return Ok(());
    }
    match ui.confirm(question) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::new(Status::Failed, "the lock stands", "answer `yes` to break it")),
        None => Err(Failure::new(Status::Usage, "cannot ask for confirmation: no terminal", "add `--force`")),
    }
}
