//! A table of the standby region with its settings: the part that replicas and restored tables
//! share.

use std::collections::BTreeMap;

use drstack_core::kind::FieldChange;
use serde::{Deserialize, Serialize};

/// A table of the standby region as DynamoDB reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StandbyTable {
    /// `ACTIVE` when it serves.
    pub status: String,
    /// Customer-managed key that encrypts it.
    pub kms_key: Option<String>,
    /// True if point-in-time recovery is on.
    pub point_in_time_recovery: bool,
    /// True if deletion protection is on.
    pub deletion_protection: bool,
    /// True if it carries the stack's tags. Such tables are created without tags and get them
    /// afterwards.
    pub tagged: bool,
    /// Its ARN.
    pub arn: String,
}

/// The desired settings of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Key of the standby region that encrypts it; default: a key that AWS owns.
    pub kms_key: Option<String>,
    /// Point-in-time recovery, which each replica has for itself.
    pub point_in_time_recovery: bool,
    /// True to enable deletion protection.
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
        // Without a key in the stack any key matches: AWS reports its own managed key here too.
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

    /// Returns the table before it gets tags and settings.
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
mod aws;
