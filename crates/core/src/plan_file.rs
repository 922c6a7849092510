//! Plan files: a plan on disk with all that applying it needs, and no secrets.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::component::StackFacts;
use crate::forecast::FailoverForecast;
use crate::keys::PublicKey;
use crate::objective::{Objective, Posture, Standing};
use crate::part::Sequence;
use crate::plan::{Gate, Options, Plan, PlanReport, Step, StepId};

/// The format this build writes, and the only one it reads.
pub const FORMAT: u32 = 2;

/// Longest estimate of a step that is believed, in seconds: thirty years. Sums of it do not
/// overflow.
const LONGEST: f64 = 1e9;

/// What a plan is for: the stack, which region serves, and what its failover is held against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanHead {
    /// Name, regions and control bucket of the stack.
    pub facts: StackFacts,
    /// The AWS account; `None` if nothing in the stack had to know it.
    pub account: Option<String>,
    /// Which region serves.
    pub standing: Standing,
    /// False if a failover or a failback has begun and is not complete.
    pub complete: bool,
    /// When the change to this mode began; `None` before the first.
    pub since: Option<Timestamp>,
    /// Posture of the stack.
    pub posture: Posture,
    /// Objective of the stack.
    pub objective: Objective,
    /// The key that has to sign the stack's bundle.
    pub signing: Option<PublicKey>,
    /// Risks of the environment if the primary is lost, one sentence each.
    pub warnings: Vec<String>,
    /// The order in which the stack fails over; `None` for a destroy.
    pub sequence: Option<Sequence>,
    /// Number of steps that run at once.
    pub slots: usize,
    /// The failover: the plan itself if it begins one, else the rehearsed one.
    pub failover: Option<FailoverForecast>,
    /// True if the failover was rehearsed from the world that the plan leaves.
    pub rehearsed: bool,
}

/// A plan with the inputs that it was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanFile {
    /// [`FORMAT`].
    pub format: u32,
    /// The stack's folder or file, as it was typed.
    pub stack: String,
    /// `-i name=value`, as typed; inputs are no place for secrets.
    pub inputs: Vec<(String, String)>,
    /// `--inputs FILE`, as typed.
    pub input_file: Option<String>,
    /// [`crate::stack::Stack::hash`] at planning time.
    pub stack_hash: String,
    /// When the plan was made.
    pub at: Timestamp,
    /// What the plan is for.
    pub head: PlanHead,
    /// Options of the planner.
    pub options: Options,
    /// The plan.
    pub plan: Plan,
    /// What the planner reported beside the steps.
    pub report: PlanReport,
}

/// Why a plan file cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// The file is not a plan file.
    #[error("not a drstack plan file: {0}")]
    Broken(#[from] serde_json::Error),
    /// The file starts as a plan file and ends too early.
    #[error("cut short: it ends after {0} bytes, in the middle of the plan")]
    Cut(usize),
    /// Another version of drstack wrote the file.
    #[error("the format is {found}, this drstack reads {FORMAT}")]
    Format {
        /// Format in the file.
        found: u32,
    },
    /// The steps refer to steps that are not before them.
    #[error("not a drstack plan file: its steps do not fit together")]
    Unsound,
    /// The stack's text, a module or an input changed since planning.
    #[error("the stack, a module or an input changed since this plan was made")]
    StackMoved,
    /// A new plan has different steps.
    #[error("the world changed since this plan was made: {0}")]
    WorldMoved(String),
}

impl PlanFile {
    /// Serializes the plan file.
    ///
    /// # Errors
    /// None in practice: all parts have a JSON form.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PlanFileError> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Parses a plan file.
    ///
    /// # Errors
    /// [`PlanFileError::Broken`], [`PlanFileError::Cut`], [`PlanFileError::Format`] and
    /// [`PlanFileError::Unsound`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PlanFileError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let broken = |error: serde_json::Error| match error.is_eof() && bytes.starts_with(b"{\"format\":") {
            true => PlanFileError::Cut(bytes.len()),
            false => error.into(),
        };
        let head: Head = serde_json::from_slice(bytes).map_err(broken)?;
        if head.format != FORMAT {
            return Err(PlanFileError::Format { found: head.format });
        }
        let file: Self = serde_json::from_slice(bytes)?;
        if is_sound(&file.plan) { Ok(file) } else { Err(PlanFileError::Unsound) }
    }

    /// Checks that `stack_hash` and a plan made `now` still match the file.
    ///
    /// # Errors
    /// [`PlanFileError::StackMoved`] and [`PlanFileError::WorldMoved`].
    pub fn check(&self, stack_hash: &str, now: &Plan) -> Result<(), PlanFileError> {
        if self.stack_hash != stack_hash {
            return Err(PlanFileError::StackMoved);
        }
        if self.plan == *now {
            return Ok(());
        }
        let ours = self.plan.steps.iter().map(|step| (&step.address, step.action));
        let theirs: std::collections::BTreeSet<_> =
            now.steps.iter().map(|step| (&step.address, step.action)).collect();
        let what = ours
            .clone()
            .find(|step| !theirs.contains(step))
            .map(|(address, _)| format!("{address} no longer needs what was planned"))
            .or_else(|| {
                let ours: std::collections::BTreeSet<_> = ours.collect();
                theirs
                    .iter()
                    .find(|step| !ours.contains(*step))
                    .map(|(address, _)| format!("{address} now needs a change"))
            })
            .unwrap_or_else(|| "the same steps have other values".to_owned());
        Err(PlanFileError::WorldMoved(what))
    }
}

/// True if each step comes after the steps that it waits for, and no estimate is absurd.
fn is_sound(plan: &Plan) -> bool {
    let is_step = |(id, step): (usize, &Step)| {
        (0.0..=LONGEST).contains(&step.estimate) && step.before().all(|before| before < id)
    };
    let is_gate = |gate: &Gate| {
        let is_held = |held: &StepId| *held < plan.steps.len() && gate.before().all(|before| before < *held);
        gate.holds.is_sorted() && gate.holds.iter().all(is_held)
    };
    plan.steps.iter().enumerate().all(is_step) && plan.gates.iter().all(is_gate)
}
