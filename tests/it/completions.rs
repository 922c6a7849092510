//! B18: a shell completes folders, addresses of the stack on the line, and codes.

use crate::drstack::{Drstack, drstack};

/// Returns what bash is offered for the last of `words`.
fn offered(machine: &Drstack, words: &[&str]) -> Vec<String> {
    let mut command = machine.command(["--", "drstack"].iter().chain(words));
    command.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    command.env("_CLAP_IFS", "\n").env("_CLAP_COMPLETE_COMP_TYPE", "9").env("_CLAP_COMPLETE_SPACE", "true");
    let ran = command.output().expect("run drstack");
    assert!(ran.status.success() && ran.stderr.is_empty(), "{ran:?}");
    String::from_utf8_lossy(&ran.stdout).lines().map(str::to_owned).collect()
}

/// B18
#[test]
fn a_shell_completes_folders_addresses_and_codes() {
    let machine = drstack();
    machine.run(["init", "demo"]).ok();
    let commands = offered(&machine, &[""]);
    for command in ["plan", "apply", "failover", "iam-policy", "explain"] {
        assert!(commands.iter().any(|it| it == command), "{command}: {commands:?}");
    }
    let stacks = offered(&machine, &["plan", ""]);
    assert!(stacks.iter().any(|it| it == "demo/"), "{stacks:?}");
    let common = stacks.iter().all(|it| it.starts_with('-'));
    assert!(!common, "the shell would insert `-`: {stacks:?}");
    let all = offered(&machine, &["apply", "demo", "--target", ""]);
    assert!(all.len() > 2 && all.iter().all(|it| it.contains('.')), "{all:?}");
    let one = all[0].clone();
    assert_eq!(offered(&machine, &["apply", "demo", "--target", &one]), std::slice::from_ref(&one));
    for command in ["plan", "destroy"] {
        assert_eq!(offered(&machine, &[command, "demo", "--delete-data", ""]), all, "{command}");
    }
    assert_eq!(offered(&machine, &["-C", "demo", "failover", "--only", ""]), all);
    assert_eq!(offered(&machine, &["failover", "demo", "--not-waiting-for", ""]), all);
    assert!(offered(&machine, &["output", "demo", &one[..3]]).contains(&one));
    assert_eq!(offered(&machine, &["apply", "absent", "--target", ""]), [""; 0]);
    let codes = offered(&machine, &["explain", "dr20"]);
    assert!(codes.len() > 3 && codes.iter().all(|it| it.starts_with("DR20")), "{codes:?}");
}

/// B19: every page that a page names is written.
#[test]
fn the_manual_has_every_page_that_it_names() {
    let machine = drstack();
    std::fs::create_dir(machine.folder().join("man1")).expect("a folder");
    machine.run(["man", "--dir", "man1"]).ok();
    let files = || {
        std::fs::read_dir(machine.folder().join("man1")).expect("pages").map(|it| it.expect("a page").path())
    };
    let mut named = 0;
    for page in files() {
        let text = std::fs::read_to_string(&page).expect("text").replace("\\-", "-");
        for word in text.split_whitespace().filter_map(|it| it.strip_suffix("(1)")) {
            let name = word.trim_start_matches("\\fB");
            assert!(
                machine.folder().join(format!("man1/{name}.1")).is_file(),
                "{name} in {}",
                page.display()
            );
            named += 1;
        }
    }
    assert!(named > 15 && files().count() > 15, "{named}");
}
