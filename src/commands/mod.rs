//! Commands, one file each.

mod apply;
mod destroy;
mod explain;
mod failback;
mod failover;
mod graph;
mod init;
mod keys;
mod kinds;
mod plan;
mod unlock;

use std::path::PathBuf;
use std::sync::Arc;

use clap::CommandFactory;
use drstack_app::app::{App, Catalog};
use drstack_app::failure::Status;
use drstack_app::session::Session;
use drstack_core::diagnostic::render;
use drstack_core::part::Sequence;
use drstack_core::stack::Stack;

use crate::args::{Args, CloudName, Command, Global, StackArgs};
use crate::connect::{Known, runtime};
use crate::exit::{Ended, Exit, Failure};
use crate::loading::load_stack;
use crate::machine::Machine;
use crate::screen::Screen;
use crate::ui::Ui;

/// The application as the arguments of every command want it, and the screen that it speaks to.
pub(crate) struct Edge {
    pub(crate) app: App,
    ui: Ui,
    screen: Arc<Screen>,
}

impl Edge {
    /// Of a command that draws its run in the file `timings`, where one is named.
    pub(crate) fn of(ui: Ui, global: &Global, timings: Option<PathBuf>) -> Self {
        let screen = Arc::new(Screen::new(ui, global.cloud == CloudName::Sim, timings));
        let catalog =
            Catalog::new(drstack_kinds::components(), drstack_kinds::kinds(), drstack_kinds::facts::keep);
        let clouds = Arc::new(Known::by(global));
        let app = App { catalog, clouds, host: Arc::new(Machine), operator: screen.clone() };
        Self { app, ui, screen }
    }

    /// Loads a stack and connects to its cloud.
    pub(crate) async fn open(&self, args: &StackArgs) -> Result<Session, Failure> {
        Session::open(&self.app, load_stack(self.ui, args)?).await
    }

    /// Ends a command as its operation ended.
    pub(crate) fn ended(&self, ended: Result<Status, Failure>) -> Ended {
        let written = self.screen.write_chart();
        if let (Err(_), Err(failure)) = (&ended, &written) {
            self.ui.warn(&format!("warning: {}", failure.message));
        }
        let status = ended?;
        written.map(|()| status.into())
    }
}

/// Runs the command that `args` name.
pub(crate) fn run(args: &Args) -> Exit {
    let ui = Ui::new(&args.global);
    match dispatch(ui, args) {
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
            Failure::new(Status::Usage, format!("-C {}: {error}", dir.display()), "name a folder")
        })?;
    }
    match &args.command {
        Command::Init { dir } => init::run(ui, dir),
        Command::Validate(stack) => {
            let stack = load_stack(ui, stack)?;
            let count = crate::views::count(stack.components.len(), "component");
            ui.line(
                "valid",
                serde_json::json!({"stack": stack.facts.name, "components": stack.components.len()}),
            );
            ui.result(&format!("Stack `{}` is valid: {count}.\n", stack.facts.name));
            in_order(ui, &stack)?;
            Ok(Exit::Done)
        }
        Command::Plan(it) => runtime(global.cloud)?.block_on(plan::run(ui, global, it)),
        Command::Apply(it) => runtime(global.cloud)?.block_on(apply::run(ui, global, it)),
        Command::Destroy(it) => runtime(global.cloud)?.block_on(destroy::run(ui, global, it)),
        Command::Failover(it) => runtime(global.cloud)?.block_on(failover::run(ui, global, it)),
        Command::Failback(it) => runtime(global.cloud)?.block_on(failback::run(ui, global, it)),
        Command::Graph(it) => runtime(global.cloud)?.block_on(graph::run(ui, global, it)),
        Command::Unlock { stack, force } => {
            runtime(global.cloud)?.block_on(unlock::run(ui, global, stack, *force))
        }
        Command::Keys(it) => keys::run(ui, it),
        Command::Schema => {
            let schema = drstack_core::stack::schema(&drstack_kinds::components());
            ui.raw(&format!("{schema:#}\n"));
            Ok(Exit::Done)
        }
        Command::Kinds => kinds::run(ui),
        Command::Explain { code } => explain::run(ui, code),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "drstack", &mut script);
            ui.raw(&String::from_utf8_lossy(&script));
            Ok(Exit::Done)
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Args::command())
                .render(&mut page)
                .map_err(|error| Failure::new(Status::Failed, error, "`drstack --help` says the same"))?;
            ui.raw(&String::from_utf8_lossy(&page));
            Ok(Exit::Done)
        }
    }
}

/// Says what traffic of `stack` waits for, and what an `after` leaves out.
fn in_order(ui: Ui, stack: &Stack) -> Result<(), Failure> {
    let sequence = Sequence::of(stack, &drstack_kinds::kinds());
    crate::views::order::show(ui, &sequence);
    let warnings = sequence.left_out(stack);
    for warning in &warnings {
        ui.line("diagnostic", crate::views::diagnostic(warning, &stack.sources));
    }
    if !warnings.is_empty() {
        ui.note(render(&warnings, &stack.sources, ui.color).trim_end());
    }
    Ok(())
}
