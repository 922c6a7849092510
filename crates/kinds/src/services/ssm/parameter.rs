//! The parameter kind: a parameter of the standby region that the application reads.

use drstack_core::kind::{Capabilities, Erased, FieldChange, Kind, Lookup, Operation, Statement, Witness};
use serde::{Deserialize, Serialize};

use crate::services::operation;

/// The desired state of a parameter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ParameterSpec {
    /// Its name, in the stack's folder.
    pub name: String,
    /// Its text.
    pub value: String,
    /// The parameter of the same component along with which alone it changes, by resource name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub along: Option<String>,
}

/// A parameter as Systems Manager reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParameterLive {
    /// Its text.
    pub value: String,
}

/// The parameter that names the region which may write.
pub const ACTIVE_REGION: &str = "active-region";
/// The parameter that counts the changes of mode.
pub const EPOCH: &str = "epoch";

/// Returns the folder of a stack's parameters, with a `/` at the end.
pub fn folder(stack: &str) -> String {
    format!("/drstack/{stack}/")
}

/// The parameter kind.
pub struct Parameter;

impl Kind for Parameter {
    const NAME: &'static str = "parameter";
    const SUMMARY: &'static str =
        "SSM parameter in the standby region that says something to the application";
    const LOOKUP: Lookup = Lookup::Name;
    const OPERATIONS: &'static [Operation] = &[
        operation("ssm", "AddTagsToResource"),
        operation("ssm", "DeleteParameter"),
        operation("ssm", "GetParameters"),
        operation("ssm", "GetParametersByPath"),
        operation("ssm", "ListTagsForResource"),
        operation("ssm", "PutParameter"),
    ];
    const CAPABILITIES: Capabilities = Capabilities {
        witness: Some(&Erased::<Self>::NEW),
        keeps_text: true,
        along: Some("along"),
        ..Capabilities::NONE
    };
    type Spec = ParameterSpec;
    type Live = ParameterLive;

    fn diff(spec: &ParameterSpec, live: &ParameterLive) -> Vec<FieldChange> {
        FieldChange::of("value", &live.value, &spec.value).into_iter().collect()
    }

    fn expect(spec: &ParameterSpec, _id: &str) -> ParameterLive {
        ParameterLive { value: spec.value.clone() }
    }
}

impl Witness for Parameter {
    fn statement(id: &str, live: &ParameterLive) -> Option<Statement> {
        match id.rsplit_once('/')?.1 {
            ACTIVE_REGION => Some(Statement::Region(live.value.clone())),
            EPOCH => live.value.parse().ok().map(Statement::Epoch),
            _ => None,
        }
    }
}

#[cfg(feature = "aws")]
mod aws;
