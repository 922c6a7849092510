//! The `[stack]` table, and the fields that it shares with every component.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check;
use super::decode::{At, article, guess, is_single};
use super::load::{Loader, quoted, take};
use crate::component::StackFacts;
use crate::diagnostic::Span;
use crate::keys::{KeyError, PUBLIC_KEY_HELP, PublicKey};
use crate::objective::{Objective, Posture};

/// Keys of `[stack]`; the first four are required.
const KEYS: [&str; 9] =
    ["name", "primary", "standby", "posture", "control", "rto", "rpo", "signing", "permissions_boundary"];

/// Example values of the required keys.
const EXAMPLES: [(&str, &str); 4] =
    [("name", "demo"), ("primary", "us-east-1"), ("standby", "us-west-2"), ("posture", "warm")];

/// Help on durations.
const DURATION_HELP: &str = "write it as `8m`, `1h 30m` or `5s`, in quotes";

/// Returns the help for a template in the `[stack]` table, which is read before the inputs.
pub(super) fn no_template(text: &str) -> Option<&'static str> {
    text.contains("${").then_some("write it out: the `[stack]` table knows no templates")
}

/// The `[stack]` table; fields that were refused and reported are empty.
pub(super) struct Head {
    pub(super) facts: StackFacts,
    pub(super) posture: Option<Posture>,
    pub(super) objective: Objective,
    pub(super) signing: Option<PublicKey>,
    /// Spans of the table's fields.
    pub(super) fields: BTreeMap<String, Span>,
}

/// Posture, objective and tags of one component, with defaults from around it.
pub(super) struct Own {
    pub(super) posture: Posture,
    pub(super) objective: Objective,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) fields: BTreeMap<String, Span>,
}

impl Loader<'_> {
    pub(super) fn head(&mut self, root: &mut DeTable<'static>, at: &At) -> Head {
        let mut table = match take(root, "stack") {
            None => {
                let help = "start it with `[stack]`; `drstack init DIR` writes an example".to_owned();
                self.problems.push(at.error("DR002", 0..0, "the file has no `[stack]` table", help));
                return Head::refused();
            }
            Some(node) => match (node.span(), node.into_inner()) {
                (span, DeValue::Table(table)) => Spanned::new(span, table),
                (span, other) => {
                    let message = format!("`stack` is {}, not a table", article(&other));
                    let help = "write `[stack]`, and below it `name = \"demo\"` and the rest".to_owned();
                    self.problems.push(at.error("DR006", span, message, help));
                    return Head::refused();
                }
            },
        };
        let (header, table) = (table.span(), table.get_mut());
        let mut fields = places(table, &KEYS, at);
        fields.insert(String::new(), at.span(header.clone()));
        self.mistyped(table, at);
        self.missing(table, header.clone(), at);
        let mut text = |key| self.text(table, key, at);
        let (name, primary, standby, control) =
            (text("name"), text("primary"), text("standby"), text("control"));
        let head = check::head(name.as_ref(), primary.as_ref(), standby.as_ref(), control.as_ref(), at);
        self.problems.extend(head);
        let posture = self.posture(table, at);
        let rto = self.duration(table, "rto", at);
        let rpo = self.duration(table, "rpo", at);
        let signing = self.signing(table, header.clone(), at);
        let permissions_boundary = self.boundary(table, at);
        let plain = |text: Option<Spanned<String>>| text.map(Spanned::into_inner).unwrap_or_default();
        let (name, standby) = (plain(name), plain(standby));
        let control = control.map_or_else(|| format!("drstack-{name}-{standby}"), Spanned::into_inner);
        let facts = StackFacts { name, primary: plain(primary), standby, control, permissions_boundary };
        Head { facts, posture, objective: Objective { rto, rpo, tier: 2 }, signing, fields }
    }

    /// Reports unknown fields. One that was probably mistyped gets the name that was meant, so that
    /// its value is checked too.
    fn mistyped(&mut self, table: &mut DeTable<'static>, at: &At) {
        let unknown: Vec<_> =
            table.keys().filter(|key| !KEYS.contains(&key.get_ref().as_ref())).cloned().collect();
        for key in unknown {
            let word = key.get_ref().as_ref();
            let value = table.remove(word);
            let meant = guess(word, KEYS.into_iter());
            let help = meant.map_or_else(
                || format!("known here: {}", KEYS.join(", ")),
                |it| format!("did you mean `{it}`?"),
            );
            let message = format!("`[stack]` has no field `{word}`");
            self.problems.push(at.error("DR005", key.span(), message, help));
            if let Some((meant, value)) = meant.filter(|it| !table.contains_key(*it)).zip(value) {
                table.insert(Spanned::new(key.span(), meant.into()), value);
            }
        }
    }

    /// Reports required fields that `[stack]` lacks.
    fn missing(&mut self, table: &DeTable<'static>, header: std::ops::Range<usize>, at: &At) {
        let missing = EXAMPLES.into_iter().filter(|(key, _)| !table.contains_key(*key));
        let (keys, examples): (Vec<_>, Vec<_>) =
            missing.map(|(key, example)| (format!("`{key}`"), format!("`{key} = \"{example}\"`"))).unzip();
        if !keys.is_empty() {
            let message = format!("`[stack]` lacks {}", keys.join(", "));
            self.problems.push(at.error("DR003", header, message, format!("write {}", examples.join(", "))));
        }
    }

    /// Removes the fields that every component has from its table and returns them.
    pub(super) fn own(
        &mut self,
        table: &mut DeTable<'static>,
        posture: Posture,
        around: Objective,
        at: &At,
    ) -> Own {
        let fields = places(table, &["posture", "rto", "rpo", "tier", "tag"], at);
        let mut objective = around;
        if fields.contains_key("rto") {
            objective.rto = self.duration(table, "rto", at);
        }
        if fields.contains_key("rpo") {
            objective.rpo = self.duration(table, "rpo", at);
        }
        if let Some(tier) = self.tier(table, at) {
            objective.tier = tier;
        }
        let tags = self.tags(table, at);
        let own = self.posture(table, at);
        if own.is_none() && fields.contains_key("posture") {
            // Refused: an unknown objective cannot be missed.
            objective = Objective { rto: None, rpo: None, ..objective };
        }
        Own { posture: own.unwrap_or(posture), objective, tags, fields }
    }

    /// Removes a string from `table` and returns it.
    pub(super) fn text(
        &mut self,
        table: &mut DeTable<'static>,
        key: &str,
        at: &At,
    ) -> Option<Spanned<String>> {
        let node = take(table, key)?;
        let span = node.span();
        match node.into_inner() {
            DeValue::String(text) => Some(Spanned::new(span, text.into_owned())),
            other => {
                let message = format!("`{key}` is {}, not a string", article(&other));
                let help = match (key, is_single(&other)) {
                    ("rto" | "rpo", _) => DURATION_HELP,
                    (_, true) => "write it in quotes",
                    (_, false) => "write one text, in quotes",
                };
                self.problems.push(at.error("DR009", span, message, help.to_owned()));
                None
            }
        }
    }

    fn posture(&mut self, table: &mut DeTable<'static>, at: &At) -> Option<Posture> {
        let text = self.text(table, "posture", at)?;
        let posture = Posture::ALL.into_iter().find(|posture| posture.name() == text.get_ref());
        if posture.is_none() {
            let plain = no_template(text.get_ref());
            let names = Posture::ALL.into_iter().map(Posture::name);
            let help = match (plain, guess(text.get_ref(), names)) {
                (Some(help), _) => help.to_owned(),
                (_, Some(it)) => format!("did you mean `{it}`?"),
                (_, None) => "write `cold`, `pilot-light`, `warm` or `hot`".to_owned(),
            };
            let message = format!("{} is not a posture", quoted(text.get_ref()));
            self.problems.push(at.error("DR011", text.span(), message, help));
        }
        posture
    }

    fn duration(&mut self, table: &mut DeTable<'static>, key: &str, at: &At) -> Option<SignedDuration> {
        let text = self.text(table, key, at)?;
        let duration = text.get_ref().parse::<SignedDuration>().ok().filter(|it| !it.is_negative());
        if duration.is_none() {
            let message = format!("{} is not a duration", quoted(text.get_ref()));
            self.problems.push(at.error("DR010", text.span(), message, DURATION_HELP.to_owned()));
        }
        duration
    }

    fn signing(
        &mut self,
        table: &mut DeTable<'static>,
        header: std::ops::Range<usize>,
        at: &At,
    ) -> Option<PublicKey> {
        let text = self.text(table, "signing", at)?;
        let key: Result<PublicKey, _> = text.get_ref().parse();
        key.map_err(|error| {
            let help = no_template(text.get_ref()).unwrap_or(PUBLIC_KEY_HELP);
            // A diagnostic shows its source line, which must not contain the private key.
            let place = if error == KeyError::Exposed { header } else { text.span() };
            self.problems.push(at.error("DR017", place, format!("`signing`: {error}"), help.to_owned()));
        })
        .ok()
    }

    fn boundary(&mut self, table: &mut DeTable<'static>, at: &At) -> Option<String> {
        let text = self.text(table, "permissions_boundary", at)?;
        if is_policy(text.get_ref()) {
            return Some(text.into_inner());
        }
        let message =
            format!("`permissions_boundary`: {} is not the ARN of a managed policy", quoted(text.get_ref()));
        let help =
            no_template(text.get_ref()).unwrap_or("write the ARN, `arn:aws:iam::123456789012:policy/NAME`");
        self.problems.push(at.error("DR021", text.span(), message, help.to_owned()));
        None
    }

    fn tier(&mut self, table: &mut DeTable<'static>, at: &At) -> Option<u8> {
        let node = take(table, "tier")?;
        let tier = super::decode::to_json(&node).as_u64().and_then(|tier| u8::try_from(tier).ok());
        let tier = tier.filter(|tier| (1..=3).contains(tier));
        if tier.is_none() {
            let help = "write 1 (first), 2 or 3 (last)".to_owned();
            self.problems.push(at.error("DR012", node.span(), "`tier` is not 1, 2 or 3", help));
        }
        tier
    }

    /// Parses `tag = { team = "search" }`, which selects a part of the stack.
    fn tags(&mut self, table: &mut DeTable<'static>, at: &At) -> BTreeMap<String, String> {
        let Some(node) = take(table, "tag") else { return BTreeMap::new() };
        let help = || "write keys and texts, `tag = { team = \"search\" }`".to_owned();
        let span = node.span();
        let items = match node.into_inner() {
            DeValue::Table(items) => items,
            other => {
                let message = format!("`tag` is {}, not a table", article(&other));
                self.problems.push(at.error("DR009", span, message, help()));
                return BTreeMap::new();
            }
        };
        let mut tags = BTreeMap::new();
        for (key, value) in items {
            match value.get_ref() {
                DeValue::String(text) => {
                    tags.insert(key.into_inner().into_owned(), text.to_string());
                }
                other => {
                    let message =
                        format!("tag {} is {}, not a string", quoted(key.get_ref()), article(other));
                    self.problems.push(at.error("DR009", value.span(), message, help()));
                }
            }
        }
        tags
    }
}

impl Head {
    fn refused() -> Self {
        let facts = StackFacts {
            name: String::new(),
            primary: String::new(),
            standby: String::new(),
            control: String::new(),
            permissions_boundary: None,
        };
        Self {
            facts,
            posture: None,
            objective: Objective { rto: None, rpo: None, tier: 2 },
            signing: None,
            fields: BTreeMap::new(),
        }
    }
}

/// True for the ARN of a managed policy.
fn is_policy(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let is_account = |it: &str| it == "aws" || it.len() == 12 && it.bytes().all(|byte| byte.is_ascii_digit());
    match parts[..] {
        ["arn", partition, "iam", "", account, policy] => {
            let name = policy.strip_prefix("policy/").unwrap_or_default();
            let is_allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-/".contains(c);
            partition.starts_with("aws")
                && is_account(account)
                && !name.is_empty()
                && name.chars().all(is_allowed)
        }
        _ => false,
    }
}

/// Returns the spans of the values of `keys` in `table`.
fn places(table: &DeTable<'static>, keys: &[&str], at: &At) -> BTreeMap<String, Span> {
    keys.iter().filter_map(|key| Some(((*key).to_owned(), at.span(table.get(*key)?.span())))).collect()
}
