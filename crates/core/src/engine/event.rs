//! Events: all that a run says, for views, journal and reports. The JSON form is documented in schemas/.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::cloud::CloudError;
use crate::kind::Action;
use crate::plan::StepId;

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// Done and ready.
    Done,
    /// It failed.
    Failed {
        /// Why.
        error: StepError,
    },
    /// Not started, since something before it did not finish.
    Skipped {
        /// Which step.
        because: StepId,
    },
    /// Not started, or not finished, since the run was told to stop.
    Unfinished,
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "cause")]
pub enum StepError {
    /// A call failed.
    #[error(transparent)]
    Cloud {
        /// The call's error.
        #[from]
        error: CloudError,
    },
    /// It was made, but did not become ready in time.
    #[error("not ready after {seconds} s: {waiting_for}")]
    Deadline {
        /// How long was waited.
        seconds: u64,
        /// What for.
        waiting_for: String,
    },
    /// The cloud says it never will be ready.
    #[error("{message}")]
    NeverReady {
        /// What the cloud says.
        message: String,
    },
    /// A fault of drstack's own: an open link, a shape that does not fit.
    #[error("internal: {message}")]
    Internal {
        /// What.
        message: String,
    },
}

impl StepError {
    /// What to do next, as an imperative sentence.
    pub fn hint(&self) -> String {
        match self {
            Self::Cloud { error } => error.hint(),
            Self::Deadline { .. } => "run again: what was begun is waited for, not made twice".to_owned(),
            Self::NeverReady { .. } => "mend what the cloud names, then run again".to_owned(),
            Self::Internal { .. } => "report this, with the lines of `--json`".to_owned(),
        }
    }
}

/// One thing that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// The run began.
    RunStarted {
        /// Its id.
        run: String,
        /// Steps to do.
        steps: usize,
    },
    /// A step began.
    StepStarted {
        /// Which.
        step: StepId,
        /// Its resource.
        address: Address,
        /// What is done.
        action: Action,
        /// What AWS calls what is deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// A step's call is done and its resource is not ready yet.
    StepWaiting {
        /// Which.
        step: StepId,
        /// What for.
        waiting_for: String,
    },
    /// A step is done with less than was wanted: a rung of its ladder was climbed down.
    StepDegraded {
        /// Which.
        step: StepId,
        /// Its resource.
        address: Address,
        /// Which rung, and why.
        rung: String,
    },
    /// A step ended.
    StepFinished {
        /// Which.
        step: StepId,
        /// Its resource.
        address: Address,
        /// What was done.
        action: Action,
        /// What AWS calls what was deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// How it ended.
        #[serde(flatten)]
        outcome: Outcome,
        /// How long it took.
        #[serde(rename = "elapsed_seconds", with = "seconds")]
        elapsed: Duration,
    },
    /// Ctrl-C: what runs is finished, nothing more is begun.
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
        /// Steps not started because of those.
        skipped: usize,
        /// Steps not started, or not finished, because the run was stopped.
        unfinished: usize,
        /// How long it took.
        #[serde(rename = "elapsed_seconds", with = "seconds")]
        elapsed: Duration,
    },
}

/// Durations as seconds, as everywhere in the JSON lines.
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
