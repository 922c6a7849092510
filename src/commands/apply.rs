//! `drstack apply`: makes the standby region match the stack.

use clap_complete::engine::ArgValueCompleter;
use std::path::{Path, PathBuf};

use drstack_app::failure::Status;
use drstack_app::ops::apply::{Apply, apply};
use drstack_core::plan_file::PlanFile;

use crate::args::{Global, ModeName, RunArgs, StackArgs, set, typed};
use crate::commands::Edge;
use crate::complete;
use crate::exit::{Ended, Failure};
use crate::files;
use crate::ui::Ui;

/// Make the standby region match the stack
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  drstack apply stacks/fleet-routing --cloud sim --auto-approve\n  drstack apply today.plan\n  drstack apply . --signing-key signing.key   # signs the bundle it publishes\n\nEnds with 3 where all is as the stack has it and something is not ready yet."
)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    stack: StackArgs,
    #[command(flatten)]
    run: RunArgs,
    /// Record the stack's mode again, if its record is lost
    #[arg(long, value_enum)]
    mode: Option<ModeName>,
    /// Apply these files also where the failover that serves began with others
    #[arg(long)]
    with_files: bool,
    /// Sign the bundle with this private key
    #[arg(long, value_name = "FILE", env = "DRSTACK_SIGNING_KEY")]
    signing_key: Option<PathBuf>,
    /// Plan only this address and what it needs (repeatable)
    #[arg(long, value_name = "ADDRESS", add = ArgValueCompleter::new(complete::address))]
    target: Vec<String>,
    /// Also delete this data, if a change has to (repeatable)
    #[arg(long, value_name = "ADDRESS", add = ArgValueCompleter::new(complete::address))]
    delete_data: Vec<String>,
}

pub(super) async fn run(ui: Ui, global: &Global, args: &ApplyArgs) -> Ended {
    let file = plan_file(&args.stack.stack)?;
    let more = !args.stack.input.is_empty() || args.stack.inputs.is_some() || args.mode.is_some();
    if file.is_some() && (more || !args.target.is_empty() || !args.delete_data.is_empty()) {
        let message = "a plan file is applied as it was made: with its own inputs, targets and data";
        return Err(Failure::new(Status::Usage, message, "leave these options out, or make another plan"));
    }
    let stack = match &file {
        Some(file) => StackArgs {
            stack: file.stack.clone().into(),
            input: file.inputs.clone(),
            inputs: file.input_file.clone().map(Into::into),
        },
        None => args.stack.clone(),
    };
    let edge = Edge::of(ui, global, args.run.timings.clone())?;
    let mut session = edge.open(&stack).await?;
    let how = Apply {
        file,
        mode: args.mode.map(Into::into),
        targets: args.target.clone(),
        delete_data: set(&args.delete_data),
        signing_key: args.signing_key.as_deref().map(files::private_key).transpose()?,
        with_files: args.with_files,
        auto_approve: args.run.auto_approve,
        parallelism: args.run.parallelism,
        typed: typed(global, &stack),
    };
    edge.ended(apply(&mut session, how).await)
}

/// Returns the plan file at `path`, if the file is one.
fn plan_file(path: &Path) -> Result<Option<PlanFile>, Failure> {
    if !path.is_file() || path.extension().is_some_and(|it| it == "toml") {
        return Ok(None);
    }
    files::plan_file(path).map(Some)
}
