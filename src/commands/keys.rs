//! `drstack keys`: creates and shows the keys that sign bundles.

use std::path::PathBuf;

use drstack_app::failure::Status;
use drstack_core::keys::{PrivateKey, PublicKey};

use crate::exit::Ended;
use crate::exit::{Exit, Failure};
use crate::files;
use crate::lines::{KeyLine, Line};
use crate::ui::Ui;

/// Create and show the keys that sign bundles
#[derive(clap::Subcommand)]
#[command(after_help = "Example:\n  drstack keys new ~/.config/drstack/signing.key")]
pub(crate) enum KeysCommand {
    /// Write a new private key that only you can read, and print its public half
    #[command(
        after_help = "Examples:\n  drstack keys new ~/.config/drstack/signing.key\n  drstack apply . --signing-key ~/.config/drstack/signing.key"
    )]
    New {
        /// File to write; it must not exist
        file: PathBuf,
    },
    /// Print the public half of a private key
    #[command(after_help = "Example:\n  drstack keys show ~/.config/drstack/signing.key")]
    Show {
        /// File that `keys new` has written
        file: PathBuf,
    },
}

pub(super) fn run(ui: Ui, command: &KeysCommand) -> Ended {
    match command {
        KeysCommand::New { file } => {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).map_err(|error| {
                let message = format!("the system has no random numbers: {error}");
                Failure::new(Status::Failed, message, "make the key on another machine")
            })?;
            let key = PrivateKey::from_random(&bytes);
            files::write_key(file, &key.to_text()).map_err(|error| {
                if error.kind() != std::io::ErrorKind::AlreadyExists {
                    return files::unwritable(file, Status::Failed, &error);
                }
                let hint = "name a new file: what a lost key has signed can never be signed again";
                Failure::new(Status::Usage, format!("`{}` exists", file.display()), hint)
            })?;
            say(ui, &key.public());
            ui.note(&format!(
                "The private key is in `{}`. Write the public one into the stack, `signing = \"{}\"` in `[stack]`, and keep it\n\
                 where a failover is started from: `--verify-key`, or DRSTACK_VERIFY_KEY.",
                file.display(),
                key.public()
            ));
        }
        KeysCommand::Show { file } => say(ui, &files::private_key(file)?.public()),
    }
    Ok(Exit::Done)
}

fn say(ui: Ui, key: &PublicKey) {
    ui.line(&Line::Key(KeyLine { public: key.to_string() }));
    ui.result(&format!("{key}\n"));
}
