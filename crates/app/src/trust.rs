//! Trust in the commands of a bundle: write access to the control bucket must not decide which
//! commands run on the operator's machine.

use std::collections::BTreeSet;

use drstack_core::bundle::commands::{Command, commands, foreign};
use drstack_core::stack::Stack;

use crate::failure::{Failure, Status};
use crate::session::Session;
use crate::text::count;

/// The options that decide what a failover trusts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trust {
    /// The failover is planned: it asks the primary.
    pub planned: bool,
    /// Run a bundle's commands although no key and no file vouches for them.
    pub unsigned: bool,
    /// Nothing is executed, so no command runs.
    pub dry_run: bool,
    /// Nothing is even planned.
    pub watch: bool,
    /// The control bucket is lost.
    pub without_control: bool,
    /// The caller's files decide, also where they differ from what was applied.
    pub with_files: bool,
}

/// The commands that neither the caller's key nor the caller's files vouch for. A bundle names its
/// own hash and its own key, so neither counts.
pub(crate) struct Vouched {
    unvouched: BTreeSet<Command>,
    /// True if the caller has files of the stack.
    has_files: bool,
}

impl Vouched {
    /// Finds the unvouched commands of the `published` stack.
    ///
    /// A caller's key that signed the stack vouches for all commands. Without one, only commands
    /// that the caller's `own` files contain are vouched for.
    pub(crate) fn of(signed: bool, own: Option<&Stack>, published: &Stack) -> Self {
        let unvouched = match (signed, own) {
            (true, _) => BTreeSet::new(),
            (false, Some(own)) => foreign(published, own),
            (false, None) => commands(published),
        };
        Self { unvouched, has_files: own.is_some() }
    }

    /// Fails if there are unvouched commands, unless nothing runs or the caller accepts them. The
    /// failure names them.
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
