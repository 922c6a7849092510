//! Tests of plans for a resource whose captured fact is missing.

use super::*;
use crate::facts::Lacking;

/// `b` uses `a`, and `a` lacks its fact; an earlier answer exists if `is_kept`.
fn lacking(size: u32, fixed: &str, is_kept: bool) -> Graph {
    let mut graph = pair(size, fixed);
    let text = "s3:Get was denied; allow it".to_owned();
    graph.resources.get_mut(&at("x.x/a")).unwrap().lacking =
        Some(Lacking { query: "x:".to_owned(), text, silent: None, kept: is_kept });
    graph
}

fn blocked(report: &PlanReport) -> Vec<String> {
    report.blocked.iter().map(|it| format!("{}: {}", it.address, it.text)).collect()
}

const SAID: &str = "x.x: left as it is: s3:Get was denied; allow it";

#[test]
fn what_lacks_its_fact_has_no_step_and_neither_has_what_needs_it() {
    let absent = seen(vec![("x.x/a", Look::Absent), ("x.x/b", Look::Absent)]);
    for is_kept in [false, true] {
        let (plan, report) = made(&lacking(1, "a", is_kept), &absent, &options(Intent::Converge));
        assert_eq!(lines(&plan), [""; 0]);
        assert_eq!(blocked(&report), [SAID, "x.x/b: it needs x.x/a"]);
    }
}

#[test]
fn what_lacks_its_fact_is_neither_changed_nor_replaced_nor_removed() {
    for (size, fixed) in [(2, "a"), (1, "z")] {
        for is_kept in [false, true] {
            let (plan, report) = made(&lacking(size, fixed, is_kept), &both(), &options(Intent::Converge));
            assert_eq!(lines(&plan), [""; 0]);
            assert_eq!(blocked(&report), [SAID]);
        }
    }
}

#[test]
fn what_is_as_an_earlier_answer_wants_it_is_unchanged_and_without_one_nobody_knows() {
    let planned = |is_kept| made(&lacking(1, "a", is_kept), &both(), &options(Intent::Converge));
    let (plan, report) = planned(true);
    assert!(plan.is_empty() && report.blocked.is_empty() && report.unchanged == 2, "{report:?}");
    let (plan, report) = planned(false);
    assert!(plan.is_empty(), "{plan:?}");
    assert_eq!(blocked(&report), [SAID]);
}

#[test]
fn what_lacks_its_fact_and_is_not_asked_for_blocks_nothing() {
    let options = Options { targets: vec!["x.x/other".to_owned()], ..options(Intent::Converge) };
    let absent = seen(vec![("x.x/a", Look::Absent), ("x.x/b", Look::Absent)]);
    let (plan, report) = made(&lacking(1, "a", false), &absent, &options);
    assert!(plan.is_empty() && report.blocked.is_empty(), "{report:?}");
}
