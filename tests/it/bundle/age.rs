//! F11: a signature proves who published a bundle, and not that nothing newer was.

use jiff::{SignedDuration, Timestamp};

use super::*;

/// Puts back a bundle as it was `hours` before, signed by the stack's own key. Returns when.
fn aged(machine: &Drstack, hours: i64) -> Timestamp {
    let text = published(machine).expect("a bundle");
    let mut bundle = Bundle::from_bytes(text.as_bytes()).expect("a bundle");
    bundle.applied_at -= SignedDuration::from_hours(hours);
    let bytes = bundle.to_bytes().expect("JSON");
    let key = std::fs::read_to_string(machine.folder().join("key")).expect("the key");
    let key = PrivateKey::from_text(&key).expect("a key");
    put(machine, "bundle.json.sig", Some(&key.sign(&bytes)));
    put(machine, "bundle.json", Some(std::str::from_utf8(&bytes).expect("text")));
    bundle.applied_at
}

/// F11
#[test]
fn the_age_of_a_bundle_is_shown_and_an_old_one_is_warned_of_or_refused() {
    let (machine, public) = signing();
    run(&machine, "apply s --auto-approve --signing-key key").ok();
    let failover = format!("failover --bundle {URL} --verify-key {public} --dry-run");
    let fresh = run(&elsewhere(&machine), &failover).ok();
    assert!(
        fresh.stderr.contains("The bundle is ") && fresh.stderr.contains(" old: published "),
        "{fresh:?}"
    );
    assert!(!fresh.stderr.contains("warning: the bundle is"), "{fresh:?}");
    aged(&machine, 100);
    let old = run(&elsewhere(&machine), &failover).ok();
    assert!(old.stderr.contains("warning: the bundle is 100h "), "{old:?}");
    assert!(old.stderr.contains("`--not-before 48h` refuses such a bundle"), "{old:?}");
    // The clock of the sim starts with 2026.
    for limit in ["48h", "2026-01-01T00:00:00Z"] {
        let ran = run(&elsewhere(&machine), &format!("{failover} --not-before {limit}"));
        refused(ran, 1, "and `--not-before` demands");
    }
    let accepted = run(&elsewhere(&machine), &format!("{failover} --not-before 200h")).ok();
    assert!(!accepted.stderr.contains("warning: the bundle is"), "the operator set the limit: {accepted:?}");
    // The same with the files of the stack, and for a plan from the bundle.
    refused(run(&machine, "failover s --dry-run --not-before 48h"), 1, "and `--not-before` demands");
    refused(
        run(&elsewhere(&machine), &format!("plan --bundle {URL} --not-before 48h")),
        1,
        "and `--not-before` demands",
    );
    run(&machine, &format!("{failover} --not-before yesterday")).code(64);
}

/// F11: an apply without changes says that the bundle is still true.
#[test]
fn an_apply_without_changes_renews_a_bundle_once_a_day() {
    let (machine, _) = signing();
    let apply = "apply s --auto-approve --signing-key key";
    run(&machine, apply).ok();
    run(&machine, apply).ok();
    let at = aged(&machine, 20);
    let found = || Bundle::from_bytes(published(&machine).expect("a bundle").as_bytes()).expect("a bundle");
    run(&machine, apply).ok();
    assert_eq!(found().applied_at, at, "it is not a day old");
    let at = aged(&machine, 20);
    run(&machine, apply).ok();
    assert!(found().applied_at > at + SignedDuration::from_hours(24), "{}", found().applied_at);
}

/// F11: without a bundle there is no signature to check, and what the primary last said is unsigned.
#[test]
fn where_a_signed_bundle_is_demanded_its_absence_is_refused() {
    let (machine, public) = signing();
    run(&machine, "apply s --auto-approve --signing-key key").ok();
    put(&machine, "bundle.json", None);
    put(&machine, "bundle.json.sig", None);
    let unsigned = "there is no bundle in `drstack-demo-us-west-2`, and";
    for (args, why) in [
        (String::new(), "`signing` of the stack demands one"),
        (format!(" --verify-key {public}"), "`--verify-key` demands one"),
        (" --not-before 48h".to_owned(), "`signing` of the stack demands one"),
    ] {
        let ran = run(&machine, &format!("failover s --auto-approve{args}"));
        refused(ran, 1, &format!("{unsigned} {why}"));
    }
    let accepted = run(&machine, "failover s --auto-approve --unsigned");
    assert!(!accepted.stderr.contains(unsigned), "{accepted:?}");
}
