//! Ownership by tags: `drstack:stack`, `drstack:address`, `drstack:spec`.
//!
//! Two of them say whose something is. What proves it is the third, or, where drstack chose the name, that name: whoever tags his own
//! things like ours does not have it by accident.

use std::collections::BTreeMap;

use drstack_core::address::Address;
use drstack_core::cloud::{Call, Owner, Scope, sha256};
use serde::Serialize;

/// Which stack made it.
pub(crate) const STACK: &str = "drstack:stack";
/// For which address.
pub(crate) const ADDRESS: &str = "drstack:address";
/// Hash of what was wanted when it was last made or changed.
pub(crate) const SPEC: &str = "drstack:spec";
/// Of what it is a copy.
pub(crate) const SOURCE: &str = "drstack:source";

/// Hex digits of a hash that are kept: enough to tell two wishes apart.
const SPEC_DIGITS: usize = 16;

/// Tags by key.
pub(crate) type Tags = BTreeMap<String, String>;

/// The tags of the resource that `call` makes or changes to be `spec`.
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

/// The same with a `Name`, which the EC2 console shows first.
pub(crate) fn named(call: &Call, spec: &impl Serialize) -> Tags {
    let mut tags = owned(call, spec);
    let component = call.address.component().slug();
    let name = format!("drstack-{}-{component}-{}", call.scope.stack, call.address.resource());
    tags.insert("Name".to_owned(), name);
    tags
}

/// Whose the resource with these tags is, which has a name of the user's or none.
pub(crate) fn owner(tags: &Tags, scope: &Scope) -> Owner {
    let is_digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    let is_spec = |it: &String| it.len() == SPEC_DIGITS && it.bytes().all(is_digit);
    owner_proven(tags, scope, tags.get(SPEC).is_some_and(is_spec))
}

/// Whose the resource with these tags is, which has a name that drstack chose.
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

/// The address whose [`Address::as_tag`] this is; replication rules write theirs in the same way.
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
