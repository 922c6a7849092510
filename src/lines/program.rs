//! Lines about the program: its errors, the files that it wrote, its diagnostics and kinds.

use drstack_core::kind::Operation;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use crate::exit::Exit;

/// Why the program fails (`exit`), or why one step of a run failed (`address`).
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum ErrorLine<'a> {
    /// Why the program fails.
    Program {
        /// The error.
        message: &'a str,
        /// What to do next.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "String")]
        hint: Option<&'a str>,
        /// The exit code.
        #[schemars(schema_with = "failures")]
        exit: u8,
    },
    /// Why one step of a run failed. Steps that do not depend on it went on.
    Step {
        /// The resource of the step.
        address: &'a str,
        /// The error.
        message: &'a str,
        /// What to do next.
        hint: &'a str,
    },
}

/// A file that was written: by `init`, or by `plan --out`.
#[derive(Serialize, JsonSchema)]
pub(crate) struct WrittenLine {
    /// Path of the file, as the user would type it.
    pub(crate) path: String,
}

/// An object that `discover` found.
#[derive(Serialize, JsonSchema)]
pub(crate) struct DiscoveredLine<'a> {
    /// Its address in the tool that manages it.
    pub(crate) address: &'a str,
    /// Its type there.
    pub(crate) of: &'a str,
    /// Its name in AWS, or null.
    pub(crate) name: Option<&'a str>,
    /// What a failover brings back of it.
    pub(crate) state: DiscoveredState,
    /// Why, in a sentence; for what is protected the component.
    pub(crate) why: &'a str,
}

/// What a failover brings back of an object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DiscoveredState {
    /// A component protects it.
    Protected,
    /// The same, and something is left to know.
    Partly,
    /// Nothing protects it.
    Not,
    /// It needs no protection of its own.
    Along,
    /// Nothing that serves needs it.
    Aside,
}

impl DiscoveredState {
    /// Each state, in the order in which they are shown.
    pub(crate) const ALL: [Self; 5] = [Self::Protected, Self::Partly, Self::Not, Self::Along, Self::Aside];

    /// Its name on the screen.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Protected => "protected",
            Self::Partly => "partly",
            Self::Not => "not protected",
            Self::Along => "along",
            Self::Aside => "aside",
        }
    }
}

/// A page of `explain`.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ExplanationLine<'a> {
    /// Code of the diagnostic.
    pub(crate) code: &'a str,
    /// The problem, in one line.
    pub(crate) title: &'a str,
    /// The page.
    pub(crate) text: &'a str,
}

/// A kind of component: what a user writes.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ComponentLine<'a> {
    /// Name of the kind, as a stack file has it.
    pub(crate) name: &'a str,
    /// What it is, in one line.
    pub(crate) summary: &'a str,
}

/// A kind of resource: what components become.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ResourceLine<'a> {
    /// Name of the kind.
    pub(crate) name: &'a str,
    /// What it is, in one line.
    pub(crate) summary: &'a str,
    /// The calls that drstack may make for it.
    pub(crate) operations: &'a [Operation],
}

/// Describes the exit codes of failures.
fn failures(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "enum": Exit::FAILURES.map(|it| it as u8)})
}
