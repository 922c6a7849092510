//! Golden diagnostics: every folder of `tests/bad` is a stack that must be refused. `expected.txt`
//! in it is the stderr of `drstack validate`.
//!
//! `DRSTACK_BLESS=1 cargo test --no-default-features golden` writes every `expected.txt` anew. Read
//! the difference as a user would before you keep it: does it show the problem, its place, and what
//! to do?

use std::path::{Path, PathBuf};

use crate::drstack::drstack;

/// Fewer folders than this mean that the test reads the wrong folder.
const FEWEST: usize = 80;

/// Returns the folders of `tests/bad`, sorted.
fn bad_stacks() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let entries = std::fs::read_dir(root).expect("tests/bad");
    let paths = entries.map(|entry| entry.expect("an entry of tests/bad").path());
    let mut folders: Vec<PathBuf> = paths.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Returns the output of `drstack validate` for the bad stack in `folder`, which must be refused.
fn said(folder: &Path) -> String {
    let root = folder.parent().expect("tests/bad").as_os_str();
    let name = folder.file_name().expect("a folder has a name");
    let ran = drstack().run(["-C".as_ref(), root, "validate".as_ref(), name]).code(65);
    assert_eq!(ran.stdout, "", "{}", folder.display());
    ran.stderr
}

/// True if every problem shows its place, `stack.toml:7:3`, and how to fix it.
fn is_helpful(text: &str) -> bool {
    let is_place = |line: &str| {
        let place = line.trim_start().strip_prefix("--> ");
        place.is_some_and(|it| {
            it.contains(".toml:") && it.rsplit(':').take(2).all(|n| n.parse::<u32>().is_ok())
        })
    };
    let problems = text.lines().filter(|it| it.starts_with("error[") || it.starts_with("warning[")).count();
    let places = text.lines().filter(|line| is_place(line)).count();
    let helps = text.lines().filter(|line| line.trim_start().starts_with("= help: ")).count();
    problems > 0 && places == problems && helps == problems
}

#[test]
fn golden_diagnostics() {
    let bless = std::env::var_os("DRSTACK_BLESS").is_some_and(|it| it == "1");
    let folders = bad_stacks();
    assert!(folders.len() >= FEWEST, "{} folders in tests/bad", folders.len());
    let mut wrong = Vec::new();
    for folder in folders {
        let (said, path) = (said(&folder), folder.join("expected.txt"));
        if bless {
            std::fs::write(&path, &said).expect("write expected.txt");
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if said != expected {
            wrong.push(format!("=== {}\n--- expected\n{expected}--- said\n{said}", path.display()));
        }
        if !is_helpful(&said) {
            wrong.push(format!(
                "=== {}: a problem without line and column, or without help\n{said}",
                path.display()
            ));
        }
    }
    let how =
        "If the new text is better, keep it with `DRSTACK_BLESS=1 cargo test --no-default-features golden`.";
    assert!(wrong.is_empty(), "{}\n{how}", wrong.join("\n"));
}

#[test]
fn every_code_of_the_loader_is_shown_by_a_bad_stack() {
    /// A hundred nested modules, and a circle of references, which no current kind can produce: the
    /// loader's own tests show these. A stack that nothing asks is no bad one: `failover::order`.
    /// Neither is one whose regions do not answer: `failures`.
    const ELSEWHERE: [&str; 4] = ["DR131", "DR141", "DR205", "DR206"];
    const OF_CHECKS: [&str; 9] =
        ["DR214", "DR218", "DR220", "DR221", "DR222", "DR231", "DR232", "DR233", "DR290"];
    let text: String = bad_stacks().iter().map(|folder| said(folder)).collect();
    let codes = drstack_kinds::components().codes().into_iter().map(|(code, ..)| *code);
    let of_loader =
        codes.filter(|code| (*code < "DR210" || OF_CHECKS.contains(code)) && !ELSEWHERE.contains(code));
    let unseen: Vec<&str> = of_loader.filter(|code| !text.contains(&format!("[{code}]"))).collect();
    assert!(unseen.is_empty(), "no folder of tests/bad shows {unseen:?}");
}
