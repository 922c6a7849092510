use drstack_core::cloud::CloudError;

use super::AccountFact;
use crate::aws::{Ask, Target};

impl Ask for AccountFact {
    async fn ask(at: &Target<'_>, _: &str) -> Result<Option<AccountFact>, CloudError> {
        Ok(Some(AccountFact(at.aws.account.to_string())))
    }
}
