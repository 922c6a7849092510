//! Plan files: a plan on disk with all that applying it needs, and no secrets.

use serde::{Deserialize, Serialize};

use super::{Options, Plan, PlanReport};

/// The format this build writes, and the only one it reads.
pub const FORMAT: u32 = 1;

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
    /// [`PlanFileError::Broken`], [`PlanFileError::Cut`] and [`PlanFileError::Format`].
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
        Ok(serde_json::from_slice(bytes)?)
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
