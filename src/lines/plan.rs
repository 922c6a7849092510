//! Lines of a plan: its steps, what they wait for, the plan in numbers, and a rehearsed one.

use drstack_core::address::{Address, ComponentAddress};
use drstack_core::kind::{Action, FieldChange};
use drstack_core::objective::{Mode, Posture};
use drstack_core::plan::{Gate, StepId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// One change of the plan.
#[derive(Serialize, JsonSchema)]
pub(crate) struct StepLine<'a> {
    /// Its number within the plan.
    pub(crate) step: StepId,
    /// The action.
    pub(crate) action: Action,
    /// The resource.
    pub(crate) address: &'a Address,
    /// Kind of resource, as `drstack kinds` lists it.
    pub(crate) kind: &'a str,
    /// A region, or `global`.
    pub(crate) region: &'a str,
    /// Name or AWS id of the resource; null if AWS will choose it.
    // Later than the line itself.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<&'a str>,
    /// The reason, for people.
    pub(crate) reason: &'a str,
    /// The fields that change; empty for creations and deletions.
    pub(crate) changes: &'a [FieldChange],
    /// Steps that must succeed before this one starts.
    pub(crate) needs: &'a [StepId],
    /// Steps that must end before this one starts, done or not: an earlier wave of a failover.
    // Later than the line itself.
    #[schemars(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) after: &'a [StepId],
    /// True for both halves of a replacement.
    pub(crate) replaces: bool,
    /// Usual duration, in seconds.
    #[schemars(range(min = 0))]
    pub(crate) estimate_seconds: f64,
    /// Rungs that a failover falls back to, in order, where the region has too little capacity.
    // Later than the line itself.
    #[schemars(skip_serializing_if = "Vec::is_empty")]
    pub(crate) rungs: Vec<String>,
    /// The program that a check runs on this machine, and its arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>")]
    pub(crate) command: Option<Vec<String>>,
    /// All values that are wanted, with `--verbose`. `{"$ref": ADDRESS, "output": NAME}` stands for
    /// what that resource will supply. A deletion has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "serde_json::Value")]
    pub(crate) values: Option<&'a serde_json::Value>,
}

/// Dependencies that many steps of the plan share, beside each step's own.
#[derive(Serialize, JsonSchema)]
pub(crate) struct GateLine<'a> {
    /// Steps that must succeed before the held ones start.
    pub(crate) needs: &'a [StepId],
    /// Steps that must end before the held ones start, done or not.
    pub(crate) after: &'a [StepId],
    /// Steps that wait here.
    pub(crate) holds: &'a [StepId],
}

/// What traffic waits for in a failover.
#[derive(Serialize, JsonSchema)]
pub(crate) struct OrderLine<'a> {
    /// Components that move traffic and wait for the same.
    pub(crate) traffic: Vec<&'a str>,
    /// Components whose tables are restored, whose pools serve and whose checks pass before.
    pub(crate) after: Vec<&'a str>,
}

/// What fails over together with a part of the stack, since the part needs it first.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AlongLine<'a> {
    /// The component that needs it.
    pub(crate) address: &'a ComponentAddress,
    /// The components that it needs.
    pub(crate) needs: &'a [&'a ComponentAddress],
}

/// A plan file, by `show`; the plan follows as `plan` writes it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct PlanFileLine<'a> {
    /// Path of the file, as the user typed it.
    pub(crate) path: String,
    /// When the plan was made.
    pub(crate) at: Timestamp,
    /// The stack's folder or file, as it was typed.
    pub(crate) stack: &'a str,
    /// Its inputs, as they were typed: `NAME=VALUE`.
    pub(crate) inputs: Vec<String>,
    /// Its file of inputs, or null.
    pub(crate) input_file: Option<&'a str>,
    /// The command that the plan is of: `apply` or `failover` or `failback`. Only the first can be
    /// applied.
    pub(crate) purpose: &'a str,
    /// The mode that it was planned for.
    pub(crate) mode: Mode,
    /// The public key that has to sign the bundle which its apply publishes, or null. The plan file
    /// itself is not signed.
    pub(crate) signing: Option<String>,
}

/// What the stack's posture promises, and what the stack asks for.
#[derive(Serialize, JsonSchema)]
pub(crate) struct PostureLine {
    /// The posture.
    pub(crate) posture: Posture,
    /// RTO that the posture promises, as text.
    pub(crate) rto_band: &'static str,
    /// RPO that the posture promises, as text.
    pub(crate) rpo_band: &'static str,
    /// Cost beside the primary, as text.
    pub(crate) cost_band: &'static str,
    /// RTO that the stack asks for, in seconds; null if it asks for none.
    #[schemars(range(min = 0))]
    pub(crate) rto_seconds: Option<i64>,
    /// RPO that the stack asks for, in seconds; null if it asks for none.
    #[schemars(range(min = 0))]
    pub(crate) rpo_seconds: Option<i64>,
}

/// The plan in numbers; it follows the plan's steps.
#[derive(Serialize, JsonSchema)]
pub(crate) struct PlanLine<'a> {
    /// Number of creations; a replacement is one creation and one deletion.
    pub(crate) add: usize,
    /// Number of updates.
    pub(crate) change: usize,
    /// Number of deletions.
    pub(crate) destroy: usize,
    /// Number of checks; they count in none of the three above.
    // Later than the line itself.
    #[schemars(skip_serializing_if = "is_zero")]
    pub(crate) checks: usize,
    /// Number of resources that match the stack.
    pub(crate) unchanged: usize,
    /// Number of lines of type `blocked`.
    pub(crate) blocked: usize,
    /// Predicted time of the plan, in seconds.
    #[schemars(range(min = 0))]
    pub(crate) estimate_seconds: f64,
    /// The predicted failover: this plan if it begins one, else the one that was rehearsed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ForecastLine<'a>")]
    pub(crate) forecast: Option<ForecastLine<'a>>,
}

/// How long a failover is predicted to take.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ForecastLine<'a> {
    /// Predicted time, in seconds.
    #[schemars(range(min = 0))]
    pub(crate) total_seconds: f64,
    /// How much of it is a wait for a slot (`--parallelism`), in seconds.
    #[schemars(range(min = 0))]
    pub(crate) queued_seconds: f64,
    /// How much of it is a wait for EC2's launch budget, in seconds.
    #[schemars(range(min = 0))]
    pub(crate) launching_seconds: f64,
    /// RTO of the stack, in seconds; null if it asks for none.
    #[schemars(range(min = 0))]
    pub(crate) rto_seconds: Option<i64>,
    /// True if the stack is predicted to meet its RTO, and each component one of its own; false
    /// while something is blocked; null if there is none.
    pub(crate) meets_rto: Option<bool>,
    /// What the prediction rests on, for people.
    pub(crate) basis: &'static str,
    /// When each component serves that the failover changes.
    pub(crate) components: Vec<ComponentForecastLine<'a>>,
}

/// When a component serves in a predicted failover.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ComponentForecastLine<'a> {
    /// The component.
    pub(crate) address: &'a ComponentAddress,
    /// When its last step ends, in seconds since the start of the failover.
    #[schemars(range(min = 0))]
    pub(crate) seconds: f64,
    /// Its RTO, its own or the stack's, in seconds; null if there is none.
    #[schemars(range(min = 0))]
    pub(crate) rto_seconds: Option<i64>,
    /// True if it is predicted to meet that RTO; null if there is none.
    pub(crate) meets_rto: Option<bool>,
}

/// What the last complete apply expected a failover to do: read from the bundle, before drstack
/// observes anything.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RehearsedLine<'a> {
    /// When the apply rehearsed it.
    pub(crate) at: Timestamp,
    /// The steps.
    pub(crate) steps: Vec<RehearsedStepLine<'a>>,
    /// Dependencies that many of the steps share, as in a line of type `gate`.
    // Later than the line itself.
    #[schemars(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) gates: &'a [Gate],
    /// Predicted time of the failover, in seconds.
    #[schemars(range(min = 0))]
    pub(crate) estimate_seconds: f64,
}

/// One step of a rehearsed failover.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RehearsedStepLine<'a> {
    /// The action.
    pub(crate) action: Action,
    /// The resource.
    pub(crate) address: &'a Address,
    /// Kind of resource, as `drstack kinds` lists it.
    pub(crate) kind: &'a str,
    /// A region, or `global`.
    pub(crate) region: &'a str,
    /// Steps that have ended when it starts, by index in `steps`, beside those of its gates.
    pub(crate) before: &'a [usize],
    /// Predicted time, in seconds.
    #[schemars(range(min = 0))]
    pub(crate) estimate_seconds: f64,
}
