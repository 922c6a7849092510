//! The steps of a plan as text, in Terraform's symbols.

use std::collections::BTreeSet;
use std::fmt::Write;

use anstyle::Style;
use drstack_core::bundle::commands;
use drstack_core::kind::{Action, KindRegistry};
use drstack_core::plan::{MISSING, Plan, Step, differ};
use drstack_core::text::plain;

use super::color::{GREEN, RED, YELLOW, paint};
use super::{policy, values};

/// Writes the steps of a plan by component, and its checks after them; all values if `verbose`.
pub(super) fn text(plan: &Plan, kinds: &KindRegistry, verbose: bool) -> String {
    let (mut checks, mut steps): (Vec<&Step>, Vec<&Step>) =
        plan.steps.iter().partition(|step| is_check(step, kinds));
    steps.sort_by_key(|step| (step.address.clone(), step.action));
    checks.sort_by_key(|step| step.address.clone());
    let known = values::Known::before(plan, kinds);
    let mut out = String::new();
    let mut component = String::new();
    for step in steps {
        let of = step.address.component().to_string();
        if of != component {
            let _ = writeln!(out, "{of}");
            component = of;
        }
        out.push_str(&head(step));
        if verbose {
            put(&mut out, 6, values::id(step));
        }
        changes(step, &mut out);
        if step.raise.is_some() {
            put(&mut out, 6, rungs(step, kinds).iter().map(|rung| format!("if short: {}", plain(rung))));
        }
        if verbose {
            put(&mut out, 6, values::lines(step, &known));
        }
    }
    if !checks.is_empty() {
        let gap = if out.is_empty() { "" } else { "\n" };
        let _ = writeln!(out, "{gap}Checks, once what they ask is up:");
    }
    for step in checks {
        let _ = writeln!(out, "  {}", step.address);
        if verbose {
            put(&mut out, 6, values::lines(step, &known));
        }
        if let Some(command) = commands::of_step(step, kinds) {
            let _ = writeln!(out, "      runs on this machine: {}", command.line());
        }
    }
    out
}

/// Puts lines at the end of `out`, indented.
fn put(out: &mut String, indent: usize, lines: impl IntoIterator<Item = String>) {
    for line in lines {
        let _ = writeln!(out, "{:indent$}{line}", "");
    }
}

/// Writes one change in a line.
fn head(step: &Step) -> String {
    let symbol = Symbol::of(step.action, step.replaces).text();
    // Two resources with one address are told apart by AWS's ids, and a deletion names its
    // resource in full.
    let id = match (step.action, &step.id) {
        (Action::Delete, Some(id)) => format!("{} `{id}`: ", step.kind),
        _ => String::new(),
    };
    let line = format!("{:<24} {:<14} {id}{}", step.address.resource(), step.region, why(step));
    format!("{symbol} {}\n", plain(line.trim_end()))
}

/// Writes the fields that change.
fn changes(step: &Step, out: &mut String) {
    for change in &step.changes {
        let forced = || format!("  {}", paint(RED, "(forces replacement)"));
        let note = if change.replace { forced() } else { String::new() };
        match policy::difference(&change.from, &change.to) {
            Some(statements) => {
                put(out, 6, [format!("{}:{note}", plain(&change.field))]);
                put(out, 8, statements);
            }
            None => {
                let line = format!("{}: {} -> {}", change.field, change.from, change.to);
                put(out, 6, [format!("{}{note}", plain(&line))]);
            }
        }
    }
}

/// Returns the rungs that a step falls back to, in order, where the region has too little capacity.
pub(super) fn rungs(step: &Step, kinds: &KindRegistry) -> Vec<String> {
    let capacity = kinds.get(&step.kind).filter(|_| !step.spec.is_null()).and_then(|it| it.capacity());
    let ladder = capacity.and_then(|it| it.ladder(&step.spec).ok()).unwrap_or_default();
    ladder.into_iter().map(|rung| rung.name).collect()
}

/// True for a step that asks and changes nothing.
pub(super) fn is_check(step: &Step, kinds: &KindRegistry) -> bool {
    kinds.get(&step.kind).is_some_and(|kind| kind.check().is_some())
}

/// Returns the reason of a step, unless it follows from the step's symbol and fields.
fn why(step: &Step) -> &str {
    let is_plain = match step.action {
        Action::Create => step.reason == MISSING,
        // The fields are listed below the step.
        Action::Update => step.reason == differ(&step.changes),
        Action::Delete => false,
    };
    if is_plain { "" } else { &step.reason }
}

/// What a step does, as a plan shows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Symbol {
    Create,
    Update,
    Delete,
    CreateAnew,
    DeleteOld,
}

impl Symbol {
    /// Returns the symbol of a step.
    pub(super) fn of(action: Action, replaces: bool) -> Self {
        match (action, replaces) {
            (Action::Create, false) => Self::Create,
            (Action::Update, _) => Self::Update,
            (Action::Delete, false) => Self::Delete,
            (Action::Create, true) => Self::CreateAnew,
            (Action::Delete, true) => Self::DeleteOld,
        }
    }

    /// Returns the symbol, its colour and its meaning.
    fn parts(self) -> (&'static str, Style, &'static str) {
        match self {
            Self::Create => ("+", GREEN, "create"),
            Self::Update => ("~", YELLOW, "update"),
            Self::Delete => ("-", RED, "delete"),
            Self::CreateAnew => ("-/+", RED, "replace: create the new one"),
            Self::DeleteOld => ("-/-", RED, "replace: delete the old one"),
        }
    }

    /// Writes the symbol in its colour, right-aligned.
    pub(super) fn text(self) -> String {
        let (symbol, style, _) = self.parts();
        paint(style, &format!("{symbol:>3}"))
    }
}

/// Explains the symbols that occur in the plan, in a line; `None` if there are only checks.
pub(super) fn legend(plan: &Plan, kinds: &KindRegistry) -> Option<String> {
    let steps = plan.steps.iter().filter(|step| !is_check(step, kinds));
    let symbols: BTreeSet<Symbol> = steps.map(|step| Symbol::of(step.action, step.replaces)).collect();
    let explained = symbols.into_iter().map(|it| {
        let (symbol, style, meaning) = it.parts();
        format!("{} {meaning}", paint(style, symbol))
    });
    let explained: Vec<String> = explained.collect();
    (!explained.is_empty()).then(|| format!("Symbols: {}.\n", explained.join(", ")))
}
