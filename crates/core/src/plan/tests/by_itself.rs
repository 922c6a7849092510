//! Tests of what a sync does by itself.

use super::*;
use crate::plan::{ByItself, by_itself};
use crate::stack::{Allowed, SyncLimits};

fn split(want: &Graph, seen: &Observed, how: &Options, allow: &[Allowed]) -> (Vec<String>, Vec<String>) {
    split_with(want, seen, how, (allow, &[]))
}

fn split_with(
    want: &Graph,
    seen: &Observed,
    how: &Options,
    (allow, had): (&[Allowed], &[(&str, &str)]),
) -> (Vec<String>, Vec<String>) {
    let (plan, _) = made(want, seen, how);
    let limits = SyncLimits { allow: allow.iter().copied().collect() };
    let may = ByItself {
        limits,
        had: had.iter().map(|(address, name)| (at(address), (*name).to_owned())).collect(),
    };
    let (plan, left) = by_itself(plan, &may, &kinds());
    let said = |it: &ForAPerson| format!("{:?} {}: {}", it.action, it.address, it.why);
    (lines(&plan), left.iter().map(said).collect())
}

#[test]
fn a_sync_creates_and_updates_and_leaves_the_rest_with_what_needs_it() {
    let all = &Allowed::ALL;
    let nothing = seen(vec![("x.x/a", Look::Absent), ("x.x/b", Look::Absent)]);
    let converge = options(Intent::Converge);
    let (done, left) = split(&pair(1, "a"), &nothing, &converge, all);
    assert_eq!((done.len(), left), (2, vec![]));
    let (done, left) = split(&pair(2, "a"), &both(), &converge, all);
    assert_eq!((done.is_empty(), left), (false, vec![]));
    // A replacement by tag: both halves, and what is changed between them.
    let (done, left) = split(&pair(1, "z"), &both(), &converge, all);
    assert_eq!(done, [""; 0]);
    assert_eq!(
        left,
        [
            "Create x.x/a: it cannot be changed in place, and a sync replaces nothing",
            "Update x.x/b: waits for x.x/a",
            "Delete x.x/a: it cannot be changed in place, and a sync replaces nothing",
        ]
    );
}

#[test]
fn a_sync_does_what_its_stack_allows() {
    let nothing = seen(vec![("x.x/a", Look::Absent), ("x.x/b", Look::Absent)]);
    let converge = options(Intent::Converge);
    let (done, left) = split(&pair(1, "a"), &nothing, &converge, &[Allowed::Update]);
    assert_eq!(done, [""; 0]);
    assert_eq!(
        left,
        [
            "Create x.x/a: `allow` in `[sync]` has no `create`",
            "Create x.x/b: `allow` in `[sync]` has no `create`",
        ]
    );
    let (done, left) = split(&pair(2, "a"), &both(), &converge, &[Allowed::Create]);
    assert_eq!((done, left), (vec![], vec!["Update x.x/a: `allow` in `[sync]` has no `update`".to_owned()]));
}

#[test]
fn a_sync_deletes_nothing() {
    let destroy = options(Intent::Destroy);
    let (done, left) = split(&pair(1, "a"), &both(), &destroy, &Allowed::ALL);
    assert_eq!(done, [""; 0]);
    assert!(!left.is_empty() && left.iter().all(|it| it.ends_with(": a sync deletes nothing")), "{left:?}");
}
