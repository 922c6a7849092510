use aws_sdk_dynamodb::types::TableDescription;
use drstack_core::cloud::{CloudError, Owner};
use drstack_core::kind::FieldChange;

use super::{Settings, StandbyTable};
use crate::aws::Target;
use crate::aws::tags::{Tags, owner};
use crate::services::dynamodb::calls::{protect, put_recovery, recovery, tags};

impl StandbyTable {
    /// Returns a table that is still being created.
    pub(in crate::services::dynamodb) fn begun(status: &str) -> Self {
        Self {
            status: status.to_owned(),
            kms_key: None,
            point_in_time_recovery: false,
            deletion_protection: false,
            tagged: false,
            arn: String::new(),
        }
    }

    /// Reads the tags and settings of the table `found`.
    pub(in crate::services::dynamodb) async fn seen(
        at: &Target<'_>,
        name: &str,
        found: TableDescription,
    ) -> Result<(Self, Tags), CloudError> {
        let arn = found.table_arn.unwrap_or_default();
        let (recovery, tags) = tokio::try_join!(recovery(at, name), tags(at, &arn))?;
        let table = Self {
            status: found.table_status.map(|it| it.as_str().to_owned()).unwrap_or_default(),
            kms_key: found.sse_description.and_then(|it| it.kms_master_key_arn),
            point_in_time_recovery: recovery == Some(true),
            deletion_protection: found.deletion_protection_enabled == Some(true),
            tagged: matches!(owner(&tags, at.scope), Owner::Ours(_)),
            arn,
        };
        Ok((table, tags))
    }
}

impl Settings {
    /// Writes the settings that are among `changes`.
    pub(in crate::services::dynamodb) async fn put(
        &self,
        at: &Target<'_>,
        name: &str,
        changes: &[FieldChange],
    ) -> Result<(), CloudError> {
        let changed = |field: &str| changes.iter().any(|change| change.field == field);
        if changed("point_in_time_recovery") {
            put_recovery(at, name, self.point_in_time_recovery).await?;
        }
        if changed("deletion_protection") {
            protect(at, name, self.deletion_protection).await?;
        }
        Ok(())
    }
}
