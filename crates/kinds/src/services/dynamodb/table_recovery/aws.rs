use drstack_core::cloud::CloudError;

use super::{TableRecovery, TableRecoveryLive};
use crate::aws::{SwitchDriver, Target};
use crate::services::dynamodb::calls as dynamodb;

impl SwitchDriver for TableRecovery {
    async fn look(at: &Target<'_>, table: &str) -> Result<Option<TableRecoveryLive>, CloudError> {
        let enabled = dynamodb::recovery(at, table).await?;
        Ok(enabled.map(|enabled| TableRecoveryLive { enabled }))
    }

    async fn switch_on(at: &Target<'_>, table: &str) -> Result<(), CloudError> {
        dynamodb::put_recovery(at, table, true).await
    }
}
