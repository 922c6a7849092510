//! A takeover as a timeline: for people, as Markdown and as JSON.

use std::fmt::Write;
use std::time::Duration;

use drstack_core::control::lock::FAILOVER;
use drstack_core::verdict::{Pool, Verdict};
use jiff::Timestamp;
use serde::Serialize;

use super::data::Data;
use super::{count, duration};

/// When what happened. Moments that did not come, or that nothing stands for, are none.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Clock {
    /// The outage was noticed: as the operator says, else when the command was started.
    pub(crate) detected: Option<Timestamp>,
    /// Somebody said yes.
    pub(crate) decided: Option<Timestamp>,
    /// Nothing was left to replicate: a planned takeover waits for that.
    pub(crate) drained: Option<Timestamp>,
    /// The first step began.
    pub(crate) started: Option<Timestamp>,
    /// All instances that are wanted serve.
    pub(crate) capacity: Option<Timestamp>,
    /// The last check holds.
    pub(crate) checked: Option<Timestamp>,
    /// Traffic has moved.
    pub(crate) traffic: Option<Timestamp>,
    /// The run ended.
    pub(crate) done: Option<Timestamp>,
}

/// How a takeover, or a handing back, went. Holds addresses, times and counts.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// The stack.
    pub(crate) stack: String,
    /// `failover` or `failback`.
    pub(crate) purpose: &'static str,
    /// The run.
    pub(crate) run: String,
    /// The region that serves from now on.
    pub(crate) region: String,
    /// Rises at each change of mode.
    pub(crate) epoch: u64,
    /// Whether every step is done.
    pub(crate) complete: bool,
    /// What a failover has come to; none of a failback.
    pub(crate) verdict: Option<Verdict>,
    /// When what happened.
    pub(crate) clock: Clock,
    /// From the detection (of a failback: from the decision; of a planned failover: from when replication had drained) until it serves: until checks pass and traffic has moved, where there are any.
    pub(crate) recovery_seconds: Option<f64>,
    /// For how long a planned takeover did nothing but move traffic share by share, which `recovery_seconds` leaves out: the primary serves
    /// meanwhile.
    pub(crate) ramped_seconds: Option<f64>,
    /// What the stack asks for.
    pub(crate) rto_seconds: Option<i64>,
    /// Data lost: drstack does not measure it yet.
    pub(crate) rpo: &'static str,
    /// Of which moment restored data is.
    pub(crate) restored: Vec<String>,
    /// Instances that served before, and the fewest that did on the way; none where there were no pools.
    pub(crate) in_service: Option<InService>,
    /// What is to serve, and how many instances of it do.
    pub(crate) pools: Vec<Pool>,
    /// What a failback has left on-demand where spot instances are wanted.
    pub(crate) on_demand: Vec<String>,
    /// What is done with less than was wanted.
    pub(crate) degraded: Vec<String>,
    /// Steps that failed, and why.
    pub(crate) failed: Vec<String>,
    /// How old the facts were that it worked from.
    pub(crate) facts_age_seconds: Option<i64>,
    /// How the two sides of the data compared before: of a handing back what had gone apart.
    pub(crate) data: Vec<Data>,
    /// Restored tables, which nobody compared: what was written to them stays where it is.
    pub(crate) not_compared: Vec<String>,
    /// Calls that were refused since they would have left the standby region; always none unless drstack is wrong.
    pub(crate) refused_calls: Vec<String>,
}

/// Instances that serve, over the run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct InService {
    /// When the run began.
    pub(crate) before: u32,
    /// The fewest that were counted.
    pub(crate) fewest: u32,
    /// When it ended.
    pub(crate) after: u32,
}

impl Report {
    /// Whether it took longer than the stack asks for.
    pub(crate) fn missed(&self) -> bool {
        match (self.recovery_seconds, self.rto_seconds) {
            (Some(took), Some(rto)) => took > rto as f64,
            _ => false,
        }
    }

    /// The moments that came, in order, with their names.
    fn moments(&self) -> Vec<(&'static str, Timestamp)> {
        let Clock { detected, decided, drained, started, capacity, checked, traffic, done } = self.clock;
        let all = [
            ("detected", detected),
            ("decided", decided),
            ("replication drained", drained),
            ("started", started),
            ("capacity reached", capacity),
            ("checks passed", checked),
            ("traffic moved", traffic),
            ("done", done),
        ];
        let mut came: Vec<_> = all.into_iter().filter_map(|(name, at)| Some((name, at?))).collect();
        came.sort_by_key(|(_, at)| *at);
        came
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut out = String::from("\n");
        let moments = self.moments();
        let first = moments.first().map(|(_, at)| *at);
        for (name, at) in &moments {
            let since = first.map_or(Duration::ZERO, |first| at.duration_since(first).unsigned_abs());
            let _ = writeln!(out, "  {at:.0}  +{:<8} {name}", duration(since));
        }
        out.push('\n');
        for line in self.sentences() {
            let _ = writeln!(out, "{line}");
        }
        out
    }

    /// The page that is kept in the control bucket.
    pub(crate) fn markdown(&self) -> String {
        let mut out = format!(
            "# {} of `{}`\n\nRun `{}`, epoch {}.\n\n",
            self.purpose, self.stack, self.run, self.epoch
        );
        let _ = writeln!(out, "| when | after | what |\n|---|---:|---|");
        let moments = self.moments();
        let first = moments.first().map(|(_, at)| *at);
        for (name, at) in &moments {
            let since = first.map_or(Duration::ZERO, |first| at.duration_since(first).unsigned_abs());
            let _ = writeln!(out, "| {at:.0} | {} | {name} |", duration(since));
        }
        out.push('\n');
        for line in self.sentences() {
            let _ = writeln!(out, "- {line}");
        }
        out
    }

    /// What it has come to.
    fn first_sentence(&self) -> String {
        let region = &self.region;
        match self.verdict {
            _ if !self.complete => format!("The {} is NOT COMPLETE: what failed is below.", self.purpose),
            None => format!("Handed back to {region} in {}.", self.took()),
            Some(Verdict::Recovered) => format!("Recovered in {}; {}.", self.took(), self.objective()),
            Some(Verdict::Degraded) => format!(
                "Recovered in {} with less than is wanted (DEGRADED, below); {}.",
                self.took(),
                self.objective()
            ),
            Some(Verdict::Capacity) => format!(
                "NOT RECOVERED yet: what the stack wants is in place in {region}, and no check asked whether it answers."
            ),
            Some(Verdict::NothingToDo) => format!("Nothing to do: {region} serves already."),
            Some(Verdict::Partial | Verdict::NotComplete) => {
                let empty = self.pools.iter().filter(|pool| pool.in_service.unwrap_or(0) == 0);
                let empty: Vec<&str> = empty.map(|pool| pool.address.as_str()).collect();
                format!("NOT RECOVERED: nothing in service, or not to be seen: {}.", empty.join(", "))
            }
        }
    }

    fn took(&self) -> String {
        duration(Duration::from_secs_f64(self.recovery_seconds.unwrap_or_default().max(0.0)))
    }

    /// What became of the RTO.
    fn objective(&self) -> String {
        let Some(rto) = self.rto_seconds else { return "the stack asks for no RTO".to_owned() };
        let verdict = if self.missed() { "MISSED" } else { "met" };
        format!("the RTO of {} is {verdict}", duration(Duration::from_secs(rto.unsigned_abs())))
    }

    fn sentences(&self) -> Vec<String> {
        let seconds = |it: f64| duration(Duration::from_secs_f64(it.max(0.0)));
        let mut out = vec![self.first_sentence()];
        if let Some(ramped) = self.ramped_seconds {
            out.push(format!(
                "Traffic moved share by share for {}, while the primary served: not counted.",
                seconds(ramped)
            ));
        }
        if self.purpose == FAILOVER {
            out.push(format!("RPO: {}.", self.rpo));
            if let Some(drained) = self.clock.drained {
                out.push(format!(
                    "Nothing was left to replicate at {drained:.0}; what was written elsewhere after that is not counted."
                ));
            }
            out.extend(self.restored.iter().map(|it| format!("RESTORED {it}.")));
        }
        if let Some(InService { before, fewest, after }) = self.in_service {
            out.push(format!(
                "Instances in service: {before} before, never fewer than {fewest}, {after} at the end."
            ));
        }
        out.extend(self.on_demand.iter().map(|it| {
            format!(
                "ON-DEMAND STILL {it}, where spot is wanted: Auto Scaling exchanges them once spot instances serve, and keeps them where there are none."
            )
        }));
        if let Some(age) = self.facts_age_seconds {
            let age = duration(Duration::from_secs(age.unsigned_abs()));
            out.push(format!("Worked from facts that were {age} old."));
        }
        out.extend(self.not_compared.iter().map(|it| format!("NOT COMPARED {it}.")));
        out.extend(self.degraded.iter().map(|it| format!("DEGRADED {it}")));
        out.extend(self.failed.iter().map(|it| format!("FAILED {it}")));
        if !self.refused_calls.is_empty() {
            let calls = count(self.refused_calls.len(), "call");
            out.push(format!(
                "{calls} refused, since a takeover may not make them: {}",
                self.refused_calls.join(", ")
            ));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(recovery_seconds: Option<f64>) -> Report {
        let at = |seconds: i64| Some(Timestamp::from_second(1_800_000_000 + seconds).unwrap());
        Report {
            stack: "demo".to_owned(),
            purpose: "failover",
            run: "run-1".to_owned(),
            region: "us-west-2".to_owned(),
            epoch: 1,
            complete: recovery_seconds.is_some(),
            verdict: Some(if recovery_seconds.is_some() { Verdict::Recovered } else { Verdict::NotComplete }),
            clock: Clock {
                detected: at(0),
                started: at(5),
                capacity: at(200),
                done: at(210),
                ..Clock::default()
            },
            recovery_seconds,
            ramped_seconds: None,
            rto_seconds: Some(480),
            rpo: "not measured",
            restored: vec!["table.a/table-import: it holds what was there at noon".to_owned()],
            in_service: Some(InService { before: 10, fewest: 10, after: 40 }),
            pools: Vec::new(),
            on_demand: Vec::new(),
            degraded: Vec::new(),
            failed: Vec::new(),
            facts_age_seconds: Some(7200),
            data: Vec::new(),
            not_compared: Vec::new(),
            refused_calls: Vec::new(),
        }
    }

    #[test]
    fn a_timeline_says_when_what_happened_and_what_became_of_the_objective() {
        let text = report(Some(210.0)).text();
        assert!(text.contains("+3m 20s   capacity reached"), "{text}");
        assert!(text.contains("Recovered in 3m 30s; the RTO of 8m 0s is met."), "{text}");
        assert!(text.contains("RPO: not measured."), "{text}");
        assert!(text.contains("RESTORED table.a/table-import: it holds what was there at noon."), "{text}");
        let late = report(Some(481.0));
        assert!(late.missed() && late.text().contains("MISSED"));
        let failed = report(None);
        assert!(!failed.missed() && failed.text().contains("NOT COMPLETE"));
    }

    #[test]
    fn only_what_answered_is_called_recovered() {
        let of = |verdict: Verdict| Report {
            verdict: Some(verdict),
            recovery_seconds: verdict.is_recovery().then_some(210.0),
            ..report(Some(210.0))
        };
        for verdict in [Verdict::Partial, Verdict::Capacity, Verdict::NothingToDo, Verdict::NotComplete] {
            let text = of(verdict).text();
            assert!(!text.contains("Recovered") && !text.contains("RTO of"), "{verdict:?}: {text}");
        }
        let text = of(Verdict::Degraded).text();
        assert!(
            text.contains("Recovered in 3m 30s with less than is wanted (DEGRADED, below); the RTO"),
            "{text}"
        );
    }

    #[test]
    fn the_page_is_a_table_of_the_same_moments() {
        let page = report(Some(210.0)).markdown();
        assert!(
            page.starts_with("# failover of `demo`") && page.contains("| 3m 20s | capacity reached |"),
            "{page}"
        );
    }
}
