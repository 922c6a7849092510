//! The command line as a user meets it: arguments, inputs, folders, output streams, and the small
//! commands.

use std::collections::BTreeSet;

use crate::drstack::{Drstack, Ran, drstack};

/// As many buckets as the input says.
const COUNTED: &str = r#"
[stack]
name = "demo"
primary = "us-east-1"
standby = "us-west-2"
posture = "warm"

[inputs]
count = { type = "integer", default = 1 }

[bucket.some]
for_each = "${input.count}"
name = "acme-some-${each.key}"
"#;

/// Two components, one of which needs a third.
const POOL: &str = r#"
[stack]
name = "demo"
primary = "us-east-1"
standby = "us-west-2"
posture = "warm"

[bucket.models]
name = "acme-models"

[network.standby]
cidr = "10.64.0.0/16"

[pool.serving]
follows = "serve"
network = "@network.standby"
"#;

fn with(stack: &str) -> Drstack {
    let machine = drstack();
    machine.write("s/stack.toml", stack);
    machine
}

/// Runs the words of `line`.
fn run(machine: &Drstack, line: &str) -> Ran {
    machine.run(line.split(' '))
}

/// Asserts an error with this text, a hint, and nothing on stdout.
#[track_caller]
fn refused(ran: Ran, code: i32, message: &str) {
    let ran = ran.code(code);
    assert!(ran.stderr.contains(message) && ran.stderr.contains("hint: "), "{ran:?}");
    assert_eq!(ran.stdout, "");
}

/// Returns the names of the components for which `plan --json` has a step.
fn planned(ran: &Ran) -> BTreeSet<String> {
    let lines = ran.json().into_iter().filter(|line| line["type"] == "step");
    let component = |address: &str| address.split('/').next().unwrap_or_default().to_owned();
    lines.map(|line| component(line["address"].as_str().unwrap_or_default())).collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|it| (*it).to_owned()).collect()
}

#[test]
fn init_writes_a_stack_that_validates_and_never_over_one() {
    let machine = drstack();
    let ran = run(&machine, "init new/demo").ok();
    assert!(ran.stdout.contains("drstack apply new/demo --cloud sim"), "{ran:?}");
    run(&machine, "validate new/demo").ok();
    run(&machine, "apply new/demo --cloud sim --auto-approve").ok();
    let file = machine.write("new/demo/stack.toml", "mine");
    refused(run(&machine, "init new/demo"), 64, "`new/demo/stack.toml` exists");
    assert_eq!(std::fs::read_to_string(file).expect("the file"), "mine");
}

#[test]
fn inputs_come_from_the_environment_a_file_and_the_command_line_the_later_winning() {
    let machine = with(COUNTED);
    machine.write("inputs.toml", "count = 3\n");
    let count = |machine: &Drstack, more: &str| {
        run(machine, &format!("validate s --json{more}")).ok().json()[0]["components"].clone()
    };
    assert_eq!(count(&machine, ""), 1);
    assert_eq!(count(&machine, " --inputs inputs.toml"), 3);
    let machine = machine.env("DRSTACK_INPUT_count", "2");
    assert_eq!(count(&machine, ""), 2);
    assert_eq!(count(&machine, " --inputs inputs.toml"), 3);
    assert_eq!(count(&machine, " --inputs inputs.toml -i count=4"), 4);
    assert_eq!(count(&machine, " -i count=4 -i count=5"), 5);
}

#[test]
fn inputs_that_cannot_be_used_are_refused() {
    let machine = with(COUNTED);
    machine.write("broken.toml", "count = \n");
    refused(run(&machine, "validate s --inputs absent.toml"), 64, "`absent.toml`: no such file");
    refused(run(&machine, "validate s --inputs broken.toml"), 64, "`broken.toml`: ");
    let ran = run(&machine, "validate s -i count=many").code(65);
    assert!(ran.stderr.contains("input `count` is `many`, not an integer"), "{ran:?}");
    let ran = run(&machine, "validate s -i cuont=2").code(65);
    assert!(ran.stderr.contains("there is no input `cuont`"), "{ran:?}");
    let ran = run(&machine, "validate s -i count").code(64);
    assert!(ran.stderr.contains("NAME=VALUE"), "{ran:?}");
}

/// B23
#[test]
fn an_input_that_cannot_be_used_says_where_its_value_comes_from() {
    let machine = with(COUNTED);
    machine.write("inputs.toml", "count = \"many\"\nother = 1\n");
    let said = |machine: &Drstack, more: &str| run(machine, &format!("validate s{more}")).code(65).stderr;
    let of_file = said(&machine, " --inputs inputs.toml");
    assert!(of_file.contains("not an integer (given in `inputs.toml`)"), "{of_file}");
    assert!(of_file.contains("there is no input `other` (given in `inputs.toml`)"), "{of_file}");
    let typed = said(&machine, " -i count=many -i other=1");
    assert!(typed.contains("not an integer (given with `-i`)"), "{typed}");
    assert!(typed.contains("there is no input `other` (given with `-i`)"), "{typed}");
    let machine = machine.env("DRSTACK_INPUT_count", "many").env("DRSTACK_INPUT_other", "1");
    let exported = said(&machine, "");
    let variable = |name: &str| format!("(given by the environment, `DRSTACK_INPUT_{name}`)");
    assert!(exported.contains(&format!("not an integer {}", variable("count"))), "{exported}");
    assert!(exported.contains(&format!("no input `other` {}", variable("other"))), "{exported}");
    assert!(exported.contains("`unset DRSTACK_INPUT_other`"), "{exported}");
}

/// B23
#[test]
fn a_list_on_the_command_line_is_written_with_or_without_brackets() {
    let head = COUNTED.split("[inputs]").next().unwrap_or_default();
    let machine = with(&format!(
        "{head}[inputs]\nlangs = {{ type = \"list\" }}\n\n[bucket.models]\nfor_each = \"${{input.langs}}\"\n\
         name = \"acme-${{each.key}}\"\n",
    ));
    let count = |list: &str| {
        let ran = machine.run(["validate", "s", "--json", "-i", &format!("langs={list}")]).ok();
        ran.json()[0]["components"].clone()
    };
    assert_eq!(["de", "de,fr", "[\"de\"]", "[\"de\", \"fr\"]"].map(count), [1, 2, 1, 2]);
    let ran = machine.run(["validate", "s", "-i", "langs=[de]"]).code(65);
    assert!(ran.stderr.contains("help: give it a list of strings: `a,b`"), "{ran:?}");
}

/// B23
#[test]
fn a_file_that_cannot_be_used_has_a_hint_about_what_is_the_matter_with_it() {
    let machine = with(COUNTED);
    let expect = |line: &str, code: i32, said: &str, hint: &str| {
        let ran = run(&machine, line).code(code);
        assert!(ran.stderr.contains(said) && ran.stderr.contains(hint), "{line}: {ran:?}");
    };
    machine.write("plain.txt", "");
    std::fs::write(machine.write("latin.toml", ""), b"count = \"\xe9\"\n").expect("write");
    expect("validate absent", 65, "no such file", "help: name a folder with a `stack.toml`");
    expect("validate latin.toml", 65, "line 1 is not UTF-8", "help: save it as UTF-8");
    expect("validate s --inputs latin.toml", 64, "line 1 is not UTF-8", "hint: save it as UTF-8");
    expect("validate s --inputs s", 64, "it is a folder", "hint: name a TOML file");
    expect("plan s --cloud sim --sim latin.toml", 64, "line 1 is not UTF-8", "hint: save it as UTF-8");
    expect("keys new no/key", 1, "no such folder", "hint: make the folder first");
    expect("keys new plain.txt/key", 1, "a file stands where", "hint: name a folder, and a file in it");
    expect("init plain.txt", 1, "it is a file", "hint: name another folder");
    expect("-C nowhere kinds", 64, "-C nowhere: ", "hint: name a folder that exists");
    expect("-C plain.txt kinds", 64, "-C plain.txt: ", "hint: name a folder, not a file");
}

#[test]
fn a_target_takes_what_it_needs_and_nothing_else() {
    let machine = with(POOL);
    let targeted = run(&machine, "plan s --cloud sim --json --target pool.serving").ok();
    assert_eq!(planned(&targeted), names(&["network.standby", "pool.serving"]));
    run(&machine, "apply s --cloud sim --auto-approve --target pool.serving").ok();
    // The group does not need the routes of the network. Nothing of the pool is left to do.
    let rest = planned(&run(&machine, "plan s --cloud sim --json").ok());
    assert_eq!(rest, names(&["bucket.models", "network.standby"]));
    run(&machine, "destroy s --cloud sim --auto-approve --target network.standby --delete-data pool.serving")
        .ok();
    let whole = names(&["bucket.models", "network.standby", "pool.serving"]);
    assert_eq!(planned(&run(&machine, "plan s --cloud sim --json").ok()), whole);
}

#[test]
fn a_target_or_data_that_names_nothing_is_refused_and_a_kind_is_no_name() {
    let machine = with(POOL);
    let ran = run(&machine, "plan s --cloud sim --target pool.servign");
    refused(ran, 64, "`pool.servign` names nothing of this stack\n\nhint: did you mean `pool.serving`?");
    run(&machine, "apply s --cloud sim --auto-approve").ok();
    for name in ["bucket.model", "bucket"] {
        let ran = run(&machine, &format!("destroy s --cloud sim --auto-approve --delete-data {name}"));
        let message = format!("`--delete-data {name}` names no component and no resource of this stack");
        refused(ran, 64, &message);
    }
    run(&machine, "plan s --cloud sim --detailed-exitcode").code(0);
    // An address whose quotes a shell would remove is shown in quotes.
    let machine = with(COUNTED);
    run(&machine, "apply s --cloud sim --auto-approve").ok();
    let ran = run(&machine, "destroy s --cloud sim --delete-data bucket.some[000]").code(64);
    assert!(ran.stderr.contains("did you mean `'bucket.some[\"000\"]"), "{ran:?}");
    let ran = run(&machine, "destroy s --cloud sim").ok();
    assert!(ran.stdout.contains("delete it with `--delete-data 'bucket.some[\"000\"]/bucket'`"), "{ran:?}");
}

#[test]
fn nothing_is_changed_without_approval() {
    let machine = with(COUNTED);
    let ran = run(&machine, "apply s --cloud sim").code(64);
    assert!(
        ran.stderr.contains("cannot ask for confirmation: no terminal\n\nhint: add `--auto-approve`"),
        "{ran:?}"
    );
    run(&machine, "plan s --cloud sim --detailed-exitcode").code(2);
    run(&machine, "apply s --cloud sim --auto-approve").ok();
    let destroy = "destroy s --cloud sim --delete-data bucket.some --delete-data control";
    let ran = run(&machine, destroy).code(64);
    assert!(
        ran.stderr.contains("cannot ask for confirmation: no terminal\n\nhint: add `--auto-approve`"),
        "{ran:?}"
    );
    run(&machine, "plan s --cloud sim --detailed-exitcode").code(0);
}

#[test]
fn a_destroy_of_nothing_says_so() {
    let machine = with(POOL);
    let destroy = "destroy s --cloud sim --auto-approve";
    let ran = run(&machine, destroy).ok();
    assert!(ran.stdout.ends_with("\nNothing left to destroy.\n"), "{ran:?}");
    machine.write("s/stack.toml", &POOL.replace("[bucket.models]\nname = \"acme-models\"\n", ""));
    let ran = run(&machine, destroy).ok();
    assert!(
        ran.stdout.contains(" serves.\nNothing to destroy: nothing of the stack exists. If it was"),
        "{ran:?}"
    );
}

#[test]
fn json_is_all_there_is_on_stdout() {
    let machine = with(POOL);
    for line in ["plan s", "apply s --auto-approve", "plan s --detailed-exitcode", "destroy s --auto-approve"]
    {
        let ran = run(&machine, &format!("{line} --cloud sim --json")).ok();
        // Each line is an object of the schema, which demands `version` and `type`.
        assert!(!ran.json().is_empty(), "{ran:?}");
    }
    let ran = run(&machine, "plan nowhere --cloud sim --json").code(65);
    assert_eq!(ran.json()[0]["type"], "diagnostic");
}

#[test]
fn quiet_leaves_results_and_errors() {
    let machine = with(POOL);
    let ran = run(&machine, "apply s --cloud sim --auto-approve --quiet").ok();
    assert!(ran.stdout.contains("\nApply complete: "), "{ran:?}");
    assert_eq!(ran.stderr, "");
    let ran = run(&machine, "plan nowhere --cloud sim -q").code(65);
    assert!(ran.stderr.contains("cannot read `nowhere`"), "{ran:?}");
}

#[test]
fn colour_is_left_out_where_it_is_not_wanted() {
    let bad = "[stack]\nname = 1\n";
    let coloured = |machine: &Drstack, more: &str| {
        run(machine, &format!("validate s{more}")).code(65).stderr.contains('\u{1b}')
    };
    let machine = with(bad).env("CLICOLOR_FORCE", "1");
    assert!(!coloured(&machine, ""), "NO_COLOR is set on this machine");
    let machine = machine.env("NO_COLOR", "");
    assert!(coloured(&machine, ""));
    assert!(!coloured(&machine, " --no-color"));
    assert!(!coloured(&with(bad).env("NO_COLOR", ""), ""), "a pipe is no terminal");
}

#[test]
fn plans_and_results_are_coloured_and_read_the_same_without() {
    let machine = with(POOL).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "");
    let plan = run(&machine, "plan s --cloud sim").ok().stdout;
    for part in ["\u{1b}[32m  +\u{1b}[0m group ", "Symbols: \u{1b}[32m+\u{1b}[0m create"] {
        assert!(plan.contains(part), "{plan:?}");
    }
    assert!(!run(&machine, "plan s --cloud sim --no-color").ok().stdout.contains('\u{1b}'));
    let lines = run(&machine, "plan s --cloud sim --json").ok().stdout;
    assert!(!lines.contains("\\u001b") && !lines.contains('\u{1b}'), "{lines}");
    let plain = run(&with(POOL), "plan s --cloud sim").ok().stdout;
    let stripped =
        ["\u{1b}[32m", "\u{1b}[33m", "\u{1b}[0m"].iter().fold(plan, |it, code| it.replace(code, ""));
    assert_eq!(stripped, plain);
    let apply = run(&machine, "apply s --cloud sim --auto-approve").ok();
    assert!(apply.stdout.contains("\u{1b}[32mApply complete: "), "{apply:?}");
}

#[test]
fn a_region_that_may_be_new_is_warned_of_and_one_that_is_mistyped_is_refused() {
    let valid = |region: &str| run(&with(&POOL.replace("us-west-2", region)), "validate s");
    let ran = valid("us-west-9").ok();
    let warning = "warning[DR018]: this drstack knows no region `us-west-9`";
    assert!(ran.stderr.contains(warning) && ran.stderr.contains("did you mean `us-west-"), "{ran:?}");
    let ran = valid("us-wset-2").code(65);
    assert!(ran.stderr.contains("error[DR015]: `us-wset-2` is not a region"), "{ran:?}");
    assert!(ran.stderr.contains("did you mean `us-west-2`?"), "{ran:?}");
    assert!(!valid("eu-central-2").ok().stderr.contains("DR018"));
}

#[test]
fn a_folder_is_worked_in_as_if_one_stood_there() {
    let machine = with(COUNTED);
    run(&machine, "-C s apply --cloud sim --auto-approve").ok();
    assert!(machine.folder().join("s/.drstack/sim").is_dir());
    assert!(!machine.folder().join(".drstack").exists());
    run(&machine, "plan -C s stack.toml --cloud sim --detailed-exitcode").ok();
    refused(run(&machine, "-C nowhere plan"), 64, "-C nowhere: ");
}

#[test]
fn wrong_usage_exits_with_64_and_says_what_is_known() {
    let machine = drstack();
    for (line, said) in [
        ("aply", "'apply'"),
        ("plan --tagret x", "'--target'"),
        ("plan --cloud moon", "aws, sim"),
        ("apply --parallelism 0", "a number from 1 to 1000"),
        ("init", "<DIR>"),
        ("explain DR999", "known: DR001"),
    ] {
        let ran = run(&machine, line).code(64);
        assert!(ran.stderr.contains(said), "{line}: {ran:?}");
        assert_eq!(ran.stdout, "");
    }
    let none: [&str; 0] = [];
    assert!(machine.run(none).code(64).stderr.contains("Usage: drstack"));
    assert_eq!(run(&machine, "aply --json").code(64).json()[0]["exit"], 64);
}

#[cfg(not(feature = "aws"))]
#[test]
fn a_build_without_aws_says_so() {
    let ran = run(&with(COUNTED), "plan s");
    refused(ran, 64, "this build cannot talk to AWS");
}

#[test]
fn every_code_has_a_page() {
    let machine = drstack();
    for (code, title, page) in drstack_kinds::components().codes() {
        let ran = run(&machine, &format!("explain {}", code.to_lowercase())).ok();
        assert_eq!(ran.stdout, format!("{code}: {title}\n\n{page}\n"));
    }
}

/// Returns the commands that `drstack --help` lists.
fn commands(machine: &Drstack) -> Vec<String> {
    let help = run(machine, "--help").ok().stdout;
    let lines =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<String> =
        lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    assert!(commands.len() > 10, "{help}");
    commands
}

#[test]
fn every_command_shows_an_example_and_is_completed_and_in_the_manual() {
    let machine = drstack();
    let page = run(&machine, "man").ok().stdout;
    assert!(page.contains(".TH drstack 1"), "{page}");
    let scripts =
        ["bash", "zsh", "fish"].map(|shell| run(&machine, &format!("completions {shell}")).ok().stdout);
    for command in commands(&machine).iter().filter(|it| *it != "help") {
        let help = run(&machine, &format!("{command} --help")).ok();
        assert!(
            help.stdout.contains(&format!("drstack {command}")) && help.stdout.contains("Example"),
            "{help:?}"
        );
        assert!(
            page.contains(&format!("drstack\\-{}(1)", command.replace('-', "\\-"))),
            "{command} in {page}"
        );
    }
    for script in &scripts {
        assert!(script.contains("drstack") && script.contains("COMPLETE"), "{script}");
    }
    run(&machine, "completions tcsh").code(64);
}

#[test]
fn kinds_lists_every_component_and_resource() {
    let ran = run(&drstack(), "kinds").ok();
    let components = drstack_kinds::components();
    let kinds = drstack_kinds::kinds();
    let all = components
        .iter()
        .map(|it| (it.name(), it.summary()))
        .chain(kinds.iter().map(|it| (it.name(), it.summary())));
    for (name, summary) in all {
        let listed =
            ran.stdout.lines().any(|line| line.trim_start().starts_with(name) && line.ends_with(summary));
        assert!(listed, "{name}: {ran:?}");
    }
}

#[test]
fn names_with_other_letters_are_followed() {
    let group = "team/fleet: inference (prod) ü+&%20";
    let machine = with(&format!(
        "{}\n[table.features]\nname = \"acme.features_v1-x\"\n",
        POOL.replace("\"serve\"", &format!("\"{group}\"")).replace("acme-models", "acme.models.v1")
    ));
    let ran = run(&machine, "apply s --cloud sim --auto-approve").ok();
    assert!(ran.stdout.contains(&format!("not carried from group {group}: ")), "{ran:?}");
    run(&machine, "plan s --cloud sim --detailed-exitcode").ok();
    run(&machine, "failover s --cloud sim --auto-approve").unasked();
    run(&machine, "failback s --cloud sim --auto-approve").ok();
    run(&machine, "destroy s --cloud sim --auto-approve").ok();
}

/// B16: a second stack in one folder is drawn as it is planned.
#[test]
fn a_second_stack_in_one_folder_is_planned_and_drawn() {
    let machine = with(POOL);
    run(&machine, "apply s --cloud sim --auto-approve").ok();
    let second = POOL.replace("\"demo\"", "\"second\"").replace("\"serve\"", "\"batch\"");
    machine.write("t/stack.toml", &second.replace("acme-models", "acme-logs"));
    let planned = planned(&run(&machine, "plan t --cloud sim --json").ok());
    assert_eq!(planned, names(&["bucket.models", "network.standby", "pool.serving"]));
    let drawn = run(&machine, "graph t --cloud sim").ok().stdout;
    assert!(planned.iter().all(|it| drawn.contains(&format!("\"{it}/"))), "{drawn}");
}

#[test]
fn the_seed_on_the_command_line_decides_the_ids_of_the_simulated_cloud() {
    let world = |options: &str| {
        let machine = with(&format!("{POOL}\n[sim]\nseed = 7\n"));
        run(&machine, &format!("apply s --auto-approve --cloud sim{options}")).ok();
        let text =
            std::fs::read_to_string(machine.folder().join(".drstack/sim/world.json")).expect("a world");
        let world: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let vpcs = world.pointer("/objects/vpc/us-west-2").or(world.pointer("/world/objects/vpc/us-west-2"));
        let ids = vpcs.and_then(|it| it.as_object()).expect("VPCs").keys().cloned();
        ids.collect::<Vec<String>>()
    };
    assert_eq!(world(" --sim-seed 7"), world(""));
    assert_eq!(world(" --sim-seed 8"), world(" --sim-seed 8"));
    assert_ne!(world(" --sim-seed 8"), world(""));
}
