//! Trust in a bundle: write access to the control bucket must not decide which commands run on the
//! operator's machine, nor which instances start with which role.

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
    /// It is a failback.
    pub back: bool,
    /// Use a bundle although no key and no file vouches for it.
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

/// The stack that has to be vouched for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Published {
    /// That of the bundle, which was applied.
    Applied,
    /// That which the failover began with.
    Begun,
}

/// What neither the caller's key nor the caller's files vouch for. A bundle names its own hash and
/// its own key, so neither counts.
pub(crate) struct Vouched {
    commands: BTreeSet<Command>,
    /// What the bundle says otherwise than the caller's files; `None` if the caller has none.
    differences: Option<Vec<String>>,
    signed: bool,
    published: Published,
}

/// Said of a bundle if the caller has neither a key nor files.
const UNKNOWN: &str = "the bundle decides what is started, and you named no key that has to have signed it";

/// Differences that a message names.
const NAMED: usize = 5;

impl Vouched {
    /// Compares the `published` stack with the caller's `own` files.
    ///
    /// A caller's key that signed the stack vouches for all of it. Without one, only what the
    /// caller's files contain is vouched for.
    pub(crate) fn of(signed: bool, own: Option<&Stack>, published: &Stack) -> Self {
        let commands = match (signed, own) {
            (true, _) => BTreeSet::new(),
            (false, Some(own)) => foreign(published, own),
            (false, None) => commands(published),
        };
        let differences = own.map(|own| own.resolve().differences(&published.resolve()));
        Self { commands, differences, signed, published: Published::Applied }
    }

    /// Says which stack this is.
    pub(crate) fn of_stack(self, published: Published) -> Self {
        Self { published, ..self }
    }

    /// Fails if the bundle says anything that is not vouched for, unless nothing runs or the caller
    /// accepts it. The failure names what it is.
    pub(crate) fn expect(&self, session: &Session, trust: &Trust) -> Result<(), Failure> {
        let differs = self.differences.as_ref().is_none_or(|it| !it.is_empty());
        if self.signed || trust.watch || !differs {
            return Ok(());
        }
        let message = self.message();
        if trust.unsigned || trust.dry_run {
            // Whoever accepts a bundle that only starts instances reads its age and signature anyway.
            if !self.commands.is_empty() || self.differences.is_some() {
                session.warn(&format!("warning: {message}"));
            }
            return Ok(());
        }
        let hint = match (self.published, &self.differences) {
            (Published::Applied, Some(_)) => {
                "fail over with what was applied: `--unsigned`; or with these files: `--with-files`; or, if a key signs the bundle, name it: `--verify-key PUBLIC_KEY`"
            }
            (Published::Applied, None) => {
                "name the key that signs the bundle: `--verify-key PUBLIC_KEY`; or run it on the stack's folder, whose files say the same; or accept it as it is: `--unsigned`"
            }
            (Published::Begun, Some(_)) => {
                "go on with the files that it began with: `--unsigned`; or with these files: `--with-files`"
            }
            (Published::Begun, None) => {
                "go on with the files that it began with: `--unsigned`; or run `drstack failover STACK` in the folder that has them"
            }
        };
        Err(Failure::new(Status::Usage, message, hint))
    }

    fn message(&self) -> String {
        let mut message = match &self.differences {
            None => match self.published {
                Published::Applied => UNKNOWN.to_owned(),
                Published::Begun => {
                    "this failover began with other files than what was applied, and no key signs those"
                        .to_owned()
                }
            },
            Some(all) => {
                let mut named: Vec<String> = all.iter().take(NAMED).map(|it| format!("`{it}`")).collect();
                named.extend((all.len() > NAMED).then(|| format!("{} more", all.len() - NAMED)));
                let published = match self.published {
                    Published::Applied => {
                        "what was applied is not what these files say, and you named no key that signed it"
                    }
                    Published::Begun => {
                        "this failover began with other files than these, and no key signs those"
                    }
                };
                let differ = if all.len() == 1 { "differs" } else { "differ" };
                format!("{published}: {} {differ}", named.join(", "))
            }
        };
        if !self.commands.is_empty() {
            let all: Vec<String> = self.commands.iter().map(|it| format!("  {it}")).collect();
            let commands = count(self.commands.len(), "command");
            let text = format!("; {commands} would run on this machine\n{}", all.join("\n"));
            message.push_str(&text);
        }
        message
    }
}
