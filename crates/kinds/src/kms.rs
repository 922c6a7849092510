//! KMS keys, as stacks and services name them: by id, ARN or alias.

use serde_json::{Value, json};

use crate::names::partition;

/// Prefix of the names of aliases.
const ALIAS: &str = "alias/";

/// Returns the ARN of `key`, which is one of `region`. Without an `account`, a key that is no ARN
/// stays as it is.
pub fn arn(key: &str, region: &str, account: Option<&str>) -> String {
    let Some(account) = account.filter(|_| !key.starts_with("arn:")) else { return key.to_owned() };
    let resource = if key.starts_with(ALIAS) { key.to_owned() } else { format!("key/{key}") };
    format!("arn:{}:kms:{region}:{account}:{resource}", partition(region))
}

/// Returns the statement that allows `action` with the key of this ARN; none for what is no ARN,
/// which only the key's own policy can allow.
///
/// IAM takes no alias as a resource, but a condition on the aliases of a key (AWS KMS Developer
/// Guide, "Use aliases to control access to KMS keys").
pub fn allow(action: &str, arn: &str) -> Option<Value> {
    if !arn.starts_with("arn:") {
        return None;
    }
    Some(match arn.split_once(":alias/") {
        None => json!({"Effect": "Allow", "Action": [action], "Resource": arn}),
        Some((of, alias)) => json!({
            "Effect": "Allow", "Action": [action], "Resource": format!("{of}:key/*"),
            "Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": format!("{ALIAS}{alias}")}},
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_an_arn_however_it_is_named() {
        let of = |key: &str| arn(key, "us-west-2", Some("123456789012"));
        let base = "arn:aws:kms:us-west-2:123456789012:";
        assert_eq!(of("1234abcd-12ab"), format!("{base}key/1234abcd-12ab"));
        assert_eq!(of("mrk-1234"), format!("{base}key/mrk-1234"));
        assert_eq!(of("alias/models"), format!("{base}alias/models"));
        assert_eq!(of("arn:aws:kms:eu-west-1:1:key/a"), "arn:aws:kms:eu-west-1:1:key/a");
        assert_eq!(arn("1234", "us-west-2", None), "1234");
    }

    #[test]
    fn an_alias_is_allowed_by_a_condition_on_its_key() {
        let allowed = allow("kms:Decrypt", "arn:aws:kms:us-west-2:1:alias/models").unwrap();
        assert_eq!(allowed["Resource"], "arn:aws:kms:us-west-2:1:key/*");
        assert_eq!(allowed["Condition"]["ForAnyValue:StringEquals"]["kms:ResourceAliases"], "alias/models");
        assert_eq!(allow("kms:Decrypt", "arn:aws:kms:us-west-2:1:key/a").unwrap()["Condition"], Value::Null);
        assert_eq!(allow("kms:Decrypt", "a"), None);
    }
}
