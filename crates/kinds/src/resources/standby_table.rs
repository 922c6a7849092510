//! A table of the standby region and the settings that it has there: what replicas and restored tables have in common.

use std::collections::BTreeMap;

use drstack_core::kind::FieldChange;
use serde::{Deserialize, Serialize};

/// What DynamoDB reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StandbyTable {
    /// `ACTIVE` when it serves.
    pub status: String,
    /// Customer-managed key that encrypts it.
    pub kms_key: Option<String>,
    /// Point-in-time recovery is on.
    pub point_in_time_recovery: bool,
    /// It cannot be deleted by accident.
    pub deletion_protection: bool,
    /// It carries the stack's tags. Such tables are made without tags and get them afterwards.
    pub tagged: bool,
    /// Its ARN.
    pub arn: String,
}

/// What is wanted of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Key of the standby region that encrypts it; default: a key that AWS owns.
    pub kms_key: Option<String>,
    /// Point-in-time recovery, which each replica has for itself.
    pub point_in_time_recovery: bool,
    /// It cannot be deleted by accident.
    pub deletion_protection: bool,
}

impl StandbyTable {
    pub(super) fn expect(wanted: &Settings, id: &str) -> Self {
        Self {
            status: "ACTIVE".to_owned(),
            kms_key: wanted.kms_key.clone(),
            point_in_time_recovery: wanted.point_in_time_recovery,
            deletion_protection: wanted.deletion_protection,
            tagged: true,
            arn: format!("arn:aws:dynamodb:standby:000000000000:table/{id}"),
        }
    }

    pub(super) fn differences(&self, wanted: &Settings) -> Vec<FieldChange> {
        // Without a key in the stack any key will do: AWS shows the one that it manages here too.
        let key = wanted.kms_key.as_ref();
        let key = key.and_then(|_| FieldChange::replacing("kms_key", &self.kms_key, &wanted.kms_key));
        let changes = [
            key,
            FieldChange::of(
                "point_in_time_recovery",
                &self.point_in_time_recovery,
                &wanted.point_in_time_recovery,
            ),
            FieldChange::of("deletion_protection", &self.deletion_protection, &wanted.deletion_protection),
            FieldChange::of("tagged", &self.tagged, &true),
        ];
        changes.into_iter().flatten().collect()
    }

    /// The same before it gets tags and settings.
    pub(super) fn bare(&self) -> Self {
        Self { point_in_time_recovery: false, deletion_protection: false, tagged: false, ..self.clone() }
    }

    pub(super) fn outputs(&self, id: &str) -> BTreeMap<String, String> {
        [("id", id), ("arn", self.arn.as_str())]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }
}

#[cfg(feature = "aws")]
mod aws {
    use aws_sdk_dynamodb::types::TableDescription;
    use drstack_core::cloud::{CloudError, Owner};
    use drstack_core::kind::FieldChange;

    use super::{Settings, StandbyTable};
    use crate::aws::Target;
    use crate::aws::dynamodb::{protect, put_recovery, recovery, tags};
    use crate::aws::tags::{Tags, owner};

    impl StandbyTable {
        /// One that is still being made.
        pub(in crate::resources) fn begun(status: &str) -> Self {
            Self {
                status: status.to_owned(),
                kms_key: None,
                point_in_time_recovery: false,
                deletion_protection: false,
                tagged: false,
                arn: String::new(),
            }
        }

        /// The table `found`, and its tags.
        pub(in crate::resources) async fn seen(
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
        /// Puts those that are among `changes`.
        pub(in crate::resources) async fn put(
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
}
