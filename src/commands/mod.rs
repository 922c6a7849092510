//! Commands: each is a file with its arguments, its help and its run, and a line in [`Command`].

mod apply;
mod completions;
mod destroy;
mod discover;
mod explain;
mod failback;
mod failover;
mod graph;
mod iam_policy;
mod init;
mod keys;
mod kinds;
mod man;
mod output;
mod plan;
mod runs;
mod schema;
mod show;
mod status;
mod sync;
mod unlock;
mod validate;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use drstack_app::app::{App, Catalog};
use drstack_app::failure::Status;
use drstack_app::session::Session;

use crate::args::{CloudName, Global, StackArgs};
use crate::connect::{Known, runtime};
use crate::exit::{Ended, Exit, Failure};
use crate::files;
use crate::loading::load_stack;
use crate::machine::{Machine, unless_stopped};
use crate::screen::Screen;
use crate::ui::Ui;

/// The application and the screen that the global arguments describe.
pub(crate) struct Edge {
    pub(crate) app: App,
    ui: Ui,
    screen: Arc<Screen>,
}

impl Edge {
    /// Creates the edge of a command. The chart of its run goes to the file `timings`, if one is
    /// named.
    pub(crate) fn of(ui: Ui, global: &Global, timings: Option<PathBuf>) -> Result<Self, Failure> {
        if let Some(path) = &timings {
            files::expect_writable(path)?;
        }
        let screen = Arc::new(Screen::new(ui, global.cloud == CloudName::Sim, timings, global.page.clone()));
        let catalog =
            Catalog::new(drstack_kinds::components(), drstack_kinds::kinds(), drstack_kinds::facts::keep);
        let clouds = Arc::new(Known::by(global));
        let (host, operator, typed) = (Arc::new(Machine), screen.clone(), global.typed());
        let app = App { catalog, clouds, host, operator, typed };
        Ok(Self { app, ui, screen })
    }

    /// Loads a stack and connects to its cloud.
    pub(crate) async fn open(&self, args: &StackArgs) -> Result<Session, Failure> {
        Session::open(&self.app, load_stack(self.ui, args)?).await
    }

    /// Ends a command with the status of its operation.
    pub(crate) fn ended(&self, ended: Result<Status, Failure>) -> Ended {
        let written = self.screen.write_chart();
        if let (Err(_), Err(failure)) = (&ended, &written) {
            self.ui.warn(&format!("warning: {}", failure.message));
        }
        let status = ended?;
        written.map(|()| status.into())
    }
}

/// Gives an AI system on AWS a second region to fall back to.
#[derive(Parser)]
#[command(
    name = "drstack",
    version,
    propagate_version = true,
    after_help = "Start without an account:\n  drstack init demo\n  drstack apply demo --cloud sim\n\nExit codes: 0 done, 1 failed, 2 changes (--detailed-exitcode), 3 objective missed or not ready, 4 locked or stale, 64 usage, 65 invalid stack, 130 interrupted"
)]
pub(crate) struct Args {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::InitArgs),
    Discover(discover::DiscoverArgs),
    Validate(validate::ValidateArgs),
    Plan(plan::PlanArgs),
    Show(show::ShowArgs),
    Apply(apply::ApplyArgs),
    Sync(sync::SyncArgs),
    Status(status::StatusArgs),
    Destroy(destroy::DestroyArgs),
    Failover(failover::FailoverArgs),
    Failback(failback::FailbackArgs),
    Graph(graph::GraphArgs),
    Output(output::OutputArgs),
    Runs(runs::RunsArgs),
    Unlock(unlock::UnlockArgs),
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    Schema(schema::SchemaArgs),
    Kinds(kinds::KindsArgs),
    IamPolicy(iam_policy::IamPolicyArgs),
    Explain(explain::ExplainArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

impl Command {
    /// Its name, as it is typed.
    fn name(&self) -> &'static str {
        match self {
            Self::Init(_) => "init",
            Self::Discover(_) => "discover",
            Self::Validate(_) => "validate",
            Self::Plan(_) => "plan",
            Self::Show(_) => "show",
            Self::Apply(_) => "apply",
            Self::Sync(_) => "sync",
            Self::Status(_) => "status",
            Self::Destroy(_) => "destroy",
            Self::Failover(_) => "failover",
            Self::Failback(_) => "failback",
            Self::Graph(_) => "graph",
            Self::Output(_) => "output",
            Self::Runs(_) => "runs",
            Self::Unlock(_) => "unlock",
            Self::Keys(_) => "keys",
            Self::Schema(_) => "schema",
            Self::Kinds(_) => "kinds",
            Self::IamPolicy(_) => "iam-policy",
            Self::Explain(_) => "explain",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
        }
    }
}

/// Runs the command that `args` names.
pub(crate) fn run(args: &Args) -> Exit {
    let ui = Ui::new(&args.global);
    let ended = dispatch(ui, args);
    if let Some(path) = &args.global.summary
        && let Err(error) = args.global.page.append(path, args.command.name(), &ended)
    {
        ui.warn(&format!("warning: `{}` cannot be written: {error}", path.display()));
    }
    match ended {
        Ok(exit) => exit,
        Err(failure) => {
            ui.failure(&failure);
            failure.status.into()
        }
    }
}

fn dispatch(ui: Ui, args: &Args) -> Ended {
    let global = &args.global;
    if let Some(dir) = &global.folder {
        std::env::set_current_dir(dir).map_err(|error| {
            let hint = match error.kind() {
                ErrorKind::NotFound => "name a folder that exists",
                ErrorKind::NotADirectory => "name a folder, not a file",
                _ => "name a folder that you may enter",
            };
            Failure::new(Status::Usage, format!("-C {}: {error}", dir.display()), hint)
        })?;
    }
    match &args.command {
        Command::Init(it) => init::run(ui, it),
        Command::Discover(it) => discover::run(ui, it),
        Command::Validate(it) => validate::run(ui, it),
        Command::Plan(it) => complete(global, plan::run(ui, global, it)),
        Command::Show(it) => show::run(ui, it),
        Command::Apply(it) => complete(global, apply::run(ui, global, it)),
        Command::Sync(it) => complete(global, sync::run(ui, global, it)),
        Command::Status(it) => complete(global, status::run(ui, global, it)),
        Command::Destroy(it) => complete(global, destroy::run(ui, global, it)),
        Command::Failover(it) => complete(global, failover::run(ui, global, it)),
        Command::Failback(it) => complete(global, failback::run(ui, global, it)),
        Command::Graph(it) => complete(global, graph::run(ui, global, it)),
        Command::Output(it) => complete(global, output::run(ui, global, it)),
        Command::Runs(it) => complete(global, runs::run(ui, global, it)),
        Command::Unlock(it) => complete(global, unlock::run(ui, global, it)),
        Command::Keys(it) => keys::run(ui, it),
        Command::Schema(it) => schema::run(ui, it),
        Command::Kinds(_) => kinds::run(ui),
        Command::IamPolicy(it) => iam_policy::run(ui, it),
        Command::Explain(it) => explain::run(ui, it),
        Command::Completions(it) => completions::run(ui, it),
        Command::Man(it) => man::run(ui, it),
    }
}

/// Completes a command that needs a cloud.
fn complete(global: &Global, command: impl Future<Output = Ended>) -> Ended {
    let runtime = runtime(global.cloud)?;
    let ended = runtime.block_on(unless_stopped(command));
    // A look-up of a name that hangs would hold the program up, and Ctrl-C no longer ends it.
    runtime.shutdown_background();
    ended
}
