//! `drstack explain`: prints the page of a diagnostic.

use drstack_app::failure::Status;

use crate::exit::Ended;
use crate::exit::{Exit, Failure};
use crate::lines::{ExplanationLine, Line};
use crate::ui::Ui;

/// Explain a diagnostic
#[derive(clap::Args)]
#[command(after_help = "Example:\n  drstack explain DR201")]
pub(crate) struct ExplainArgs {
    /// Code of the diagnostic
    #[arg(add = clap_complete::engine::ArgValueCompleter::new(crate::complete::code))]
    code: String,
}

pub(super) fn run(ui: Ui, args: &ExplainArgs) -> Ended {
    let code = &args.code;
    let codes = drstack_kinds::components().codes();
    let Some((code, title, page)) = codes.iter().find(|(it, _, _)| it.eq_ignore_ascii_case(code)) else {
        let known: Vec<&str> = codes.iter().map(|(code, _, _)| *code).collect();
        return Err(Failure::new(
            Status::Usage,
            format!("there is no diagnostic `{code}`"),
            format!("known: {}", known.join(", ")),
        ));
    };
    ui.line(&Line::Explanation(ExplanationLine { code, title, text: page }));
    ui.result(&format!("{code}: {title}\n\n{page}\n"));
    Ok(Exit::Done)
}
