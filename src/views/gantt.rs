//! Shows when each step ran: the critical path in a sentence, and all steps as a chart.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use drstack_core::engine::event::{Event, Outcome};
use drstack_core::plan::{Plan, StepId};
use tokio::time::Instant;

use super::duration;
use super::svg::escape;

/// Width of the time axis, in pixels.
const AXIS: f64 = 760.0;
const CHAR: usize = 7;
const ROW: usize = 18;
const BAR: usize = 12;
const MARGIN: usize = 16;
/// Steps that the sentence names. The chart shows all.
const NAMED: usize = 6;
/// Waits for a slot that are too short to be named: the time of a few writes of the journal.
const UNNAMED: Duration = Duration::from_secs(1);

/// Start and end of a step, from the beginning of the run.
struct Timed {
    start: Duration,
    end: Duration,
    done: bool,
}

/// Start and end of all steps.
pub(crate) struct Timings {
    begin: Instant,
    steps: BTreeMap<StepId, Timed>,
}

impl Timings {
    /// Creates the timings of a run that begins now.
    pub(crate) fn new() -> Self {
        Self { begin: Instant::now(), steps: BTreeMap::new() }
    }

    /// Records when a step began or ended.
    pub(crate) fn hear(&mut self, event: &Event) {
        let now = self.begin.elapsed();
        match event {
            Event::StepStarted { step, .. } => {
                self.steps.insert(*step, Timed { start: now, end: now, done: false });
            }
            Event::StepFinished { step, outcome, .. } => {
                if let Some(timed) = self.steps.get_mut(step) {
                    (timed.end, timed.done) = (now, *outcome == Outcome::Done);
                }
            }
            _ => {}
        }
    }

    /// Returns the steps that decided how long the run took, first to last: before each step the
    /// one that it waited for.
    fn longest(&self, plan: &Plan) -> Vec<StepId> {
        let last = |ids: &mut dyn Iterator<Item = StepId>| {
            ids.filter(|id| self.steps.contains_key(id)).max_by_key(|id| self.steps[id].end)
        };
        let mut path = Vec::new();
        let mut at = last(&mut self.steps.keys().copied());
        while let Some(id) = at {
            path.push(id);
            at = last(&mut plan.before(id));
        }
        path.reverse();
        path
    }

    /// Describes the critical path in a sentence; `None` for a run of one step.
    pub(crate) fn sentence(&self, plan: &Plan) -> Option<String> {
        let path = self.longest(plan);
        let last = path.last()?;
        if self.steps.len() < 2 {
            return None;
        }
        let took = |id: &StepId| duration(self.steps[id].end.saturating_sub(self.steps[id].start));
        let mut ready = Duration::ZERO;
        let mut named: Vec<String> = Vec::new();
        let mut queued = Duration::ZERO;
        for id in &path {
            // A step that may start waits for nothing but a slot.
            let wait = self.steps[id].start.saturating_sub(ready);
            let waited = (wait >= UNNAMED).then(|| format!("{} for a slot, ", duration(wait)));
            queued += wait;
            ready = self.steps[id].end;
            named.push(format!("{} ({}{})", plan.steps[*id].address, waited.unwrap_or_default(), took(id)));
        }
        if named.len() > NAMED {
            let left_out = named.len() - NAMED;
            named.splice(NAMED / 2..named.len() - NAMED / 2, [format!("{left_out} more")]);
        }
        let whole = duration(self.steps[last].end);
        let queued = (queued >= UNNAMED).then(|| format!(" ({} of it for slots)", duration(queued)));
        Some(format!("Critical path, {whole}{}: {}.\n", queued.unwrap_or_default(), named.join(" -> ")))
    }

    /// Draws one bar per step in the order in which they began. Those on the critical path are
    /// dark.
    pub(crate) fn svg(&self, plan: &Plan) -> String {
        let longest = self.longest(plan);
        let mut order: Vec<StepId> = self.steps.keys().copied().collect();
        order.sort_by_key(|id| (self.steps[id].start, *id));
        let names = order.iter().map(|id| plan.steps[*id].address.as_str().len()).max().unwrap_or(0) * CHAR;
        let end = self.steps.values().map(|it| it.end).max().unwrap_or_default();
        let scale = AXIS / end.as_secs_f64().max(f64::MIN_POSITIVE);
        let left = MARGIN + names + MARGIN;
        let (width, height) = (left as f64 + AXIS + 90.0, MARGIN * 3 + order.len() * ROW);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height}\" font-family=\"monospace\" font-size=\"11\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        );
        for (row, id) in order.iter().enumerate() {
            let timed = &self.steps[id];
            let (top, took) = (MARGIN + row * ROW, timed.end.saturating_sub(timed.start));
            let x = left as f64 + timed.start.as_secs_f64() * scale;
            let bar = (took.as_secs_f64() * scale).max(1.0);
            let fill = match (timed.done, longest.contains(id)) {
                (false, _) => "#c0392b",
                (true, true) => "#1f4e79",
                (true, false) => "#9dc3e6",
            };
            let (base, name) = (top + BAR - 2, escape(plan.steps[*id].address.as_str()));
            let _ = writeln!(
                out,
                "<text x=\"{MARGIN}\" y=\"{base}\">{name}</text><rect x=\"{x:.1}\" y=\"{top}\" width=\"{bar:.1}\" height=\"{BAR}\" fill=\"{fill}\"/>\
                 <text x=\"{:.1}\" y=\"{base}\" fill=\"#555\">{}</text>",
                x + bar + 4.0,
                duration(took)
            );
        }
        let base = height - MARGIN / 2;
        let _ = writeln!(
            out,
            "<text x=\"{MARGIN}\" y=\"{base}\" fill=\"#555\">dark: critical path; red: not done; {} in all</text>",
            duration(end)
        );
        out + "</svg>\n"
    }
}

#[cfg(test)]
mod tests {
    use drstack_core::address::Address;
    use drstack_core::kind::{Action, Place};
    use drstack_core::plan::Step;

    use super::*;

    fn step(name: &str, needs: Vec<StepId>) -> Step {
        Step {
            address: Address::parse(&format!("x.x/{name}")).unwrap(),
            kind: String::new(),
            place: Place::Standby,
            region: String::new(),
            action: Action::Create,
            reason: String::new(),
            changes: Vec::new(),
            spec: serde_json::Value::Null,
            id: None,
            needs,
            after: Vec::new(),
            replaces: false,
            estimate: 0.0,
            raise: None,
            token: String::new(),
            tier: 2,
        }
    }

    #[test]
    fn the_longest_way_leads_back_from_what_ended_last() {
        let plan = Plan {
            steps: vec![step("slow", vec![]), step("fast", vec![]), step("last", vec![0, 1])],
            ..Plan::default()
        };
        let mut timings = Timings::new();
        let seconds = Duration::from_secs;
        for (id, start, end) in [(0, 0, 5), (1, 0, 1), (2, 5, 7)] {
            timings.steps.insert(id, Timed { start: seconds(start), end: seconds(end), done: true });
        }
        assert_eq!(timings.longest(&plan), [0, 2]);
        assert_eq!(
            timings.sentence(&plan).unwrap(),
            "Critical path, 7.0s: x.x/slow (5.0s) -> x.x/last (2.0s).\n"
        );
        // With one slot, `last` waits for it although nothing that it needs is left.
        for (id, start, end) in [(0, 3, 8), (1, 0, 3), (2, 60, 62)] {
            timings.steps.insert(id, Timed { start: seconds(start), end: seconds(end), done: true });
        }
        assert_eq!(
            timings.sentence(&plan).unwrap(),
            "Critical path, 1m 2s (55s of it for slots): x.x/slow (3.0s for a slot, 5.0s) -> x.x/last (52s for a slot, 2.0s).\n"
        );
        let chart = timings.svg(&plan);
        assert_eq!(chart.matches("#1f4e79").count(), 2, "{chart}");
        assert_eq!(chart.matches("#9dc3e6").count(), 1, "{chart}");
    }
}
