//! Addresses: the names by which a stack's components and resources are known everywhere.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::plain_text;

/// A component: `pool.inference`, `pool.inference["eta"]`, `module.training.bucket.checkpoints`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ComponentAddress(#[serde(deserialize_with = "plain_text")] Arc<str>);

impl ComponentAddress {
    /// Creates the address with this text. The stack loader checks the parts.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Returns the whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if `self` is `other` or inside it: `module.a.bucket.b` is within `module.a`.
    pub fn is_within(&self, other: &str) -> bool {
        is_within(&self.0, other)
    }

    /// Returns the address as declared, without the keys of `for_each`: `pool.inference`.
    pub fn without_keys(&self) -> String {
        let mut out = String::with_capacity(self.0.len());
        let mut within = false;
        for c in self.0.chars() {
            within = within || c == '[';
            if !within {
                out.push(c);
            }
            within = within && c != ']';
        }
        out
    }

    /// Returns the address as the file that declares it names it, without its modules: `pool.inference`.
    pub fn in_file(&self) -> String {
        let all = self.without_keys();
        let own: Vec<&str> = all.rsplitn(3, '.').take(2).collect();
        own.into_iter().rev().collect::<Vec<_>>().join(".")
    }

    /// Returns the address for a shell: quoted if it has a key of `for_each`.
    pub fn typed(&self) -> String {
        if self.0.contains('[') { format!("'{}'", self.0) } else { self.0.to_string() }
    }

    /// Returns the component's kind: `pool`.
    pub fn kind(&self) -> &str {
        let at = self.parts();
        at.len().checked_sub(2).and_then(|it| at.get(it)).copied().unwrap_or_default()
    }

    /// Counts the names and keys that differ from `other`; `None` if the two have different
    /// structure.
    pub fn distance(&self, other: &Self) -> Option<usize> {
        let split = |it: &Self| -> Vec<(String, String)> {
            let parts = it.parts().into_iter();
            let halves = parts.map(|part| part.split_once('[').unwrap_or((part, "")));
            halves.map(|(name, key)| (name.to_owned(), key.to_owned())).collect()
        };
        let (these, those) = (split(self), split(other));
        let differ = |(a, b): (&(String, String), &(String, String))| {
            usize::from(a.0 != b.0) + usize::from(a.1 != b.1)
        };
        (these.len() == those.len()).then(|| these.iter().zip(&those).map(differ).sum())
    }

    /// Splits at the dots; a key of `for_each` may hold dots of its own.
    fn parts(&self) -> Vec<&str> {
        let mut inside = false;
        let is_dot = |c: char| {
            inside = (inside || c == '[') && c != ']';
            c == '.' && !inside
        };
        self.0.split(is_dot).collect()
    }

    /// Returns the address as a name that AWS accepts: letters, digits and single hyphens,
    /// `pool-inference-eta`.
    pub fn slug(&self) -> String {
        let mut slug = String::with_capacity(self.0.len());
        for c in self.0.chars() {
            if c.is_ascii_alphanumeric() {
                slug.push(c.to_ascii_lowercase());
            } else if !slug.ends_with('-') {
                slug.push('-');
            }
        }
        slug.trim_matches('-').to_owned()
    }
}

/// A resource of a component: `pool.inference/launch-template`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Address(#[serde(deserialize_with = "plain_text")] Arc<str>);

impl Address {
    /// Creates the address of `resource` within `component`.
    pub fn new(component: &ComponentAddress, resource: &str) -> Self {
        Self([component.as_str(), "/", resource].concat().into())
    }

    /// Returns the text as the value of a tag, which may not have brackets: the brackets of
    /// `pool.inference["eta"]` become `=eta=`.
    pub fn as_tag(&self) -> String {
        self.as_str().replace("[\"", "=").replace("\"]", "=")
    }

    /// Parses an address; `None` if it has no `/`.
    pub fn parse(text: &str) -> Option<Self> {
        text.split_once('/').map(|_| Self(text.into()))
    }

    /// Returns the whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the component of the resource.
    pub fn component(&self) -> ComponentAddress {
        ComponentAddress::new(self.split().0)
    }

    /// Returns the part behind the slash.
    pub fn resource(&self) -> &str {
        self.split().1
    }

    /// Returns the address for a shell: quoted if it has a key of `for_each`.
    pub fn typed(&self) -> String {
        if self.0.contains('[') { format!("'{}'", self.0) } else { self.0.to_string() }
    }

    /// True if `target` names this resource, its component, or a module around it.
    pub fn is_within(&self, target: &str) -> bool {
        *self.0 == *target || is_within(self.split().0, target)
    }

    /// True if `named` is, in full, this resource, its component with or without keys, or a module
    /// around it.
    ///
    /// The name of a kind alone is none of these.
    pub fn is_named_by(&self, named: &str) -> bool {
        let (component, _) = named.split_once('/').unwrap_or((named, ""));
        self.is_within(named) && ComponentAddress::new(component).parts().len().is_multiple_of(2)
    }

    fn split(&self) -> (&str, &str) {
        self.0.split_once('/').unwrap_or((&self.0, ""))
    }
}

fn is_within(address: &str, target: &str) -> bool {
    address.strip_prefix(target).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

macro_rules! text {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
/// Lets a map by address be looked up with text: both compare alike.
impl Borrow<str> for Address {
    fn borrow(&self) -> &str {
        &self.0
    }
}

text!(ComponentAddress);
text!(Address);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_reaches_whole_names_only() {
        let address = Address::new(&ComponentAddress::new("module.svc[\"a\"].pool.inference"), "group");
        for target in
            ["module.svc", "module.svc[\"a\"]", "module.svc[\"a\"].pool.inference", address.as_str()]
        {
            assert!(address.is_within(target), "{target}");
        }
        for named in ["module.svc", "module.svc[\"a\"].pool.inference", address.as_str()] {
            assert!(address.is_named_by(named), "{named}");
        }
        let bucket = Address::parse("bucket.models/bucket").unwrap();
        assert!(
            bucket.is_within("bucket")
                && !bucket.is_named_by("bucket")
                && bucket.is_named_by("bucket.models")
        );
        assert!(!address.is_named_by("module.svc[\"a\"].pool"));
        assert!(!address.is_within("module.sv"));
        assert!(!address.is_within("module.svc[\"a\"].pool.infer"));
        assert_eq!(address.component().slug(), "module-svc-a-pool-inference");
        let keyed = ComponentAddress::new("module.svc[\"a.b\"].pool.p[\"x.y\"]");
        assert_eq!(keyed.kind(), "pool");
        let to = |text: &str| keyed.distance(&ComponentAddress::new(text));
        assert_eq!(to("module.svc[\"a.b\"].pool.q[\"x.y\"]"), Some(1));
        assert_eq!(to("module.svc[\"a.c\"].pool.q[\"x.y\"]"), Some(2));
        assert_eq!(to("pool.p[\"x.y\"]"), None);
        assert_eq!((address.component().kind(), ComponentAddress::new("x").kind()), ("pool", ""));
        assert_eq!(address.component().without_keys(), "module.svc.pool.inference");
        assert_eq!(address.resource(), "group");
        assert_eq!(address.typed(), "'module.svc[\"a\"].pool.inference/group'");
        assert_eq!(Address::parse("pool.a/group").map(|it| it.typed()).as_deref(), Some("pool.a/group"));
    }
}
