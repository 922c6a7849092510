//! The account of the credentials.

use std::sync::Arc;

use aws_credential_types::Credentials;
use drstack_core::cloud::CloudError;

use super::errors::classify;

/// The call that returns the account; it needs no permission.
const CALLER: &str = "sts:GetCallerIdentity";
/// Digits of an account.
const DIGITS: usize = 12;

/// Returns the account of `credentials`: as they state it, else from the security token service of
/// `region`.
pub(super) async fn of_caller(
    credentials: &Credentials,
    sts: &aws_sdk_sts::Client,
    region: &str,
) -> Result<Arc<str>, CloudError> {
    let account = match credentials.account_id() {
        Some(account) => account.as_str().to_owned(),
        None => {
            let answer = sts.get_caller_identity().send().await;
            answer.map_err(|error| classify(CALLER, region, &error))?.account.unwrap_or_default()
        }
    };
    match account.len() == DIGITS && account.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(account.into()),
        false => Err(CloudError::Other {
            operation: CALLER.to_owned(),
            message: format!("`{account}` is not an account of {DIGITS} digits"),
        }),
    }
}
