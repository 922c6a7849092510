//! The fact of the account that the credentials belong to.

use drstack_core::kind::{Operation, Place};
use serde::{Deserialize, Serialize};

use crate::facts::FactKind;
use crate::services::operation;

/// The account of the simulated cloud, unless its settings name another.
pub const SIMULATED_ACCOUNT: &str = "123456789012";

/// The account that the stack's credentials belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountFact(pub String);

impl FactKind for AccountFact {
    const NAME: &'static str = "account";
    const PLACE: Place = Place::Standby;
    const OPERATIONS: &'static [Operation] = &[operation("sts", "GetCallerIdentity")];
}

#[cfg(feature = "aws")]
mod aws;
