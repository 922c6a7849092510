//! The operator: hears what goes on, and decides.

use drstack_core::address::ComponentAddress;
use drstack_core::diagnostic::{Diagnostic, Sources, render};
use drstack_core::engine::event::Event;
use drstack_core::engine::execute::RunSummary;
use drstack_core::kind::KindRegistry;
use drstack_core::objective::Mode;
use drstack_core::plan::{Intent, Plan, StepId};
use drstack_core::stack::Stack;
use drstack_core::verdict::{Evidence, Verdict};
use jiff::Timestamp;

use crate::failure::Failure;
use crate::planned::{PlanOutcome, Rehearsed};
use crate::report::data::Data;
use crate::report::timeline::Report;

/// A sign of life: it is shown until this is dropped.
pub type Busy = Box<dyn Send>;

/// The person or program that an operation works for: someone at a terminal, a pipeline, a test.
///
/// `tell`, `approve` and `page` are required; the rest is what happens on the way, which an operator may ignore.
pub trait Operator: Send + Sync {
    /// Something to know on the way.
    fn note(&self, _text: &str) {}
    /// Something to know, also in quiet mode.
    fn warn(&self, _text: &str) {}
    /// Something goes on that takes a while.
    fn busy(&self, _text: String) -> Busy {
        Box::new(())
    }
    /// Something has come to a result.
    fn tell(&self, news: News<'_>);
    /// Something happened in a run.
    fn hear(&self, _event: &Event) {}
    /// Shows what is wrong with a stack and returns it as text.
    fn diagnose(&self, problems: &[Diagnostic], sources: &Sources) -> String {
        render(problems, sources, false)
    }
    /// Asks before something is changed.
    ///
    /// # Errors
    /// The answer was not yes, or there is no terminal to ask on.
    fn approve(&self, question: &str) -> Result<(), Failure>;
    /// The page about a change of mode that is kept in the control bucket, as Markdown.
    fn page(&self, report: &Report) -> String;
}

/// A result, or a part of one.
pub enum News<'a> {
    /// A plan is to be looked at.
    Plan {
        /// The stack.
        stack: &'a Stack,
        /// What may go wrong in the environment on the day the primary is lost, one sentence each.
        warnings: Vec<String>,
        /// It.
        planned: &'a PlanOutcome,
        /// What it was asked for.
        intent: Intent,
    },
    /// The calls that the steps of a plan may make.
    Calls(&'a Plan, &'a KindRegistry),
    /// What the last apply expected of a failover.
    Rehearsed(&'a Rehearsed),
    /// Components that come along with one that fails over, since it needs them first.
    Along {
        /// The one.
        component: &'a ComponentAddress,
        /// What it needs.
        needs: &'a [&'a ComponentAddress],
    },
    /// What replication has yet to bring, before a planned failover.
    Backlog {
        /// All data that is waited for.
        data: &'a [Data],
        /// When it was looked at.
        now: Timestamp,
    },
    /// The same while a planned failover waits for it.
    Draining {
        /// All data that is waited for.
        data: &'a [Data],
        /// Those of `data` of which there is news.
        changed: &'a [usize],
        /// When it was looked at.
        now: Timestamp,
    },
    /// Replication has brought everything.
    Drained {
        /// Where to.
        standby: &'a str,
        /// When that was seen.
        now: Timestamp,
    },
    /// What has gone apart in the two regions since a failover.
    Divergence {
        /// Both sides of all data that is kept in both regions.
        data: &'a [Data],
        /// Restored data, which stands in the standby region alone.
        apart: &'a [String],
        /// Facts of the primary that changed meanwhile.
        moved: &'a [String],
        /// The primary region.
        primary: &'a str,
        /// The standby region.
        standby: &'a str,
        /// Since when the standby region has served, where that is known.
        since: Option<Timestamp>,
    },
    /// The primary serves: there is nothing to fail back from.
    PrimaryServes(&'a str),
    /// The standby region serves already: an earlier failover has come to its end.
    StandbyServes {
        /// Which.
        standby: &'a str,
        /// What that comes to.
        verdict: Verdict,
        /// What the verdict follows from.
        evidence: &'a Evidence,
    },
    /// The first phase of a failback follows.
    FirstPhase,
    /// A run has ended.
    Finished {
        /// What it was for.
        run: Run,
        /// What it executed.
        plan: &'a Plan,
        /// How it went.
        summary: &'a RunSummary,
    },
    /// How a change of mode went.
    Report {
        /// How.
        report: &'a Report,
        /// What its verdict follows from.
        evidence: &'a Evidence,
    },
    /// A step failed; the others went on.
    StepFailed {
        /// The step.
        address: &'a str,
        /// Why.
        message: String,
        /// What to do.
        hint: String,
    },
    /// Traffic has not moved, since something that it waits for failed.
    Held {
        /// The plan.
        plan: &'a Plan,
        /// The kinds of its steps.
        kinds: &'a KindRegistry,
        /// What was held, and the step that failed.
        held: &'a [(StepId, StepId)],
        /// What goes on with it.
        again: &'a str,
    },
    /// Which region serves is recorded anew.
    ModeRecorded {
        /// The mode.
        mode: Mode,
        /// The region that serves.
        region: &'a str,
        /// The epoch.
        epoch: u64,
    },
    /// The control bucket is gone.
    ControlDeleted(&'a str),
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// Makes the standby region match the stack.
    Apply,
    /// Deletes what the stack owns.
    Destroy,
    /// Moves to the standby region.
    Failover,
    /// The first phase of a failback: the standby region keeps all traffic.
    FirstPhase,
    /// Moves back to the primary region.
    Failback,
}
