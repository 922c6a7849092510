//! Ownership by tags: `drstack:stack`, `drstack:address`, `drstack:spec`.

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
        (ADDRESS, encode(&call.address)),
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

/// Whose the resource with these tags is.
pub(crate) fn owner(tags: &Tags, scope: &Scope) -> Owner {
    match (tags.get(STACK), tags.get(ADDRESS).and_then(|text| decode(text))) {
        (Some(stack), Some(address)) if **stack == *scope.stack => Owner::Ours(address),
        (Some(stack), _) if **stack != *scope.stack => Owner::Stack(stack.clone()),
        _ => Owner::Foreign,
    }
}

/// Tag values take letters, digits and `+ - = . _ : / @`: the brackets of `pool.inference["eta"]` become `=eta=`.
pub(crate) fn encode(address: &Address) -> String {
    address.as_str().replace("[\"", "=").replace("\"]", "=")
}

/// The address that `encode` wrote; replication rules write theirs in the same way.
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
    fn addresses_survive_as_tag_values() {
        for text in ["bucket.models/bucket", "module.svc[\"a-1\"].pool.p[\"x\"]/group"] {
            let address = Address::parse(text).unwrap();
            let value = encode(&address);
            let allowed = |c: char| c.is_ascii_alphanumeric() || "+-=._:/@".contains(c);
            assert!(value.chars().all(allowed), "{value}");
            assert_eq!(decode(&value), Some(address));
        }
    }
}
