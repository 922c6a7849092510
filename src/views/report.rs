//! The report of a change of mode with its timeline: for people, and as Markdown.

use std::fmt::Write;
use std::time::Duration;

use anstyle::Style;
use drstack_app::report::timeline::{InService, Report};
use drstack_app::text::{self, count, duration};
use drstack_core::address::ComponentAddress;
use drstack_core::text::plain;
use drstack_core::verdict::Verdict;

use super::color::{GREEN, RED, YELLOW, labels, paint};
use super::escape::escaped;

/// Writes the report for people.
pub(crate) fn text(report: &Report) -> String {
    let mut out = String::from("\n");
    let moments = report.moments();
    let first = moments.first().map(|(_, at)| *at);
    for (name, at) in &moments {
        let since = first.map_or(Duration::ZERO, |first| at.duration_since(first).unsigned_abs());
        let _ = writeln!(out, "  {at:.0}  +{:<8} {name}", duration(since));
    }
    out.push('\n');
    let mut sentences = sentences(report).into_iter();
    if let Some(first) = sentences.next() {
        let _ = writeln!(out, "{}", paint(tone(report), &plain(&first)));
    }
    for line in sentences {
        let _ = writeln!(out, "{}", labels(&plain(&line)));
    }
    out
}

/// Returns the colour of the result: green if all is as it was asked for, red if it has to go on.
fn tone(report: &Report) -> Style {
    match report.verdict {
        _ if !report.complete => RED,
        Some(Verdict::NotComplete) => RED,
        Some(Verdict::Partial | Verdict::Degraded | Verdict::Capacity) => YELLOW,
        Some(Verdict::Recovered) if report.missed() => YELLOW,
        Some(Verdict::Recovered | Verdict::NothingToDo) | None => GREEN,
    }
}

/// Writes the page for the control bucket.
pub(crate) fn markdown(report: &Report) -> String {
    let mut out = format!(
        "# {} of `{}`\n\nRun `{}`, epoch {}.\n\n",
        report.purpose, report.stack, report.run, report.epoch
    );
    let _ = writeln!(out, "| when | after | what |\n|---|---:|---|");
    let moments = report.moments();
    let first = moments.first().map(|(_, at)| *at);
    for (name, at) in &moments {
        let since = first.map_or(Duration::ZERO, |first| at.duration_since(first).unsigned_abs());
        let _ = writeln!(out, "| {at:.0} | {} | {name} |", duration(since));
    }
    out.push('\n');
    for line in sentences(report) {
        let _ = writeln!(out, "- {}", escaped(&line));
    }
    out
}

/// Describes the result of the change.
fn first_sentence(report: &Report) -> String {
    let region = &report.region;
    match report.verdict {
        _ if !report.complete => format!("The {} is NOT COMPLETE{}", report.purpose, why_not(report)),
        None => format!("Failed back to {region} in {}.", took(report)),
        Some(verdict) if verdict.is_recovery() && report.recovery_seconds.is_none() => {
            let how = if verdict == Verdict::Degraded { ", DEGRADED (below)" } else { "" };
            match report.clock.served {
                Some(at) => format!("{region} has served since {at:.0}{how}; this run went over it again."),
                None => format!("{region} serves{how}; since when is not known."),
            }
        }
        Some(Verdict::Recovered) => {
            format!("Recovered in {}; {}.{}", took(report), objective(report), cut_off(report))
        }
        Some(Verdict::Partial) => format!(
            "Recovered in PART, in {}. Still in the primary region: {}.",
            took(report),
            listed(&report.in_primary)
        ),
        Some(Verdict::Degraded) => format!(
            "DEGRADED: {region} serves after {}, with less than the stack wants (below){}; {}.",
            took(report),
            if report.accepted { ", which the operator accepted" } else { "" },
            objective(report)
        ),
        Some(Verdict::Capacity) if report.unasked.is_empty() && !report.unled.is_empty() => format!(
            "NOT RECOVERED yet: {region} answers, and nobody knows whether {} leads users there.",
            listed(&report.unled)
        ),
        Some(Verdict::Capacity) => {
            let is_short = !report.degraded.is_empty();
            let is = if is_short { "is up in part (below)" } else { "is up" };
            let answer = if report.unasked.len() > 1 { "answer" } else { "answers" };
            format!(
                "NOT RECOVERED yet: the capacity {is} in {region}, and no check asked whether {} {answer}.",
                listed(&report.unasked)
            )
        }
        Some(Verdict::NothingToDo) if report.served_before || report.clock.served.is_some() => {
            format!("Nothing to do: {region} serves already.")
        }
        Some(Verdict::NothingToDo) => {
            let part = match &report.in_primary[..] {
                [] => String::new(),
                stays => format!(" Still in the primary region: {}.", listed(stays)),
            };
            let what = if part.is_empty() { "serves" } else { "serves this part" };
            format!(
                "Nothing had to change. It is recorded that {region} {what} (epoch {}).{part}",
                report.epoch
            )
        }
        Some(Verdict::NotComplete) => {
            let empty = report.pools.iter().filter(|pool| pool.in_service.unwrap_or(0) == 0);
            let empty: Vec<&str> = empty.map(|pool| pool.address.as_str()).collect();
            format!("NOT RECOVERED: nothing in service, or not to be seen: {}.", empty.join(", "))
        }
    }
}

/// Returns how the first sentence on an incomplete change goes on.
fn why_not(report: &Report) -> &'static str {
    match (report.failed.is_empty(), report.blocked.is_empty()) {
        (false, _) => ": what failed is below.",
        (true, false) => ": what is blocked is below.",
        (true, true) => ": not all of its steps are done.",
    }
}

/// Returns what a recovery time leaves open where an earlier run of the failover was cut off.
fn cut_off(report: &Report) -> &'static str {
    match report.clock.first_run {
        Some(_) => " An earlier run ended before this one: what it brought up may have served sooner.",
        None => "",
    }
}

/// Names components; "the service" if there are none.
fn listed(components: &[ComponentAddress]) -> String {
    let names: Vec<String> = components.iter().map(ToString::to_string).collect();
    if names.is_empty() { "the service".to_owned() } else { text::listed(&names) }
}

fn took(report: &Report) -> String {
    duration(Duration::from_secs_f64(report.recovery_seconds.unwrap_or_default().max(0.0)))
}

/// Compares the recovery time with the RTO.
fn objective(report: &Report) -> String {
    let Some(rto) = report.rto_seconds else { return "the stack asks for no RTO".to_owned() };
    let rto = duration(Duration::from_secs(rto.unsigned_abs()));
    let judged = match report.verdict {
        _ if report.is_late() => format!("the RTO of {rto} is MISSED"),
        // Only what is whole can meet it, and what is in time has not missed it.
        Some(Verdict::Degraded) => format!("inside the RTO of {rto}, which asks for the whole"),
        _ => format!("the RTO of {rto} is met"),
    };
    match (report.covered_seconds, report.recovery_seconds) {
        (Some(covered), Some(all)) if covered < all => {
            let covered = duration(Duration::from_secs_f64(covered));
            format!("{judged}: what has no longer RTO of its own served after {covered}")
        }
        _ => judged,
    }
}

fn sentences(report: &Report) -> Vec<String> {
    let seconds = |it: f64| duration(Duration::from_secs_f64(it.max(0.0)));
    let mut out = vec![first_sentence(report)];
    out.extend(report.objectives.iter().map(|it| {
        let verdict = if it.missed() { "MISSED" } else { "met" };
        let rto = duration(Duration::from_secs(it.rto_seconds.unsigned_abs()));
        format!("{} after {}; its RTO of {rto} is {verdict}.", it.component, seconds(it.recovery_seconds))
    }));
    if let Some(ramped) = report.ramped_seconds {
        out.push(format!(
            "Traffic moved share by share for {}, while the primary served: not counted.",
            seconds(ramped)
        ));
    }
    if report.is_failover() {
        out.push(format!("RPO: {}.", report.rpo));
        if let Some(drained) = report.clock.drained {
            out.extend(report.not_awaited.iter().map(|it| {
                format!(
                    "NOT WAITED FOR {it}: what had not arrived in the standby region is in the primary alone."
                )
            }));
            let besides = if report.not_awaited.is_empty() { "" } else { " else" };
            out.push(format!(
                "Nothing{besides} was left to replicate at {drained:.0}; what was written elsewhere after that is not counted."
            ));
        }
        out.extend(report.restored.iter().map(|it| format!("RESTORED {it}.")));
        if !report.not_looked_at.is_empty() {
            out.push(format!(
                "NOT LOOKED AT: the data of {}, which counts as the last apply left it.",
                listed(&report.not_looked_at)
            ));
        }
    }
    if let Some(InService { before, fewest, after }) = report.in_service {
        out.push(format!(
            "Instances in service: {before} before, never fewer than {fewest}, {after} at the end."
        ));
    }
    out.extend(
        report
            .on_demand
            .iter()
            .map(|it| format!("{it} still on-demand; Auto Scaling replaces them as spot becomes available.")),
    );
    if let Some(age) = report.facts_age_seconds {
        let age = duration(Duration::from_secs(age.unsigned_abs()));
        out.push(format!("What the primary is (images, sizes) was last read {age} ago."));
    }
    out.extend(report.not_compared.iter().map(|it| format!("NOT COMPARED {it}.")));
    out.extend(report.degraded.iter().map(|it| format!("DEGRADED {it}")));
    out.extend(report.failed.iter().map(|it| format!("FAILED {it}")));
    out.extend(report.blocked.iter().map(|it| format!("BLOCKED {it}")));
    if !report.refused_calls.is_empty() {
        let calls = count(report.refused_calls.len(), "call");
        out.push(format!(
            "{calls} refused, since a failover may not make them: {}",
            report.refused_calls.join(", ")
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use drstack_app::report::timeline::{Clock, Objective};
    use jiff::Timestamp;

    use super::*;

    fn report(recovery_seconds: Option<f64>) -> Report {
        let at = |seconds: i64| Some(Timestamp::from_second(1_800_000_000 + seconds).unwrap());
        Report {
            stack: "demo".to_owned(),
            purpose: "failover".into(),
            run: "run-1".to_owned(),
            region: "us-west-2".to_owned(),
            epoch: 1,
            complete: recovery_seconds.is_some(),
            served_before: false,
            verdict: Some(if recovery_seconds.is_some() { Verdict::Recovered } else { Verdict::NotComplete }),
            clock: Clock {
                detected: at(0),
                started: at(5),
                capacity: at(200),
                done: at(210),
                ..Clock::default()
            },
            recovery_seconds,
            covered_seconds: recovery_seconds,
            ramped_seconds: None,
            rto_seconds: Some(480),
            accepted: false,
            objectives: Vec::new(),
            in_primary: Vec::new(),
            unasked: Vec::new(),
            unled: Vec::new(),
            rpo: "not measured".into(),
            restored: vec!["table.a/table-import: it holds what was there at noon".to_owned()],
            in_service: Some(InService { before: 10, fewest: 10, after: 40 }),
            pools: Vec::new(),
            on_demand: Vec::new(),
            degraded: Vec::new(),
            failed: Vec::new(),
            blocked: Vec::new(),
            facts_age_seconds: Some(7200),
            data: Vec::new(),
            not_compared: Vec::new(),
            not_looked_at: Vec::new(),
            not_awaited: Vec::new(),
            refused_calls: Vec::new(),
        }
    }

    #[test]
    fn a_timeline_says_when_what_happened_and_what_became_of_the_objective() {
        let said = text(&report(Some(210.0)));
        assert!(said.contains("+3m 20s   capacity reached"), "{said}");
        assert!(said.contains("Recovered in 3m 30s; the RTO of 8m 0s is met."), "{said}");
        assert!(said.contains("RPO: not measured."), "{said}");
        assert!(said.contains("RESTORED table.a/table-import: it holds what was there at noon."), "{said}");
        let late = report(Some(481.0));
        assert!(late.missed() && text(&late).contains("MISSED"));
        let failed = report(None);
        assert!(!failed.missed() && text(&failed).contains("NOT COMPLETE"));
    }

    #[test]
    fn only_what_answered_is_called_recovered() {
        let of = |verdict: Verdict| Report {
            verdict: Some(verdict),
            recovery_seconds: verdict.is_recovery().then_some(210.0),
            ..report(Some(210.0))
        };
        for verdict in [Verdict::Capacity, Verdict::NothingToDo, Verdict::NotComplete] {
            let said = text(&of(verdict));
            assert!(!said.contains("Recovered") && !said.contains("RTO of"), "{verdict:?}: {said}");
        }
        let said = text(&of(Verdict::Degraded));
        assert!(said.contains("DEGRADED: us-west-2 serves after 3m 30s, with less than"), "{said}");
        assert!(said.contains("(below); inside the RTO of 8m 0s, which asks for the whole."), "{said}");
        let accepted = Report { accepted: true, ..of(Verdict::Degraded) };
        assert!(text(&accepted).contains("(below), which the operator accepted; inside the RTO"), "{said}");
        let late = Report { covered_seconds: Some(481.0), ..accepted };
        assert!(text(&late).contains("the RTO of 8m 0s is MISSED."), "{}", text(&late));
        let in_primary = vec![ComponentAddress::new("pool.b")];
        let said = text(&Report { in_primary, ..of(Verdict::Partial) });
        assert!(
            said.contains("Recovered in PART, in 3m 30s. Still in the primary region: pool.b."),
            "{said}"
        );
        assert!(!said.contains("RTO of"), "{said}");
        let repair = Report { recovery_seconds: None, ..of(Verdict::Recovered) };
        assert!(text(&repair).contains("us-west-2 serves; since when is not known."), "{}", text(&repair));
        let unasked = vec![ComponentAddress::new("pool.c")];
        let said = text(&Report { unasked, ..of(Verdict::Capacity) });
        assert!(said.contains("no check asked whether pool.c answers"), "{said}");
    }

    #[test]
    fn the_result_has_the_colour_of_its_verdict_and_the_page_has_none() {
        let first = |report: &Report| paint(tone(report), &first_sentence(report));
        let late = report(Some(481.0));
        for (report, style) in [(&report(Some(210.0)), GREEN), (&late, YELLOW), (&report(None), RED)] {
            assert_eq!(tone(report), style);
            assert!(text(report).contains(&first(report)), "{}", text(report));
            assert!(!markdown(report).contains('\u{1b}'));
        }
    }

    #[test]
    fn each_component_is_held_against_its_own_objective() {
        let objective = |seconds| Objective {
            component: ComponentAddress::new("pool.a"),
            rto_seconds: 120,
            recovery_seconds: seconds,
        };
        let of = |seconds| Report { objectives: vec![objective(seconds)], ..report(Some(210.0)) };
        let (met, missed) = (of(119.0), of(121.0));
        assert!(!met.missed() && missed.missed() && !missed.is_late());
        assert!(text(&met).contains("pool.a after 1m 59s; its RTO of 2m 0s is met."), "{}", text(&met));
        let said = text(&missed);
        assert!(said.contains("pool.a after 2m 1s; its RTO of 2m 0s is MISSED."), "{said}");
        assert!(said.contains("the RTO of 8m 0s is met"), "{said}");
    }

    #[test]
    fn the_page_is_a_table_of_the_same_moments() {
        let page = markdown(&report(Some(210.0)));
        assert!(
            page.starts_with("# failover of `demo`") && page.contains("| 3m 20s | capacity reached |"),
            "{page}"
        );
    }

    #[test]
    fn what_others_wrote_is_text_on_the_page() {
        let failed = "bucket.a: refused: \u{1b}[2J\n# Recovered\n<img src=x> [ok](https://x.example) `rm`";
        let report = Report { failed: vec![failed.to_owned()], ..report(None) };
        let (page, screen) = (markdown(&report), text(&report));
        let line = page.lines().find(|line| line.contains("bucket.a")).unwrap();
        assert_eq!(
            line,
            r"- FAILED bucket.a: refused: \\u{1b}\[2J\\n\# Recovered\\n\<img src=x\> \[ok\](https:\//x.example) \`rm\`"
        );
        assert!(screen.contains(r"bucket.a: refused: \u{1b}[2J\n# Recovered"), "{screen}");
    }
}
