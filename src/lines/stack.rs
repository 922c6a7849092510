//! Lines about a stack: that its files are valid, what is wrong with them, and its resources.

use drstack_core::address::Address;
use drstack_core::diagnostic::Severity;
use drstack_core::kind::Place;
use schemars::JsonSchema;
use serde::Serialize;

/// A problem of the stack.
#[derive(Serialize, JsonSchema)]
pub(crate) struct DiagnosticLine<'a> {
    /// Stable code; `drstack explain CODE` prints its page.
    #[schemars(regex(pattern = "^DR[0-9]{3}$"))]
    pub(crate) code: &'a str,
    /// The severity.
    pub(crate) severity: Severity,
    /// The problem, in one line.
    pub(crate) message: &'a str,
    /// Where the problem is; null if it is at no place of a file.
    pub(crate) at: Option<SourcePlace>,
    /// What to do, as an imperative sentence, or null.
    pub(crate) help: Option<&'a str>,
}

/// A place in a stack file.
#[derive(Serialize, JsonSchema)]
pub(crate) struct SourcePlace {
    /// Path of the file, as the user would type it.
    pub(crate) file: String,
    /// Line, from 1.
    #[schemars(range(min = 1))]
    pub(crate) line: usize,
    /// Column in characters, from 1.
    #[schemars(range(min = 1))]
    pub(crate) column: usize,
}

/// The stack has no errors.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ValidLine<'a> {
    /// Name of the stack.
    pub(crate) stack: &'a str,
    /// Number of its components.
    pub(crate) components: usize,
}

/// The graph of resources.
#[derive(Serialize, JsonSchema)]
pub(crate) struct GraphLine<'a> {
    /// The resources.
    pub(crate) nodes: Vec<NodeLine<'a>>,
    /// What needs what.
    pub(crate) edges: Vec<EdgeLine>,
}

/// A resource in the graph.
#[derive(Serialize, JsonSchema)]
pub(crate) struct NodeLine<'a> {
    /// The resource.
    pub(crate) address: &'a Address,
    /// Kind of resource, as `drstack kinds` lists it.
    pub(crate) kind: &'a str,
    /// Where it lives.
    pub(crate) place: Place,
    /// True on the critical path of a first apply.
    pub(crate) critical: bool,
}

/// A dependency in the graph.
#[derive(Serialize, JsonSchema)]
pub(crate) struct EdgeLine {
    /// The resource that is needed.
    pub(crate) from: Address,
    /// The resource that needs it.
    pub(crate) to: Address,
}
