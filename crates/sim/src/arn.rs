//! ARNs of simulated objects. A kind says what to expect of an object without knowing the account or
//! the region; the sim knows both.

use serde_json::Value;

/// Account and region in the ARNs that kinds expect.
const ACCOUNT: &str = ":000000000000:";
const STANDBY: &str = ":standby:000000000000:";

/// Returns `live` with the true account and region in its ARNs.
pub(crate) fn placed(mut live: Value, account: &str, region: &str) -> Value {
    place(&mut live, account, region);
    live
}

fn place(value: &mut Value, account: &str, region: &str) {
    match value {
        Value::String(text) if text.starts_with("arn:") => {
            *text = text
                .replace(STANDBY, &format!(":{region}:{account}:"))
                .replace(ACCOUNT, &format!(":{account}:"));
        }
        Value::Array(items) => items.iter_mut().for_each(|it| place(it, account, region)),
        Value::Object(fields) => fields.values_mut().for_each(|it| place(it, account, region)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::placed;

    #[test]
    fn arns_name_the_account_and_the_region() {
        let live = json!({"arn": "arn:aws:dynamodb:standby:000000000000:table/t", "role": ["arn:aws:iam::000000000000:role/r"], "name": "standby"});
        let is = placed(live, "123456789012", "us-west-2");
        assert_eq!(
            is,
            json!({"arn": "arn:aws:dynamodb:us-west-2:123456789012:table/t", "role": ["arn:aws:iam::123456789012:role/r"], "name": "standby"})
        );
    }
}
