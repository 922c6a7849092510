//! Past runs of a stack, as the control bucket keeps them. Asks the standby region alone.

use drstack_core::control::runs::{Folder, StepEnd, Told, folders, told};
use drstack_core::text::plain;
use drstack_core::verdict::Verdict;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::failure::{Failure, Status, store_failure};
use crate::ops::unlock::{Held, look};
use crate::report::timeline::Report;
use crate::session::Session;

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It holds the lock, and its lease has not run out: it is at work, or died within the last minute.
    Running,
    /// It ended, and each step that it began is done.
    Done,
    /// It ended, and steps failed.
    Failed,
    /// It was killed, also after its last step, or another run took over from it. A later run of the same command goes on where
    /// it stopped.
    CutOff,
    /// Its journal does not say when it began or ended.
    NotKnown,
}

impl RunState {
    fn of(told: &Told, holder: Option<&str>, folder: &Folder) -> Self {
        // Its report is the last that it writes. A failback may have a first part, which writes none.
        let owes_report = told.purpose.as_deref() == Some("failover");
        let failed = told.count(|it| matches!(it, StepEnd::Failed(_)));
        match (told.started, told.ended) {
            _ if holder == Some(folder.run.as_str()) => Self::Running,
            (Some(_), Some(_)) if owes_report && !folder.has_report => Self::CutOff,
            (Some(_), Some(_)) if failed > 0 => Self::Failed,
            (Some(_), Some(_)) => Self::Done,
            (Some(_), None) => Self::CutOff,
            // Its first line comes before its first call.
            (None, None) if told.unreadable == 0 && told.steps.is_empty() => Self::CutOff,
            (None, _) => Self::NotKnown,
        }
    }

    /// Its name on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::CutOff => "cut off",
            Self::NotKnown => "not known",
        }
    }
}

/// A past run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PastRun {
    /// The run.
    pub run: String,
    /// The command: `apply`, `sync`, `failover`, `failback` or `destroy`; null if its journal does not say it.
    pub purpose: Option<String>,
    /// How it stands.
    pub state: RunState,
    /// Start time, or null.
    pub started: Option<Timestamp>,
    /// End time; null if it was cut off or is running.
    pub ended: Option<Timestamp>,
    /// Number of steps in its plan, or null.
    pub steps: Option<usize>,
    /// Steps that are done, also with less than the stack wants.
    pub done: usize,
    /// Steps that failed.
    pub failed: usize,
    /// Steps whose call was begun, and of which nothing more is known.
    pub begun: usize,
    /// The verdict on a failover; null for anything else, and where its report cannot be read.
    pub verdict: Option<Verdict>,
    /// Time in seconds until the region served, by its report; or null.
    pub recovery_seconds: Option<f64>,
    /// The report of a failover or a failback.
    #[serde(skip)]
    pub report: Option<Report>,
    /// Its journal.
    #[serde(skip)]
    pub told: Told,
}

/// Returns the `last` runs of the stack of `session`, the newest first, and how many there are.
///
/// # Errors
/// Returns the error of the control bucket.
pub async fn runs(session: &Session, last: usize) -> Result<(Vec<PastRun>, usize), Failure> {
    let all = folders(&*session.store).await.map_err(|error| store_failure(&error))?;
    let newest: Vec<&Folder> = all.iter().rev().take(last).collect();
    Ok((read(session, &newest).await?, all.len()))
}

/// Returns the run whose name begins with `name`.
///
/// # Errors
/// Returns an error if there is no such run, or that of the control bucket.
pub async fn run(session: &Session, name: &str) -> Result<PastRun, Failure> {
    let all = folders(&*session.store).await.map_err(|error| store_failure(&error))?;
    // The times in a name are unique enough that nobody types the end.
    let mut fitting = all.iter().filter(|it| it.run.starts_with(name));
    let folder = match (fitting.next(), fitting.next()) {
        (Some(one), None) => one,
        (first, second) => {
            let message = match (first, second) {
                (Some(_), Some(_)) => format!("several runs begin with `{name}`"),
                _ => format!("`{}` has no run `{name}`", session.stack.facts.control),
            };
            return Err(Failure::new(Status::Usage, message, "`drstack runs STACK --last 100` lists them"));
        }
    };
    let mut all = read(session, &[folder]).await?;
    // One was asked for.
    Ok(all.remove(0))
}

async fn read(session: &Session, all: &[&Folder]) -> Result<Vec<PastRun>, Failure> {
    let holder = match look(session).await? {
        Held::By { holder, is_alive: true } => Some(holder.run),
        Held::By { .. } | Held::Free | Held::Broken(_) => None,
    };
    let names: Vec<&str> = all.iter().map(|it| it.run.as_str()).collect();
    let journals = told(&*session.store, &names).await.map_err(|error| store_failure(&error))?;
    let mut runs = Vec::new();
    for (folder, told) in all.iter().zip(journals) {
        let report = match folder.has_report {
            true => kept_report(session, &folder.run).await?,
            false => None,
        };
        runs.push(PastRun {
            run: folder.run.clone(),
            purpose: told.purpose.clone(),
            state: RunState::of(&told, holder.as_deref(), folder),
            started: told.started,
            ended: told.ended,
            steps: told.planned,
            done: told.count(|it| matches!(it, StepEnd::Done(_) | StepEnd::Degraded(_))),
            failed: told.count(|it| matches!(it, StepEnd::Failed(_))),
            begun: told.count(|it| matches!(it, StepEnd::Begun)),
            verdict: report.as_ref().and_then(|it| it.verdict),
            recovery_seconds: report.as_ref().and_then(|it| it.recovery_seconds),
            report,
            told,
        });
    }
    Ok(runs)
}

async fn kept_report(session: &Session, run: &str) -> Result<Option<Report>, Failure> {
    let key = format!("runs/{run}/report.json");
    let Some((body, _)) = session.store.get(&key).await.map_err(|error| store_failure(&error))? else {
        return Ok(None);
    };
    match serde_json::from_slice(&body) {
        Ok(report) => Ok(Some(report)),
        Err(error) => {
            session.warn(&format!("`{key}` cannot be read: {}", plain(&error.to_string())));
            Ok(None)
        }
    }
}
