//! Remarks about a resource, for people.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A sentence about one address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Remark {
    /// The resource, component, kind or fact.
    pub address: String,
    /// The sentence.
    pub text: String,
}
