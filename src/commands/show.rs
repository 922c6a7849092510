//! `drstack show`: prints a plan file, without a cloud.

use std::path::{Path, PathBuf};

use drstack_app::accepted::quoted;
use drstack_core::forecast::{Estimates, Forecast};
use drstack_core::plan::Intent;
use drstack_core::plan_file::PlanFile;

use crate::exit::{Ended, Exit};
use crate::files;
use crate::lines::{Line, PlanFileLine};
use crate::ui::Ui;
use crate::views::plan::ShownPlan;

/// Print a plan file as it was planned, without a cloud
#[derive(clap::Args)]
#[command(after_help = "Example:\n  drstack plan . --out today.plan && drstack show today.plan")]
pub(crate) struct ShowArgs {
    /// Plan file that `plan --out` has written
    file: PathBuf,
    /// Print all values of what is made and changed
    #[arg(long, short)]
    verbose: bool,
}

pub(super) fn run(ui: Ui, args: &ShowArgs) -> Ended {
    let file = files::plan_file(&args.file)?;
    ui.result(&text(&args.file, &file));
    ui.line(&Line::PlanFile(line(&args.file, &file)));
    let PlanFile { head, plan, report, options, .. } = &file;
    let forecast = Forecast::of(plan, head.slots, &Estimates);
    ShownPlan { head, plan, report, forecast: &forecast, intent: options.intent }
        .show(ui.verbose(args.verbose));
    Ok(Exit::Done)
}

/// Describes where the file comes from, and what applying it checks.
fn text(path: &Path, file: &PlanFile) -> String {
    let mut from = quoted(&file.stack);
    for (name, value) in &file.inputs {
        from.push_str(&format!(" -i {}", quoted(&format!("{name}={value}"))));
    }
    if let Some(inputs) = &file.input_file {
        from.push_str(&format!(" --inputs {}", quoted(inputs)));
    }
    let applied = match file.options.intent {
        Intent::Converge => "An apply plans again and refuses this file if anything differs.",
        _ => "An apply refuses this file: it changes the mode.",
    };
    let signing = match &file.head.signing {
        Some(key) => format!("The bundle that the apply publishes has to be signed: {key}."),
        None => "The stack asks for no signature of the bundle that the apply publishes.".to_owned(),
    };
    format!(
        "`{}`: a plan of stack `{}`, from `{from}`, made at {:.0} for mode {}. It is not signed itself. {applied}\n{signing}\n\n",
        path.display(),
        file.head.facts.name,
        file.at,
        file.options.mode.name(),
    )
}

fn line<'a>(path: &Path, file: &'a PlanFile) -> PlanFileLine<'a> {
    PlanFileLine {
        path: path.display().to_string(),
        at: file.at,
        stack: &file.stack,
        inputs: file.inputs.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        input_file: file.input_file.as_deref(),
        purpose: file.options.intent.purpose(),
        mode: file.options.mode,
        signing: file.head.signing.as_ref().map(ToString::to_string),
    }
}
