//! Ownership by tags: `drstack:stack`, `drstack:address`, `drstack:spec`.
//!
//! The first two name the owner. The third proves it, as does the name if drstack chose it: objects
//! that others tag like the stack's do not carry it by accident.

use std::collections::BTreeMap;

use drstack_core::address::Address;
use drstack_core::cloud::{Call, Owner, Scope, sha256};
use serde::Serialize;

/// The stack that owns the object.
pub(crate) const STACK: &str = "drstack:stack";
/// The address within the stack.
pub(crate) const ADDRESS: &str = "drstack:address";
/// Hash of the spec at the last create or update.
pub(crate) const SPEC: &str = "drstack:spec";
/// The original of a copy.
pub(crate) const SOURCE: &str = "drstack:source";

/// That a group has lifecycle hooks of the stack.
pub(crate) const HOOKS: &str = "drstack:hooks";

/// Hex digits kept of a hash: enough to tell two specs apart.
const SPEC_DIGITS: usize = 16;

/// Tags by key.
pub(crate) type Tags = BTreeMap<String, String>;

/// Returns the tags of the resource that `call` creates or updates to `spec`.
pub(crate) fn owned(call: &Call, spec: &impl Serialize) -> Tags {
    let wanted = serde_json::to_vec(spec).unwrap_or_default();
    [
        (STACK, call.scope.stack.to_string()),
        (ADDRESS, call.address.as_tag()),
        (SPEC, sha256(&wanted)[..SPEC_DIGITS].to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// Returns the same tags with a `Name`, which the EC2 console shows first.
pub(crate) fn named(call: &Call, spec: &impl Serialize) -> Tags {
    let mut tags = owned(call, spec);
    let component = call.address.component().slug();
    let name = format!("drstack-{}-{component}-{}", call.scope.stack, call.address.resource());
    tags.insert("Name".to_owned(), name);
    tags
}

/// Returns the owner of a resource with these tags, whose name is the user's or which has none.
pub(crate) fn owner(tags: &Tags, scope: &Scope) -> Owner {
    let is_digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    let is_spec = |it: &String| it.len() == SPEC_DIGITS && it.bytes().all(is_digit);
    owner_proven(tags, scope, tags.get(SPEC).is_some_and(is_spec))
}

/// Returns the owner of a resource with these tags, whose name drstack chose.
pub(crate) fn owner_by_name(tags: &Tags, scope: &Scope, name: &str) -> Owner {
    owner_proven(tags, scope, name.starts_with(&format!("drstack-{}-", scope.stack)))
}

fn owner_proven(tags: &Tags, scope: &Scope, is_proven: bool) -> Owner {
    match (tags.get(STACK), tags.get(ADDRESS).and_then(|text| decode(text))) {
        (Some(stack), Some(address)) if **stack == *scope.stack && is_proven => Owner::Ours(address),
        (Some(stack), address) if **stack == *scope.stack => Owner::Unproven(address),
        (Some(stack), _) => Owner::Stack(stack.clone()),
        (None, _) => Owner::Foreign,
    }
}

/// Parses the address from its [`Address::as_tag`]; replication rules use the same form.
pub(crate) fn decode(text: &str) -> Option<Address> {
    let mut address = String::with_capacity(text.len());
    for (at, part) in text.split('=').enumerate() {
        match at {
            0 => {}
            at if at % 2 == 1 => address.push_str("[\""),
            _ => address.push_str("\"]"),
        }
        address.push_str(part);
    }
    Address::parse(&address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tags_alone_prove_nothing() {
        let scope = Scope {
            stack: "fleet".into(),
            primary: "a".into(),
            standby: "b".into(),
            secrets: std::sync::Arc::default(),
        };
        let address = Address::parse("pool.x/group").unwrap();
        let tags = |more: &[(&str, &str)]| -> Tags {
            let two = [(STACK, "fleet"), (ADDRESS, "pool.x/group")];
            two.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let (ours, not) = (Owner::Ours(address.clone()), Owner::Unproven(Some(address)));
        assert_eq!(owner(&tags(&[]), &scope), not);
        assert_eq!(owner(&tags(&[(SPEC, "by hand")]), &scope), not);
        assert_eq!(owner(&tags(&[(SPEC, "0123456789abcdef")]), &scope), ours);
        assert_eq!(owner_by_name(&tags(&[(SPEC, "0123456789abcdef")]), &scope, "somebodys"), not);
        assert_eq!(owner_by_name(&tags(&[]), &scope, "drstack-fleet-pool-x"), ours);
        let mut half = tags(&[]);
        half.remove(ADDRESS);
        assert_eq!(owner(&half, &scope), Owner::Unproven(None));
    }

    #[test]
    fn addresses_survive_as_tag_values() {
        for text in ["bucket.models/bucket", "module.svc[\"a-1\"].pool.p[\"x\"]/group"] {
            let address = Address::parse(text).unwrap();
            let value = address.as_tag();
            let allowed = |c: char| c.is_ascii_alphanumeric() || "+-=._:/@".contains(c);
            assert!(value.chars().all(allowed), "{value}");
            assert_eq!(decode(&value), Some(address));
        }
    }
}
