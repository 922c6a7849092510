//! The page of what went wrong once has a row for each fault and case, and each test that it names
//! exists.

use std::collections::BTreeSet;
use std::path::Path;

const PAGE: &str = include_str!("../../docs/dev/faults.md");

/// The numbers of the faults, by letter.
const FAULTS: [(char, &[u32]); 5] = [
    ('A', &[1, 2, 3, 4, 6, 7, 8, 9, 10, 11]),
    ('B', &[1, 2, 3, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 23, 25, 26, 27, 28, 29, 30]),
    ('C', &[1, 2, 3, 4, 5, 6]),
    ('E', &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ('F', &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
];
const CASES: [&str; 21] = [
    "alias-dualstack",
    "asg-fields",
    "attributes",
    "bucket-fields",
    "custom-ca",
    "expired-token",
    "fact-denied",
    "follow-breaks-later",
    "foreign-replica",
    "group-at-night",
    "gsi-fixed",
    "kms-key-id",
    "lt-fields",
    "object-lock",
    "resolve-ssm",
    "right/odd-names",
    "right/stream-view",
    "table-fields",
    "userdata-region",
    "v1-rule",
    "weights",
];
/// Rows with a part that is not corrected, or that no test holds: a row that is done leaves this
/// list.
const OPEN: &[&str] = &["C1", "C2", "table-fields"];

/// What stands in front of the part that a row does not hold.
const NOT_YET: &str = "not yet: ";

/// Returns the rows of the tables: id and tests.
fn rows(page: &str) -> Vec<(&str, &str)> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = lines.map(|line| {
        let (id, rest) = line.split_once(" | ").unwrap_or_else(|| panic!("no cells: {line}"));
        let (_, tests) = rest.rsplit_once(" | ").unwrap_or_else(|| panic!("two cells: {line}"));
        (id, tests)
    });
    cells.filter(|(id, _)| !["id", "case"].contains(id)).collect()
}

/// Returns the names of tests in a cell: `file::function`.
fn tests(cell: &str) -> impl Iterator<Item = (&str, &str)> {
    cell.split('`').skip(1).step_by(2).filter_map(|it| it.rsplit_once("::"))
}

/// True if `text` defines the test `name`.
fn defines(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let head = format!("fn {name}(");
    let is_attribute = |line: &&&str| line.starts_with("#[") || line.starts_with("///");
    lines.iter().enumerate().filter(|(_, line)| line.contains(&head)).any(|(at, _)| {
        let above = lines[..at].iter().rev().take_while(is_attribute);
        above.into_iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    })
}

/// Returns what is wrong with the page.
fn problems(page: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (rows, mut wrong) = (rows(page), Vec::new());
    let of_faults = FAULTS.iter().flat_map(|(letter, all)| all.iter().map(move |it| format!("{letter}{it}")));
    let expected: Vec<String> = of_faults.chain(CASES.map(str::to_owned)).collect();
    let ids: Vec<&str> = rows.iter().map(|(id, _)| *id).collect();
    if ids != expected {
        let known: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
        let has: BTreeSet<&str> = ids.iter().copied().collect();
        let differ: Vec<&&str> = known.symmetric_difference(&has).collect();
        wrong.push(format!("rows are missing, too many or in another order: {differ:?}"));
    }
    for (id, cell) in &rows {
        let is_open = cell.contains(NOT_YET);
        if is_open != OPEN.contains(id) {
            let what = if is_open { "is not in" } else { "is done, and still in" };
            wrong.push(format!("{id} {what} the list of what is open"));
        }
        if !is_open && tests(cell).next().is_none() {
            wrong.push(format!("{id} has no test"));
        }
        for (file, name) in tests(cell) {
            match std::fs::read_to_string(root.join(file)) {
                Ok(text) if defines(&text, name) => {}
                Ok(_) => wrong.push(format!("{id}: {file} has no test `{name}`")),
                Err(error) => wrong.push(format!("{id}: {file}: {error}")),
            }
        }
    }
    wrong
}

#[test]
fn each_fault_and_case_has_tests_that_exist() {
    assert_eq!(problems(PAGE), [""; 0]);
}

#[test]
fn a_row_that_names_no_test_or_is_forgotten_is_found() {
    let found = |from: &str, to: &str| {
        assert_eq!(PAGE.matches(from).count(), 1, "{from}");
        problems(&PAGE.replace(from, to)).join("\n")
    };
    let row = |id: &str| {
        let start = format!("| {id} | ");
        PAGE.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no row {id}")).to_owned()
    };
    assert!(found(&format!("{}\n", row("A7")), "").contains("[\"A7\"]"));
    let done = row("B19");
    let test = "tests/it/reference.rs::the_manual_has_each_page_that_it_refers_to";
    for (other, said) in [
        ("tests/it/reference.rs::the_manual_has_each_page", "B19: tests/it/reference.rs has no test"),
        ("tests/it/reference.rs::expect_page", "B19: tests/it/reference.rs has no test `expect_page`"),
        ("tests/it/nowhere.rs::test", "B19: tests/it/nowhere.rs: "),
        ("nothing", "B19 has no test"),
    ] {
        let said_now = found(&done, &done.replace(test, other));
        assert!(said_now.contains(said), "{said_now}");
    }
    let half = format!("{}; {NOT_YET}the rest |", done.trim_end_matches(" |"));
    assert!(found(&done, &half).contains("B19 is not in the list"));
    let open = row(OPEN[0]);
    let closed = format!("{} |", open.split(NOT_YET).next().expect("a beginning").trim_end_matches("; "));
    assert!(found(&open, &closed).contains("is done, and still in the list"));
}
