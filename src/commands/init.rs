//! `drstack init`: writes a commented stack that validates.

use std::path::PathBuf;

use drstack_app::failure::Status;

use crate::exit::Ended;
use crate::exit::{Exit, Failure};
use crate::files;
use crate::lines::{Line, WrittenLine};
use crate::ui::Ui;

/// The stack that `init` writes.
const STACK: &str = include_str!("init.toml");

/// Write a commented stack that validates
#[derive(clap::Args)]
#[command(after_help = "Example:\n  drstack init demo && drstack validate demo")]
pub(crate) struct InitArgs {
    /// Folder to write into; created if it does not exist
    dir: PathBuf,
}

pub(super) fn run(ui: Ui, args: &InitArgs) -> Ended {
    let dir = &args.dir;
    let path = dir.join("stack.toml");
    if path.exists() {
        let hint = "name another folder, or remove the file first";
        return Err(Failure::new(Status::Usage, format!("`{}` exists", path.display()), hint));
    }
    std::fs::create_dir_all(dir).map_err(|error| {
        Failure::new(
            Status::Failed,
            format!("cannot make `{}`: {error}", dir.display()),
            "name a folder that you may write to",
        )
    })?;
    files::write(&path, STACK.as_bytes())?;
    ui.line(&Line::Written(WrittenLine { path: path.display().to_string() }));
    ui.result(&format!(
        "Wrote `{}`. Try it without an account:\n  drstack apply {} --cloud sim\n",
        path.display(),
        dir.display()
    ));
    Ok(Exit::Done)
}
