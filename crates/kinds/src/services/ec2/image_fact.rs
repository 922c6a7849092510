//! The fact of an image of the primary.

use drstack_core::kind::{Operation, Place};
use serde::{Deserialize, Serialize};

use crate::facts::FactKind;
use crate::ledger::{Ledger, NotCarried};
use crate::services::operation;

/// An image of the primary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageFact {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// True if the account owns the image, so that it can be copied.
    pub owned: bool,
    /// For an image of another owner: the image of that name and owner in the standby region.
    pub standby: Option<String>,
    /// What is set on an image of the account and not carried to its copy.
    #[serde(default, skip_serializing_if = "NotCarried::is_empty")]
    pub not_carried: NotCarried,
}

/// The table of an image.
pub const LEDGERS: &[&Ledger] = &[&fields::IMAGE];

impl FactKind for ImageFact {
    const NAME: &'static str = "image";
    const PLACE: Place = Place::Primary;
    const OPERATIONS: &'static [Operation] = &[operation("ec2", "DescribeImages")];
}

#[cfg(feature = "aws")]
pub(crate) mod aws;
pub mod fields;
