//! Trust in the commands of a bundle: write access to the control bucket must not decide what runs on the operator's machine.

use std::collections::BTreeSet;

use drstack_core::bundle::commands::{Command, commands, foreign};
use drstack_core::stack::Stack;

use crate::failure::{Failure, Status};
use crate::session::Session;
use crate::text::count;

/// What a failover may rely on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trust {
    /// The primary answers: it is asked.
    pub planned: bool,
    /// Run a bundle's commands although no key and no file vouches for them.
    pub unsigned: bool,
    /// Nothing is done, so that no command runs.
    pub dry_run: bool,
    /// Nothing is even planned.
    pub watch: bool,
    /// The control bucket is lost.
    pub without_control: bool,
}

/// Commands that no key and no file of the caller's vouches for. A bundle names its own hash and its own key: neither counts.
pub(crate) struct Vouched {
    unvouched: BTreeSet<Command>,
    /// Whether files of the stack are at hand.
    has_files: bool,
}

impl Vouched {
    /// Of the `published` stack: all are vouched for where a key of the caller's has signed it, else those that the caller's `own`
    /// files have too.
    pub(crate) fn of(signed: bool, own: Option<&Stack>, published: &Stack) -> Self {
        let unvouched = match (signed, own) {
            (true, _) => BTreeSet::new(),
            (false, Some(own)) => foreign(published, own),
            (false, None) => commands(published),
        };
        Self { unvouched, has_files: own.is_some() }
    }

    /// Refuses to go on with them, unless nothing is run or the caller accepts them; what would run is named.
    pub(crate) fn expect(&self, session: &Session, trust: &Trust) -> Result<(), Failure> {
        if self.unvouched.is_empty() || trust.watch {
            return Ok(());
        }
        let what = match self.has_files {
            true => "the bundle in the control bucket runs what these files do not",
            false => "the bundle runs",
        };
        let all: Vec<String> = self.unvouched.iter().map(|it| format!("  {it}")).collect();
        let commands = count(self.unvouched.len(), "command");
        let message = format!(
            "{what}, and no key says whose it is: {commands} would run on this machine\n{}",
            all.join("\n")
        );
        if trust.unsigned || trust.dry_run {
            session.warn(&format!("warning: {message}"));
            return Ok(());
        }
        let files = match self.has_files {
            true => "`drstack apply` publishes what the files say",
            false => "run `drstack failover STACK` in the stack's folder, whose files say the same",
        };
        let hint = format!(
            "name the key that signs the bundle: `--verify-key PUBLIC_KEY`; or {files}; or accept these commands: `--unsigned`"
        );
        Err(Failure::new(Status::Usage, message, hint))
    }
}
