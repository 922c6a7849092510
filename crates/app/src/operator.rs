//! The operator's port: it receives results and events, and approves changes.

use std::collections::BTreeSet;

use drstack_core::address::ComponentAddress;
use drstack_core::diagnostic::{Diagnostic, Sources, render};
use drstack_core::engine::event::Event;
use drstack_core::engine::execute::RunSummary;
use drstack_core::facts::Moved;
use drstack_core::kind::KindRegistry;
use drstack_core::objective::Mode;
use drstack_core::plan::{ForAPerson, Intent, Plan, StepId};
use drstack_core::stack::Stack;
use drstack_core::verdict::{Evidence, Verdict};
use jiff::Timestamp;

use crate::failure::Failure;
use crate::planned::{PlanOutcome, Rehearsed};
use crate::readiness::Readiness;
use crate::report::data::Data;
use crate::report::timeline::Report;

/// Guard of a progress indicator, which the operator shows until the guard is dropped.
pub type Busy = Box<dyn Send>;

/// The person or pipeline that an operation works for: a user at a terminal, a pipeline, a test.
///
/// `tell`, `approve` and `page` are required. The other methods report progress, which an operator
/// may ignore.
pub trait Operator: Send + Sync {
    /// Reports progress or context; quiet mode may hide it.
    fn note(&self, _text: &str) {}
    /// Reports a warning, also in quiet mode.
    fn warn(&self, _text: &str) {}
    /// Shows that something takes a while, until the returned guard is dropped.
    fn busy(&self, _text: String) -> Busy {
        Box::new(())
    }
    /// Reports a result.
    fn tell(&self, news: News<'_>);
    /// Receives the plan that a run is about to execute.
    fn begin(&self, _planned: &PlanOutcome) {}
    /// Receives an event of a run.
    fn hear(&self, _event: &Event) {}
    /// Shows the problems of a stack and returns them as text.
    fn diagnose(&self, problems: &[Diagnostic], sources: &Sources) -> String {
        render(problems, sources, false)
    }
    /// Asks for approval before an operation changes anything.
    ///
    /// # Errors
    /// The answer was not yes, or there is no terminal to ask on.
    fn approve(&self, question: &str) -> Result<(), Failure>;
    /// Renders the report of a change of mode as Markdown, for the control bucket.
    fn page(&self, report: &Report) -> String;
}

/// The command that fails over while the primary does not answer.
#[derive(Clone, Debug)]
pub struct WayOut {
    /// The command, as an operator types it.
    pub command: String,
    /// True if it asks which stack is meant: the files say something else than what was applied, and
    /// no key vouches for that.
    pub is_asked: bool,
}

/// A result of an operation, or a part of one.
pub enum News<'a> {
    /// A plan to show.
    Plan {
        /// The stack.
        stack: &'a Stack,
        /// Risks of the environment if the primary is lost, one sentence each.
        warnings: Vec<String>,
        /// The plan.
        planned: &'a PlanOutcome,
        /// The intent of the plan.
        intent: Intent,
        /// The command that fails over, where that is a way on.
        failover: Option<WayOut>,
    },
    /// What moved in the primary since it was last captured.
    Moved {
        /// The facts that moved.
        moved: &'a [Moved],
        /// The primary region.
        primary: &'a str,
    },
    /// The steps that a sync leaves to a person.
    ForAPerson(&'a [ForAPerson]),
    /// Whether the stack could fail over now.
    Readiness {
        /// The stack.
        stack: &'a Stack,
        /// What was looked at.
        planned: &'a PlanOutcome,
        /// What was found.
        readiness: &'a Readiness,
        /// When it was looked at.
        now: Timestamp,
    },
    /// The calls that the steps of a plan may make.
    Calls(&'a Plan, &'a KindRegistry),
    /// The failover as the last apply rehearsed it.
    Rehearsed(&'a Rehearsed),
    /// Components that a failover adds to the named ones, since the named ones need them first.
    Along {
        /// The named component.
        component: &'a ComponentAddress,
        /// The components that it needs.
        needs: &'a [&'a ComponentAddress],
    },
    /// The backlog of replication before a planned failover.
    Backlog {
        /// All data that the planned failover waits for.
        data: &'a [Data],
        /// When the backlog was read.
        now: Timestamp,
    },
    /// News of the backlog while a planned failover waits for it.
    Draining {
        /// All data that the planned failover waits for.
        data: &'a [Data],
        /// Indices of `data` that changed since the last news.
        changed: &'a [usize],
        /// When the backlog was read.
        now: Timestamp,
    },
    /// Replication has delivered everything.
    Drained {
        /// The standby region.
        standby: &'a str,
        /// When the empty backlog was read.
        now: Timestamp,
        /// Data that was not waited for.
        left: &'a [String],
    },
    /// The differences between the two regions since a failover.
    Divergence {
        /// Both sides of all data that is kept in both regions.
        data: &'a [Data],
        /// Restored data, which exists in the standby region only.
        apart: &'a [String],
        /// Facts of the primary that changed since the failover.
        moved: &'a [Moved],
        /// The primary region.
        primary: &'a str,
        /// The standby region.
        standby: &'a str,
        /// When the standby region began to serve, if known.
        since: Option<Timestamp>,
        /// True if the failover is complete.
        complete: bool,
    },
    /// The primary serves, so there is nothing to fail back from.
    PrimaryServes(&'a str),
    /// The standby region already serves, after a complete failover.
    StandbyServes {
        /// The standby region.
        standby: &'a str,
        /// The verdict on that failover.
        verdict: Verdict,
        /// The evidence for the verdict.
        evidence: &'a Evidence,
    },
    /// The first phase of a failback follows.
    FirstPhase,
    /// A run has ended.
    Finished {
        /// The purpose of the run.
        run: Run,
        /// The plan that it executed.
        plan: &'a Plan,
        /// The result of each step.
        summary: &'a RunSummary,
        /// Number of items that were blocked, so that the plan has no step for them.
        blocked: usize,
    },
    /// The report of a change of mode.
    Report {
        /// The report.
        report: &'a Report,
        /// The evidence for its verdict.
        evidence: &'a Evidence,
    },
    /// A step failed. Steps that do not depend on it went on.
    StepFailed {
        /// The step.
        address: &'a str,
        /// The error.
        message: String,
        /// What a check's command wrote, for the screen alone.
        output: Option<&'a str>,
        /// The hint.
        hint: String,
    },
    /// Traffic was held back, because a step that it waits for failed.
    Held {
        /// The plan.
        plan: &'a Plan,
        /// The kinds of its steps.
        kinds: &'a KindRegistry,
        /// Each held step, with the step whose failure holds it.
        held: &'a [(StepId, StepId)],
        /// Components with nothing in service, which no operator goes without.
        empty: BTreeSet<ComponentAddress>,
        /// The command that goes on with the change of mode.
        again: &'a str,
    },
    /// The operator stated which region serves, and drstack recorded it.
    ModeRecorded {
        /// The mode.
        mode: Mode,
        /// The region that serves.
        region: &'a str,
        /// The epoch.
        epoch: u64,
    },
    /// The control bucket with this name was deleted.
    ControlDeleted(&'a str),
}

/// The purpose of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// Makes the standby region match the stack.
    Apply,
    /// Brings the standby region in line with the primary.
    Sync,
    /// Deletes what the stack owns.
    Destroy,
    /// Moves to the standby region.
    Failover,
    /// The first phase of a failback: the standby region keeps all traffic.
    FirstPhase,
    /// Moves back to the primary region.
    Failback,
}
