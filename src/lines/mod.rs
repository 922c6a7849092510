//! The JSON lines of `--json`: one type per line, from which their schema is generated.
//!
//! The doc comments here and on the types of core and app that are part of a line become the
//! descriptions of `schemas/events.schema.json`. A field that is left out where it has no value is
//! never null: `schemars(with)` says so. A field that came later than its line is always written,
//! and the schema does not require it: recorded lines of an earlier version stay valid.

mod plan;
mod program;
pub(crate) mod schema;
mod stack;
mod state;

use drstack_app::ops::runs::PastRun;
use drstack_app::readiness::{ComponentState, Finding};
use drstack_app::report::data::Data;
use drstack_app::report::timeline::Report;
use drstack_core::engine::event::Event;
use drstack_core::facts::Moved;
use drstack_core::plan::ForAPerson;
use drstack_core::remark::Remark;
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use plan::{
    AlongLine, ComponentForecastLine, ForecastLine, GateLine, OrderLine, PlanFileLine, PlanLine, PostureLine,
    RehearsedLine, RehearsedStepLine, StepLine,
};
pub(crate) use program::{
    ComponentLine, DiscoveredLine, DiscoveredState, ErrorLine, ExplanationLine, ResourceLine, WrittenLine,
};
pub(crate) use stack::{
    DiagnosticLine, EdgeLine, GraphLine, NodeLine, OutputLine, OutputValue, SourcePlace, StackLine, ValidLine,
};
pub(crate) use state::{
    BacklogLine, ControlDeletedLine, KeyLine, LockLine, LockState, ModeRecordedLine, PastStepLine,
    PastStepState, StatusLine,
};

/// Version of the JSON lines; rises when a field changes its meaning.
const VERSION: u32 = 2;

/// What `--json` writes to stdout, one object a line. `version` rises when a field changes its
/// meaning; new types and fields do not raise it.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Line<'a> {
    // A line's description is that of its type, or the variant's where the type has other uses too.
    Step(StepLine<'a>),
    Gate(GateLine<'a>),
    Order(OrderLine<'a>),
    Along(AlongLine<'a>),
    /// Something that cannot be done now; the run ends with exit code 1.
    Blocked(&'a Remark),
    /// Something that stays although the stack no longer wants it.
    Kept(&'a Remark),
    /// Something that exists and is not ready yet.
    Waiting(&'a Remark),
    /// Something to know.
    Note(&'a Remark),
    Posture(PostureLine),
    PlanFile(PlanFileLine<'a>),
    Plan(PlanLine<'a>),
    /// Something that happened while the plan was executed; `event` says what.
    Event(&'a Event),
    Diagnostic(DiagnosticLine<'a>),
    Error(ErrorLine<'a>),
    /// A fact of the primary that changed since it was last captured.
    Moved(&'a Moved),
    /// A step that a sync leaves to a person.
    ForAPerson(&'a ForAPerson),
    /// One thing that `status` found.
    Finding(&'a Finding),
    /// How a component stands, by `status`.
    ComponentState(&'a ComponentState),
    Status(StatusLine<'a>),
    /// A past run, by `runs`.
    PastRun(&'a PastRun),
    PastStep(PastStepLine<'a>),
    Valid(ValidLine<'a>),
    Written(WrittenLine),
    Discovered(DiscoveredLine<'a>),
    Rehearsed(RehearsedLine<'a>),
    /// How a failover or a failback went; the control bucket keeps the same as
    /// `runs/RUN/report.json`.
    Report(&'a Report),
    Backlog(BacklogLine<'a>),
    /// How the two sides of one bucket or table compare before a failback.
    Divergence(&'a Data),
    Lock(LockLine<'a>),
    Key(KeyLine),
    ControlDeleted(ControlDeletedLine<'a>),
    ModeRecorded(ModeRecordedLine),
    Graph(GraphLine<'a>),
    Stack(StackLine<'a>),
    Output(OutputLine<'a>),
    Explanation(ExplanationLine<'a>),
    Component(ComponentLine<'a>),
    Resource(ResourceLine<'a>),
}

/// A line as it is written: the version, then the line.
#[derive(Serialize)]
struct Versioned<'a> {
    version: u32,
    #[serde(flatten)]
    line: &'a Line<'a>,
}

impl Line<'_> {
    /// Returns the line as JSON, without a line end.
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(&Versioned { version: VERSION, line: self })
    }
}
