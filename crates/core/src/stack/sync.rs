//! `[sync]`: what a sync may do by itself.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::decode::{At, article, guess};
use super::load::{Loader, quoted, take};

/// Help on the table.
const HELP: &str = "write `[sync]`, and below it `allow = [\"create\", \"update\"]`";

/// Something that a sync may do by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Allowed {
    /// Create what is missing, a copy of a new image for example.
    Create,
    /// Change what exists, in place.
    Update,
}

impl Allowed {
    /// All that can be allowed. Nothing allows a deletion, a replacement, or a change of the stack's
    /// files: each of these needs a person.
    pub const ALL: [Self; 2] = [Self::Create, Self::Update];

    /// Returns its name in a stack file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
        }
    }
}

/// The `[sync]` table of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncLimits {
    /// What a sync may do by itself.
    pub allow: BTreeSet<Allowed>,
}

impl Default for SyncLimits {
    fn default() -> Self {
        Self { allow: Allowed::ALL.into() }
    }
}

impl Loader<'_> {
    /// Removes `sync` from the root table and returns it; refused parts are reported.
    pub(super) fn sync(&mut self, root: &mut DeTable<'static>, at: &At) -> SyncLimits {
        let mut limits = SyncLimits::default();
        let Some(node) = take(root, "sync") else { return limits };
        let span = node.span();
        let table = match node.into_inner() {
            DeValue::Table(table) => table,
            other => {
                self.not_a_table("sync", &other, span, HELP, at);
                return limits;
            }
        };
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "allow" => limits.allow = self.allowed(value, at),
                word => {
                    let help = guess(word, ["allow"].into_iter())
                        .map_or_else(|| "known here: allow".to_owned(), |it| format!("did you mean `{it}`?"));
                    let message = format!("`[sync]` has no field `{word}`");
                    self.problems.push(at.error("DR005", key.span(), message, help));
                }
            }
        }
        limits
    }

    fn allowed(&mut self, value: Spanned<DeValue<'static>>, at: &At) -> BTreeSet<Allowed> {
        let span = value.span();
        let items = match value.into_inner() {
            DeValue::Array(items) => items,
            other => {
                let message = format!("`allow` is {}, not a list", article(&other));
                self.problems.push(at.error("DR022", span, message, HELP.to_owned()));
                return BTreeSet::new();
            }
        };
        let mut allowed = BTreeSet::new();
        for item in items {
            let word = item.get_ref().as_str().unwrap_or_default();
            match Allowed::ALL.into_iter().find(|it| it.name() == word) {
                Some(it) => drop(allowed.insert(it)),
                None => {
                    let names = || Allowed::ALL.into_iter().map(Allowed::name);
                    let help = guess(word, names()).map_or_else(
                        || format!("known here: {}", names().collect::<Vec<_>>().join(", ")),
                        |it| format!("did you mean `{it}`?"),
                    );
                    let what = match item.get_ref() {
                        DeValue::String(text) => quoted(text),
                        other => article(other).to_owned(),
                    };
                    let message = format!("{what} is nothing that a sync may be allowed");
                    self.problems.push(at.error("DR022", item.span(), message, help));
                }
            }
        }
        allowed
    }
}
