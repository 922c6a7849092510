//! Events of a run, for views, journal and reports. The JSON form is documented in schemas/.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::cloud::CloudError;
use crate::kind::Action;
use crate::plan::StepId;
use crate::text::plain;

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// The step is done and its resource ready.
    Done,
    /// The step failed.
    Failed {
        /// The cause.
        error: StepError,
    },
    /// Not started, because a step before it did not finish.
    Skipped {
        /// The step that did not finish.
        because: StepId,
    },
    /// Not started, or not finished, because the run was stopped.
    Unfinished,
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "cause")]
pub enum StepError {
    /// A cloud call failed.
    #[error(transparent)]
    Cloud {
        /// The call's error.
        #[from]
        error: CloudError,
    },
    /// The resource was created or changed but did not become ready in time.
    #[error("not ready after {seconds} s: {}", plain(.waiting_for))]
    Deadline {
        /// Time waited, in seconds.
        seconds: u64,
        /// The condition waited for.
        waiting_for: String,
    },
    /// The cloud reports that the resource will never be ready.
    #[error("{}", plain(.message))]
    NeverReady {
        /// Message of the cloud.
        message: String,
    },
    /// A bug in drstack: an open link, or a value of the wrong shape.
    #[error("internal: {}", plain(.message))]
    Internal {
        /// Description of the bug.
        message: String,
    },
}

impl StepError {
    /// Returns what a check's command wrote, if it wrote anything.
    pub fn output(&self) -> Option<&str> {
        match self {
            Self::Cloud { error } => error.output(),
            Self::Deadline { .. } | Self::NeverReady { .. } | Self::Internal { .. } => None,
        }
    }

    /// Returns what to do next, as an imperative sentence.
    pub fn hint(&self) -> String {
        match self {
            Self::Cloud { error } => error.hint(),
            Self::Deadline { .. } => "run again: what was begun is not made twice".to_owned(),
            Self::NeverReady { .. } => {
                "fix what the service names, then run the same command again".to_owned()
            }
            Self::Internal { .. } => "report this, with the lines of `--json`".to_owned(),
        }
    }
}

/// One thing that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// The run began.
    RunStarted {
        /// Run id.
        run: String,
        /// Number of steps.
        steps: usize,
    },
    /// A step started.
    StepStarted {
        /// The step.
        step: StepId,
        /// Its resource.
        address: Address,
        /// The action.
        action: Action,
        /// Id of the AWS object that a delete step deletes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        // Left out where there is none, and never null.
        #[schemars(with = "String")]
        id: Option<String>,
    },
    /// A step's call is done and its resource is not ready yet.
    StepWaiting {
        /// The step.
        step: StepId,
        /// The condition waited for.
        waiting_for: String,
        /// What a check's command wrote: for the operator's screen alone.
        #[serde(skip)]
        output: Option<String>,
    },
    /// A step is done with less than the stack wants: it fell back to a lower rung of its ladder.
    StepDegraded {
        /// The step.
        step: StepId,
        /// Its resource.
        address: Address,
        /// The rung and the reason.
        rung: String,
    },
    /// A step ended.
    StepFinished {
        /// The step.
        step: StepId,
        /// Its resource.
        address: Address,
        /// The action.
        action: Action,
        /// Id of the AWS object that a delete step deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        // Left out where there is none, and never null.
        #[schemars(with = "String")]
        id: Option<String>,
        /// The outcome.
        #[serde(flatten)]
        outcome: Outcome,
        /// Duration of the step.
        #[serde(rename = "elapsed_seconds", with = "seconds")]
        #[schemars(with = "f64", range(min = 0))]
        elapsed: Duration,
    },
    /// Ctrl-C: running steps finish, and no more start.
    Draining {
        /// Steps still running.
        running: usize,
    },
    /// The run ended.
    RunFinished {
        /// Steps done.
        done: usize,
        /// Steps failed.
        failed: usize,
        /// Steps not started because another one failed.
        skipped: usize,
        /// Steps not started, or not finished, because the run was stopped.
        unfinished: usize,
        /// Duration of the run.
        #[serde(rename = "elapsed_seconds", with = "seconds")]
        #[schemars(with = "f64", range(min = 0))]
        elapsed: Duration,
    },
}

/// Serializes durations as seconds, as everywhere in the JSON lines.
mod seconds {
    use std::time::Duration;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(duration.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
