//! `[[KIND.NAME.check]]`: a condition that has to hold before a component that failed over counts
//! as up.
//!
//! Each check has one condition. Its key comes first: `http`, `table`, `object` or `command`.

mod codes;

use std::collections::BTreeMap;
use std::fmt::{self, Formatter};

use drstack_core::component::{CompileCx, Component, Problem, Ref, ResourceSet, StackFacts};
use drstack_core::diagnostic::codes::Code;
use drstack_core::facts::Known;
use drstack_core::graph::Resource;
use drstack_core::kind::Place;
use drstack_core::link::Link;
use drstack_core::objective::Posture;
use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Bucket, PRIMARY, Table, unknown};
use crate::facts::{FactKind, TableFact};
use crate::resources::Check as CheckKind;
use crate::services::checks::check::{CheckSpec, KeyValue, Probe};

/// `[[KIND.NAME.check]]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckTable {
    /// An address that answers, `https://api.example.com/healthz`. It is asked from where drstack runs, and a redirect is an
    /// answer like any other. Nothing of the primary region should stand in it: a failover asks it.
    pub http: Option<String>,
    /// The status that `http` answers with; default 200.
    pub status: Option<u16>,
    /// A text that the answer of `http` holds, in its first MiB.
    pub contains: Option<String>,
    /// A table whose copy in the standby region is in service.
    pub table: Option<Ref<Table>>,
    /// Key of an item that `table` has there: `{ id = "canary" }`, with the sort key where there is one.
    pub item: Option<BTreeMap<String, ItemKey>>,
    /// `item` is drstack's to write: its attribute `drstack_checked` is set. The copy replicates it to the primary's table.
    #[serde(default)]
    pub writable: bool,
    /// A bucket whose copy in the standby region holds an object.
    pub object: Option<Ref<Bucket>>,
    /// Key of that object.
    pub key: Option<String>,
    /// SHA-256 of its content, 64 hex digits.
    pub sha256: Option<String>,
    /// A program and its arguments, which ends with exit code 0. It runs where drstack runs, in its folder, with its environment.
    /// No shell is around it.
    pub command: Option<Vec<String>>,
    /// Longest that one attempt may take: `30s`. Where not said 10 s, for a command 30 s and for an object 10 min.
    pub timeout: Option<String>,
}

/// One part of an item's key: a text or an integer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ItemKey(pub KeyValue);

impl<'de> Deserialize<'de> for ItemKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = ItemKey;
            fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str("a text or an integer")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<ItemKey, E> {
                Ok(ItemKey(KeyValue::Text(text.to_owned())))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<ItemKey, E> {
                Ok(ItemKey(KeyValue::Number(number)))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<ItemKey, E> {
                i64::try_from(number).map(|it| ItemKey(KeyValue::Number(it))).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for ItemKey {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ItemKey".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "integer"]})
    }
}

/// The forms of a check, each with the fields that belong to it.
const FORMS: [(&str, &[&str]); 4] = [
    ("http", &["status", "contains"]),
    ("table", &["item", "writable"]),
    ("object", &["key", "sha256"]),
    ("command", &[]),
];

/// Minimum and maximum time of one attempt, in seconds: a connection takes tens of milliseconds,
/// and a failover waits for it.
const TIMES: (i64, i64) = (1, 3600);
/// Seconds for one answer of a web server or of DynamoDB: far longer than either takes while
/// healthy.
const ANSWER: u32 = 10;
/// Seconds for one run of a command.
const COMMAND: u32 = 30;
/// Seconds for reading one object: 50 GiB at 1 Gbit/s take 7 minutes.
const OBJECT: u32 = 600;
/// Maximum length of a URL that every web server accepts, by RFC 9110.
const LONGEST_URL: usize = 8000;
/// Maximum length of an object's key, by the S3 user guide.
const LONGEST_KEY: usize = 1024;
/// Maximum number of attributes of a key: partition and sort key.
const KEY_PARTS: usize = 2;

impl CheckTable {
    fn has(&self, field: &str) -> bool {
        match field {
            "http" => self.http.is_some(),
            "status" => self.status.is_some(),
            "contains" => self.contains.is_some(),
            "table" => self.table.is_some(),
            "item" => self.item.is_some(),
            "writable" => self.writable,
            "object" => self.object.is_some(),
            "key" => self.key.is_some(),
            "sha256" => self.sha256.is_some(),
            _ => self.command.is_some(),
        }
    }

    /// Returns the time of one attempt in seconds; `None` if the text is not a time.
    fn timeout(&self, usual: u32) -> Option<u32> {
        let Some(text) = &self.timeout else { return Some(usual) };
        let time = text.parse::<SignedDuration>().ok()?.as_secs();
        u32::try_from(time).ok().filter(|_| (TIMES.0..=TIMES.1).contains(&time))
    }
}

/// The check component.
pub struct Check;

impl Component for Check {
    const NAME: &'static str = "check";
    const SUMMARY: &'static str = "what has to hold before a component that failed over counts as up";
    const CODES: &'static [Code] = codes::CODES;
    type Spec = CheckTable;

    fn check(spec: &CheckTable, _stack: &StackFacts, _posture: Posture, out: &mut Vec<Problem>) {
        forms(spec, out);
        values(spec, out);
    }

    fn command(spec: &CheckTable) -> Option<Vec<String>> {
        spec.command.clone()
    }

    fn compile(spec: &CheckTable, cx: &CompileCx<'_>, out: &mut ResourceSet) {
        let name = |links: Vec<Link>| links.first().map(|link| link.text().to_owned());
        let (probe, usual) = if let Some(url) = &spec.http {
            let (status, contains) = (spec.status.unwrap_or(200), spec.contains.clone());
            (Probe::Http { url: url.clone(), status, contains }, ANSWER)
        } else if let Some(table) = &spec.table {
            let Some(name) = name(cx.export(table, "name")) else {
                let message = format!(
                    "`{table:?}` has no copy in {} to look at: its keys are not known",
                    cx.stack.standby
                );
                let help = "plan it once while the primary answers, or leave this check out";
                return match asked(table, cx) {
                    Known::Unknown(why) => unknown(out, ("DR263", "table"), message, &why, help),
                    Known::Yes(_) | Known::Absent => out.error("DR263", "table", message, help),
                };
            };
            let item = spec.item.iter().flatten().map(|(key, it)| (key.clone(), it.0.clone())).collect();
            (Probe::Table { name, item, writable: spec.writable }, ANSWER)
        } else if let (Some(bucket), Some(key), Some(sha256)) = (&spec.object, &spec.key, &spec.sha256) {
            // A bucket always has a copy.
            let Some(bucket) = name(cx.export(bucket, "name")) else { return };
            let sha256 = sha256.to_ascii_lowercase();
            (Probe::Object { bucket, key: key.clone(), sha256 }, OBJECT)
        } else if let Some(command) = &spec.command {
            (Probe::Command(command.clone()), COMMAND)
        } else {
            // `check` has rejected this.
            return;
        };
        let address = cx.resource(&format!("check-{}", cx.check));
        let name = address.to_string();
        let spec = CheckSpec { probe, timeout: spec.timeout(usual).unwrap_or(usual) };
        out.add(Resource::named::<CheckKind>(address, Place::Standby, name, &spec));
    }
}

/// Returns what is known of the primary's table that `table` copies.
fn asked(table: &Ref<Table>, cx: &CompileCx<'_>) -> Known<TableFact> {
    let names = cx.export(table, PRIMARY);
    let name = names.first().map(Link::text).unwrap_or_default();
    cx.facts.get(&TableFact::about(name))
}

/// Reports a check without exactly one form, or with fields of another form.
fn forms(spec: &CheckTable, out: &mut Vec<Problem>) {
    let mut given = FORMS.into_iter().filter(|(form, _)| spec.has(form));
    let Some((form, fields)) = given.next() else {
        let help = "write one of `http`, `table`, `object` and `command`";
        return out.push(Problem::error("DR260", "", "this check looks at nothing", help));
    };
    for (second, _) in given {
        let message = format!("one check looks at one thing, and this one at `{form}` and `{second}`");
        out.push(Problem::error("DR260", second, message, "write a `check` for each of them"));
    }
    for (other, theirs) in FORMS.into_iter().filter(|(other, _)| *other != form && !spec.has(other)) {
        for field in theirs.iter().filter(|field| spec.has(field)) {
            let message = format!("`{field}` goes with `{other}`, and this check looks at `{form}`");
            out.push(Problem::error(
                "DR261",
                field,
                message,
                format!("leave `{field}` out, or write a check with `{other}`"),
            ));
        }
    }
    if form == "object" {
        for field in fields.iter().filter(|field| !spec.has(field)) {
            let message = format!("a check of an `object` needs `{field}`");
            let help = "write `key = \"model.bin\"` and `sha256 = \"...\"`, which `sha256sum` prints";
            out.push(Problem::error("DR261", "object", message, help));
        }
    }
    if spec.writable && spec.item.is_none() {
        let help = "name an item that drstack may write: `item = { id = \"canary\" }`";
        out.push(Problem::error(
            "DR261",
            "writable",
            "`writable` says of no item that it may be written",
            help,
        ));
    }
}

/// Reports invalid values of fields.
fn values(spec: &CheckTable, out: &mut Vec<Problem>) {
    let mut refuse = |field: &'static str, message: String, help: &str| {
        out.push(Problem::error("DR262", field, message, help));
    };
    if let Some(url) = spec.http.as_ref().filter(|url| !is_url(url)) {
        let help = "write it as `https://api.example.com/healthz`, without a user or a password";
        refuse("http", format!("`{url}` is not an address to ask"), help);
    }
    if let Some(status) = spec.status.filter(|it| !(200..=599).contains(it)) {
        refuse(
            "status",
            format!("{status} is not a status that ends an answer"),
            "write one from 200 to 599",
        );
    }
    if spec.contains.as_ref().is_some_and(String::is_empty) {
        refuse(
            "contains",
            "every answer holds an empty text".to_owned(),
            "write what it has to hold, or leave it out",
        );
    }
    if let Some(item) = spec.item.as_ref().filter(|it| !(1..=KEY_PARTS).contains(&it.len())) {
        let help = "write the partition key, and the sort key where there is one: `{ id = \"canary\" }`";
        refuse("item", format!("a key with {} attributes names no item", item.len()), help);
    }
    if let Some(key) = spec.key.as_ref().filter(|key| !(1..=LONGEST_KEY).contains(&key.len())) {
        let help = "write the object's key, 1 to 1024 bytes";
        refuse("key", format!("a key of {} bytes names no object", key.len()), help);
    }
    if let Some(hash) =
        spec.sha256.as_ref().filter(|it| it.len() != 64 || !it.chars().all(|c| c.is_ascii_hexdigit()))
    {
        refuse(
            "sha256",
            format!("`{hash}` is not a SHA-256"),
            "write the 64 hex digits that `sha256sum FILE` prints",
        );
    }
    if spec.command.as_ref().is_some_and(|it| it.first().is_none_or(String::is_empty)) {
        let help = "write the program and its arguments: `[\"curl\", \"--fail\", \"https://...\"]`";
        refuse("command", "the command names no program".to_owned(), help);
    }
    if let Some(text) = spec.timeout.as_ref().filter(|_| spec.timeout(ANSWER).is_none()) {
        refuse(
            "timeout",
            format!("`{text}` is not a time that an attempt can take"),
            "write it as `30s`: 1 second to 1 hour",
        );
    }
}

/// True for a host with a path; a user is not allowed, because it would be a secret in a file.
fn is_url(text: &str) -> bool {
    let rest = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let Some(rest) = rest else { return false };
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    text.len() <= LONGEST_URL
        && text.chars().all(|c| c.is_ascii_graphic() && c != '#' && c != '"' && c != '<' && c != '>')
        && !host.contains('@')
        && host.split(':').next().is_some_and(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_no_user() {
        for text in ["https://a.example.com", "http://127.0.0.1:80/x?y=1", "https://[::1]:8443/"] {
            assert!(is_url(text), "{text}");
        }
        for text in [
            "",
            "a.example.com",
            "ftp://a/",
            "https://",
            "https:///x",
            "https://u:p@a/",
            "https://a/ b",
            "https://a/#b",
        ] {
            assert!(!is_url(text), "{text}");
        }
    }
}
