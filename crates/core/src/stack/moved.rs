//! `[[moved]]`: what a component, or the module around it, was called before.
//!
//! Most renames are recognized without it. It says what the cloud cannot: which of two like
//! components became which, or a rename together with other changes.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Declared;
use super::decode::{At, article, guess};
use super::load::{Loader, Name, quoted, take};
use crate::address::ComponentAddress;

/// Help on the table.
const HELP: &str =
    "write `[[moved]]`, and below it `from = \"bucket.old\"` and `to = \"bucket.new\"`, as a plan names them";

/// One `[[moved]]` as written.
pub(super) struct Move {
    from: Spanned<String>,
    to: Spanned<String>,
}

/// New addresses by old ones. In a chain of renames the new one is the next name, not the last.
pub(super) type Moves = BTreeMap<ComponentAddress, ComponentAddress>;

impl Loader<'_> {
    /// Removes `moved` from the root table and returns its entries; refused ones are reported.
    pub(super) fn moved(&mut self, root: &mut DeTable<'static>, at: &At) -> Vec<Move> {
        let Some(node) = take(root, "moved") else { return Vec::new() };
        let span = node.span();
        let DeValue::Array(items) = node.into_inner() else {
            self.problems.push(at.error("DR020", span, "`moved` is not a list of tables", HELP.to_owned()));
            return Vec::new();
        };
        items.into_iter().filter_map(|item| self.one_moved(item, at)).collect()
    }

    fn one_moved(&mut self, item: Spanned<DeValue<'static>>, at: &At) -> Option<Move> {
        let span = item.span();
        let mut table = match item.into_inner() {
            DeValue::Table(table) => table,
            other => {
                let message = format!("`moved` has {}, not a table", article(&other));
                self.problems.push(at.error("DR020", span, message, HELP.to_owned()));
                return None;
            }
        };
        let from = self.text(&mut table, "from", at);
        let to = self.text(&mut table, "to", at);
        for key in table.keys() {
            self.unknown_in_moved(key, at);
        }
        if from.is_none() || to.is_none() {
            let message = "a `[[moved]]` needs both `from` and `to`";
            self.problems.push(at.error("DR020", span, message, HELP.to_owned()));
        }
        Some(Move { from: from?, to: to? })
    }

    fn unknown_in_moved(&mut self, key: &Name, at: &At) {
        let word = key.get_ref().as_ref();
        let help = guess(word, ["from", "to"].into_iter())
            .map_or_else(|| "known here: from, to".to_owned(), |it| format!("did you mean `{it}`?"));
        self.problems.push(at.error("DR005", key.span(), format!("`[[moved]]` has no field `{word}`"), help));
    }

    /// Returns the components that `moves` name, new by old address; reports what cannot be.
    ///
    /// `from` may name nothing that ever existed: the same files are applied in several places. `to`
    /// may be what another `[[moved]]` renames further.
    pub(super) fn moves(
        &mut self,
        moves: &[Move],
        components: &BTreeMap<ComponentAddress, Declared>,
        at: &At,
    ) -> Moves {
        let (mut all, mut taken) = (Moves::new(), BTreeSet::new());
        for Move { from, to } in moves {
            let (old, new) = (from.get_ref().as_str(), to.get_ref().as_str());
            let mut wrong = |text: &Spanned<String>, message: String, help: String| {
                self.problems.push(at.error("DR020", text.span(), message, help));
            };
            if components.keys().any(|it| it.is_within(old)) {
                let help = "it keeps its resources; leave the `[[moved]]` out, or name what was renamed";
                wrong(from, format!("{} is in the stack still", quoted(old)), help.to_owned());
                continue;
            }
            let last = last_name(new, moves, components);
            let inside: Vec<_> = components.keys().filter(|it| it.is_within(&last)).collect();
            if inside.is_empty() {
                let near = guess(new, components.keys().map(ComponentAddress::as_str));
                let help = near.map_or_else(|| HELP.to_owned(), |it| format!("did you mean `{it}`?"));
                wrong(to, format!("{} is not in the stack", quoted(new)), help);
                continue;
            }
            for component in inside {
                let rest = &component.as_str()[last.len()..];
                let [before, component] = [old, new].map(|it| ComponentAddress::new(&format!("{it}{rest}")));
                if before.kind() != component.kind() {
                    let message = format!(
                        "{} cannot have become `{component}`, which is another kind",
                        quoted(before.as_str())
                    );
                    wrong(from, message, HELP.to_owned());
                } else if all.insert(before, component.clone()).is_some() {
                    wrong(from, format!("{} became two components", quoted(old)), HELP.to_owned());
                } else if !taken.insert(component.clone()) {
                    wrong(to, format!("`{component}` was two components"), HELP.to_owned());
                }
            }
        }
        all
    }
}

/// Returns the name in the stack that `name` has become, if other `moves` rename it further.
fn last_name(name: &str, moves: &[Move], components: &BTreeMap<ComponentAddress, Declared>) -> String {
    let mut last = name.to_owned();
    // Names that lead back to themselves lead nowhere.
    for _ in moves {
        if components.keys().any(|it| it.is_within(&last)) {
            break;
        }
        let address = ComponentAddress::new(&last);
        let Some(next) = moves.iter().find(|it| address.is_within(it.from.get_ref())) else { break };
        last = format!("{}{}", next.to.get_ref(), &last[next.from.get_ref().len()..]);
    }
    last
}
