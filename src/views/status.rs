//! Whether a stack could fail over now, on one screen and as JSON lines.

use std::fmt::Write;
use std::time::Duration;

use drstack_app::planned::PlanOutcome;
use drstack_app::readiness::{Check, ComponentState, Finding, Readiness, Weight};
use drstack_core::component::StackFacts;
use drstack_core::objective::Mode;
use drstack_core::plan_file::PlanHead;
use drstack_core::text::plain;
use jiff::Timestamp;

use super::color::{GREEN, RED, YELLOW, paint};
use super::{count, data, duration, forecast, head};
use crate::lines::{Line, StatusLine};
use crate::ui::Ui;

/// Findings that fit on a screen; JSON has all.
const SHOWN: usize = 20;

/// Components in line that are listed beside the others; a larger stack has their number.
const LISTED: usize = 40;

/// What nothing measures yet, so that no verdict rests on it.
const NOT_LOOKED_AT: &str = "Not looked at: whether a failover's calls are allowed; whether the region has the capacity on the day.\n";

/// What is compared on request only.
const NOT_COMPARED: &str =
    "Not compared: the data of both regions, and so how much a failover would lose now (`--data` does).\n";

/// A status to show.
pub(crate) struct Shown<'a> {
    /// What it is of.
    pub(crate) head: &'a PlanHead,
    /// What was looked at.
    pub(crate) planned: &'a PlanOutcome,
    /// What was found.
    pub(crate) readiness: &'a Readiness,
    /// When it was looked at.
    pub(crate) now: Timestamp,
}

impl Shown<'_> {
    /// Shows the status, for people and programs.
    pub(crate) fn show(&self, ui: Ui) {
        let Self { head, planned, readiness, .. } = self;
        ui.result(&head::text(head));
        ui.line(&Line::Stack(head::line(head)));
        ui.result(&self.verdict());
        ui.result(&findings(&readiness.findings));
        ui.result(&components(&readiness.components));
        if let Some(data) = &readiness.data {
            let StackFacts { primary, standby, .. } = &head.facts;
            ui.result("Data of both regions:\n");
            ui.result(&data::divergence(data, &[], primary, standby));
            data.iter().for_each(|it| ui.line(&Line::Divergence(it)));
        }
        readiness.findings.iter().for_each(|it| ui.line(&Line::Finding(it)));
        readiness.components.iter().for_each(|it| ui.line(&Line::ComponentState(it)));
        let is_whole = planned.report.blocked.is_empty();
        let failover = head.failover.as_ref().filter(|_| head.rehearsed);
        if let Some(failover) = failover.filter(|_| is_whole) {
            let is_restored = readiness.findings.iter().any(|it| it.check == Check::Restored);
            let when = match readiness.not_ready {
                0 => "A failover now",
                // Once that is deleted, the next one restores it from an export, which takes far longer.
                _ if is_restored => "A failover that serves what an earlier one restored",
                _ => "A failover once all of this is mended",
            };
            ui.result(&forecast::failover(failover, when));
        }
        ui.result(&self.bundle());
        if head.standing.mode == Mode::Standby {
            if readiness.data.is_none() {
                ui.result(NOT_COMPARED);
            }
            ui.result(NOT_LOOKED_AT);
        }
        let forecast = failover.map(|it| forecast::line(it, is_whole));
        ui.line(&Line::Status(StatusLine { readiness, forecast }));
    }

    /// Says in a line whether it is ready.
    fn verdict(&self) -> String {
        let (verdict, why) = verdict(self.readiness);
        let tone = match (self.readiness.not_ready, self.readiness.unknown) {
            (0, 0) => GREEN,
            (0, _) => YELLOW,
            _ => RED,
        };
        format!("\n{}: {why}\n", paint(tone, verdict))
    }

    /// Says what a failover works from.
    fn bundle(&self) -> String {
        let Some(bundle) = &self.readiness.bundle else { return String::new() };
        let age = duration(self.now.duration_since(bundle.at).unsigned_abs());
        let signed = match &bundle.signed_by {
            Some(key) => format!("signed by {}", plain(key)),
            None => "not signed".to_owned(),
        };
        format!("Bundle: published {:.0}, {age} ago, by run {}, {signed}.\n", bundle.at, plain(&bundle.run))
    }
}

/// Returns the verdict, and a sentence that says what it rests on.
pub(super) fn verdict(readiness: &Readiness) -> (&'static str, String) {
    let Readiness { not_ready, unknown, .. } = readiness;
    let unseen = || format!("{} could not be looked at", count(*unknown, "thing"));
    match (not_ready, unknown) {
        (0, 0) => ("READY", "nothing was found that a failover would lack.".to_owned()),
        (0, _) => ("NOT KNOWN", format!("{}.", unseen())),
        (many, 0) => ("NOT READY", format!("{}.", count(*many, "finding"))),
        (many, _) => ("NOT READY", format!("{}, and {}.", count(*many, "finding"), unseen())),
    }
}

/// Lists the findings, the heaviest first, and what is only to be known apart.
fn findings(all: &[Finding]) -> String {
    let mut out = String::new();
    for (title, is_note) in [("", false), ("\nTo know:\n", true)] {
        let of: Vec<&Finding> = all.iter().filter(|it| (it.weight == Weight::Note) == is_note).collect();
        if of.is_empty() {
            continue;
        }
        out.push_str(title);
        let shown = &of[..of.len().min(SHOWN)];
        // Findings that the same command mends share its line.
        for group in shown.chunk_by(|one, other| one.next == other.next) {
            for it in group {
                let unknown = if it.weight == Weight::Unknown { "not known: " } else { "" };
                let _ = writeln!(out, "  {}: {unknown}{}", plain(&it.address), plain(&it.text));
            }
            if let Some(next) = group.first().and_then(|it| it.next.as_ref()) {
                let _ = writeln!(out, "      run `{next}`");
            }
        }
        if of.len() > SHOWN {
            let _ = writeln!(out, "  and {} more (`--json` has all)", of.len() - SHOWN);
        }
    }
    out
}

/// Draws the table of the components.
fn components(all: &[ComponentState]) -> String {
    let shown: Vec<&ComponentState> = match all.len() > LISTED {
        true => all.iter().filter(|it| it.check.is_some()).take(LISTED).collect(),
        false => all.iter().collect(),
    };
    let mut rows = vec![["COMPONENT", "POSTURE", "SERVES AFTER", "STATE"].map(str::to_owned)];
    rows.extend(
        shown.iter().map(|it| [it.address.to_string(), it.posture.name().to_owned(), serves(it), state(it)]),
    );
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or_default();
    let [address, posture, after] = [0, 1, 2].map(width);
    let mut out = String::from("\n");
    for [a, p, s, state] in &rows {
        let _ = writeln!(out, "{a:<address$}  {p:<posture$}  {s:<after$}  {state}");
    }
    if shown.len() < all.len() {
        let _ = writeln!(out, "and {} more (`--json` has all)", count(all.len() - shown.len(), "component"));
    }
    out.push('\n');
    out
}

/// Returns when it would serve.
pub(super) fn serves(it: &ComponentState) -> String {
    let serves = it.serves_seconds.and_then(|it| Duration::try_from_secs_f64(it).ok());
    serves.map_or_else(|| "-".to_owned(), duration)
}

pub(super) fn state(it: &ComponentState) -> String {
    match (it.check, it.weight) {
        (Some(_), Some(Weight::Unknown)) => "not known".to_owned(),
        (Some(check), _) => check.name(),
        (None, _) => "in line".to_owned(),
    }
}
