//! Remarks about a resource, for people.

use serde::{Deserialize, Serialize};

/// A sentence about one address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remark {
    /// The resource or component.
    pub address: String,
    /// The sentence.
    pub text: String,
}
