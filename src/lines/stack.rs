//! Lines about a stack: that its files are valid, what is wrong with them, and its resources.

use drstack_core::address::Address;
use drstack_core::diagnostic::Severity;
use drstack_core::kind::Place;
use drstack_core::objective::Mode;
use jiff::Timestamp;
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

/// The stack that a plan is for, and which region serves.
#[derive(Serialize, JsonSchema)]
pub(crate) struct StackLine<'a> {
    /// Name of the stack.
    pub(crate) stack: &'a str,
    /// The primary region.
    pub(crate) primary: &'a str,
    /// The standby region.
    pub(crate) standby: &'a str,
    /// The AWS account; null if nothing in the stack had to know it.
    pub(crate) account: Option<&'a str>,
    /// `standby` while the primary serves, `active` while the standby region does.
    pub(crate) mode: Mode,
    /// False if a failover or a failback has begun and is not complete.
    pub(crate) complete: bool,
    /// The epoch, which rises with each change of mode.
    pub(crate) epoch: u64,
    /// When the change to this mode began; null before the first.
    pub(crate) since: Option<Timestamp>,
    /// The parts that have failed over on their own; empty if the whole stack has.
    pub(crate) only: Vec<String>,
}

/// An AWS object of the stack.
#[derive(Serialize, JsonSchema)]
pub(crate) struct OutputLine<'a> {
    /// The resource.
    pub(crate) address: &'a Address,
    /// Kind of resource, as `drstack kinds` lists it.
    pub(crate) kind: &'a str,
    /// A region, or `global`.
    pub(crate) region: &'a str,
    /// Name or id of the object.
    pub(crate) id: &'a str,
    /// What other resources may refer to, such as its ARN.
    pub(crate) values: Vec<OutputValue<'a>>,
}

/// One value of an AWS object.
#[derive(Serialize, JsonSchema)]
pub(crate) struct OutputValue<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// The value.
    pub(crate) value: &'a str,
}
