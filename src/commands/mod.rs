//! Commands, one file each.

mod apply;
mod destroy;
mod explain;
mod failback;
pub(crate) mod failover;
mod graph;
mod init;
mod keys;
mod kinds;
mod plan;
mod unlock;

use clap::CommandFactory;
use drstack_core::control::lock::Lock;
use drstack_core::diagnostic::render;
use drstack_core::part::Sequence;
use drstack_core::stack::Stack;

use crate::args::{Args, Command};
use crate::cloud::runtime;
use crate::exit::{Exit, Failure};
use crate::loading::load_stack;
use crate::planning::shape_failure;
use crate::ui::Ui;

/// What a command ends with.
pub(crate) type Ended = Result<Exit, Failure>;

/// Runs the command that `args` name.
pub(crate) fn run(args: &Args) -> Exit {
    let ui = Ui::new(&args.global);
    match dispatch(ui, args) {
        Ok(exit) => exit,
        Err(failure) => {
            ui.failure(&failure);
            failure.exit
        }
    }
}

fn dispatch(ui: Ui, args: &Args) -> Ended {
    let global = &args.global;
    if let Some(dir) = &global.folder {
        std::env::set_current_dir(dir).map_err(|error| {
            Failure::new(Exit::Usage, format!("-C {}: {error}", dir.display()), "name a folder")
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
                .map_err(|error| Failure::new(Exit::Failed, error, "`drstack --help` says the same"))?;
            ui.raw(&String::from_utf8_lossy(&page));
            Ok(Exit::Done)
        }
    }
}

/// Says what traffic of `stack` waits for, and what an `after` leaves out.
fn in_order(ui: Ui, stack: &Stack) -> Result<(), Failure> {
    let sequence = Sequence::of(stack, &drstack_kinds::kinds()).map_err(|error| shape_failure(&error))?;
    plan::order(ui, &sequence);
    let warnings = sequence.left_out(stack);
    for warning in &warnings {
        ui.line("diagnostic", crate::views::diagnostic(warning, &stack.sources));
    }
    if !warnings.is_empty() {
        ui.note(render(&warnings, &stack.sources, ui.color).trim_end());
    }
    Ok(())
}

/// Goes on where somebody says yes.
pub(crate) fn confirm(ui: Ui, question: &str) -> Result<(), Failure> {
    match ui.confirm(question) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::new(Exit::Failed, "nothing was changed", "answer `yes` to go on")),
        None => {
            let hint = "add `--auto-approve`, or run it on a terminal";
            Err(Failure::new(Exit::Usage, "nobody is there to ask", hint))
        }
    }
}

/// Gives back a lock under which nothing was begun.
pub(crate) async fn release(lock: Lock) -> Result<(), Failure> {
    let begun = lock.begun().clone();
    lock.release(&begun)
        .await
        .map_err(|error| Failure::new(Exit::Failed, error, "`drstack unlock` frees the stack"))
}
