//! Plan files are applied exactly as they were made, or refused.

use crate::drstack::{Drstack, Ran, drstack};

const STACK: &str = r#"
[stack]
name = "demo"
primary = "us-east-1"
standby = "us-west-2"
posture = "warm"

[inputs]
days = { type = "integer", default = 7 }

[bucket.models]
name = "acme-models"
old_versions_days = "${input.days}"
"#;

/// Returns a machine with a stack in `s` and a plan of it in `today.plan`.
fn planned(more: &[&str]) -> Drstack {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    machine.run([&["plan", "s", "--cloud", "sim", "--out", "today.plan"], more].concat()).ok();
    machine
}

fn apply(machine: &Drstack, more: &[&str]) -> Ran {
    machine.run([&["apply", "today.plan", "--cloud", "sim"], more].concat())
}

/// Asserts that the plan file is refused with `code`, and that stderr says `message` and gives a
/// hint.
#[track_caller]
fn refused(ran: Ran, code: i32, message: &str) {
    let ran = ran.code(code);
    assert!(ran.stderr.contains(message) && ran.stderr.contains("\n\nhint: "), "{ran:?}");
}

#[test]
fn a_plan_file_is_applied_without_a_question_and_only_once() {
    let machine = planned(&["-i", "days=9"]);
    let ran = apply(&machine, &[]).ok();
    assert!(ran.stdout.contains("\nApply complete: 4 steps done in "), "{ran:?}");
    machine.run(["plan", "s", "--cloud", "sim", "-i", "days=9", "--detailed-exitcode"]).ok();
    refused(apply(&machine, &[]), 4, "the world changed since this plan was made");
}

#[test]
fn a_plan_file_is_refused_after_the_stack_an_input_or_the_world_changed() {
    let machine = planned(&[]);
    machine.write("s/stack.toml", &STACK.replace("acme-models", "acme-weights"));
    refused(apply(&machine, &[]), 4, "the stack, a module or an input changed since this plan was made");

    let machine = planned(&[]).env("DRSTACK_INPUT_days", "8");
    refused(apply(&machine, &[]), 4, "the stack, a module or an input changed since this plan was made");

    let machine = planned(&[]);
    let target = ["--target", "bucket.models/bucket", "--auto-approve"];
    machine.run([&["apply", "s", "--cloud", "sim"][..], &target].concat()).ok();
    refused(apply(&machine, &[]), 4, "bucket.models/bucket no longer needs what was planned");
}

#[test]
fn a_plan_file_that_is_cut_short_or_none_at_all_is_refused() {
    let machine = planned(&[]);
    let whole = std::fs::read_to_string(machine.folder().join("today.plan")).expect("the plan");
    for share in 1..8 {
        let cut = &whole[..(whole.len() * share / 8).max(16)];
        machine.write("today.plan", cut);
        refused(apply(&machine, &[]), 64, &format!("cut short: it ends after {} bytes", cut.len()));
    }
    machine.write("today.plan", &whole.replace("\"format\":2", "\"format\":7"));
    refused(apply(&machine, &[]), 64, "`today.plan`: the format is 7, this drstack reads 2");
    for text in ["", "hello\n", "{}", "[1, 2]", "\u{1f}\u{8b}"] {
        machine.write("today.plan", text);
        refused(apply(&machine, &[]), 64, "`today.plan`: not a drstack plan file");
    }
    machine.run(["plan", "s", "--cloud", "sim", "--detailed-exitcode"]).code(2);
}

#[test]
fn a_plan_file_is_shown_as_it_was_planned_without_stack_or_cloud() {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    let with_key = STACK.replace("[inputs]", &format!("signing = \"{}\"\n[inputs]", key(&machine)));
    machine.write("signed/stack.toml", &with_key);
    for (stack, mode, signing, code) in [
        ("s", "standby", "The stack asks for no signature", 0),
        ("signed", "standby", "has to be signed: ed25519:", 0),
        // Blocked: nothing is applied yet.
        ("s", "active", "The stack asks for no signature", 1),
    ] {
        let plan = ["plan", stack, "--cloud", "sim", "--out", "today.plan", "-i", "days=9", "--mode", mode];
        let printed = machine.run(plan).code(code).stdout;
        let lines = machine.run(plan.iter().chain(&["--json"])).code(code);
        std::fs::rename(machine.folder().join(stack), machine.folder().join("away")).expect("rename");
        let shown = machine.run(["show", "today.plan"]).ok();
        std::fs::rename(machine.folder().join("away"), machine.folder().join(stack)).expect("rename");
        let (head, rest) = shown.stdout.split_once("\n\n").expect("a head");
        assert_eq!(rest, printed, "{stack}");
        let made =
            format!("`today.plan`: a plan of stack `demo`, from `{stack} -i days=9`, made at 2026-01-01T00:");
        assert!(head.starts_with(&made) && head.contains(&format!("for mode {mode}.")), "{head}");
        assert!(head.contains(signing) && head.contains("refuse"), "{head}");
        assert!(rest.starts_with("demo: us-east-1 to us-west-2, account 123456789012."), "{rest}");
        let (lines, shown) = (lines.json(), machine.run(["show", "today.plan", "--json"]).ok().json());
        assert_eq!(shown[0]["type"], "plan_file");
        let planned = lines.iter().filter(|it| it["type"] != "written").collect::<Vec<_>>();
        assert_eq!(shown[1..].iter().collect::<Vec<_>>(), planned);
    }
    refused(machine.run(["show", "nowhere.plan"]), 64, "cannot read `nowhere.plan`: no such file");
    refused(machine.run(["show", "s/stack.toml"]), 64, "`s/stack.toml`: not a drstack plan file");
}

/// Returns the public half of a new key.
fn key(machine: &Drstack) -> String {
    machine.run(["keys", "new", "key"]).ok().stdout.trim().to_owned()
}

#[test]
fn verbose_prints_all_values_and_a_policy_statement_by_statement() {
    let machine = drstack();
    let pool = |buckets: &str| {
        let other = "[bucket.other]\nname = \"acme-other\"\n[network.standby]\ncidr = \"10.64.0.0/16\"\n";
        let pool = "[pool.serving]\nfollows = \"serve\"\nnetwork = \"@network.standby\"\n";
        machine.write("s/stack.toml", &format!("{STACK}{other}{pool}buckets = [{buckets}]\n"));
    };
    pool("\"@bucket.models\"");
    let main = machine.run(["plan", "s", "--cloud", "sim", "--out", "today.plan"]).ok().stdout;
    let all = machine.run(["show", "today.plan", "--verbose"]).ok().stdout;
    for line in [
        "      id: acme-models-us-west-2\n",
        "      cidr: \"10.64.0.0/16\"\n",
        "      vpc: id of network.standby/vpc (known after apply)\n",
        "        + Allow sts:AssumeRole for Service = ec2.amazonaws.com\n",
    ] {
        assert!(all.contains(line) && !main.contains(line), "{line}\n{all}");
    }
    let lines = machine.run(["show", "today.plan", "--verbose", "--json"]).ok().json();
    assert!(lines.iter().any(|it| it["values"]["cidr"] == "10.64.0.0/16"));

    machine.run(["apply", "s", "--cloud", "sim", "--auto-approve"]).ok();
    pool("\"@bucket.models\", \"@bucket.other\"");
    let changed = machine.run(["plan", "s", "--cloud", "sim"]).ok().stdout;
    let (_, role) = changed.split_once("~ instance-role").expect("a change");
    let lines: Vec<&str> = role.lines().skip(1).take_while(|it| it.starts_with("      ")).collect();
    assert_eq!(lines[0], "      policy:");
    let signs = lines[1..].iter().map(|it| it.trim_start().chars().next().expect("a line"));
    assert_eq!(signs.collect::<String>(), "--++", "{changed}");
    let added = "        + Allow s3:GetObject on arn:aws:s3:::acme-models-us-west-2/*, arn:aws:s3:::acme-other-us-west-2/* if";
    assert!(lines[4].starts_with(added), "{changed}");
}

#[test]
fn a_plan_file_whose_steps_do_not_fit_together_is_refused() {
    let machine = planned(&[]);
    let file = std::fs::read_to_string(machine.folder().join("today.plan")).expect("the plan");
    let whole: serde_json::Value = serde_json::from_str(&file).expect("JSON");
    for (field, value) in [
        ("/plan/steps/0/needs", serde_json::json!([0])),
        ("/plan/steps/0/needs", serde_json::json!([99])),
        ("/plan/steps/0/estimate", serde_json::json!(1e300)),
        ("/plan/steps/0/estimate", serde_json::json!(-1.0)),
        ("/plan/gates", serde_json::json!([{"needs": [1], "holds": [1]}])),
        ("/plan/gates", serde_json::json!([{"needs": [0], "holds": [2, 1]}])),
        ("/plan/gates", serde_json::json!([{"needs": [0], "holds": [99]}])),
    ] {
        let mut broken = whole.clone();
        match broken.pointer_mut(field) {
            Some(it) => *it = value,
            None => broken["plan"]["gates"] = value,
        }
        machine.write("today.plan", &broken.to_string());
        refused(machine.run(["show", "today.plan"]), 64, "its steps do not fit together");
    }
}

#[test]
fn a_plan_file_brings_its_own_inputs_and_targets() {
    let machine = planned(&[]);
    for more in [["-i", "days=9"], ["--target", "bucket.models"], ["--delete-data", "bucket.models"]] {
        refused(apply(&machine, &more), 64, "a plan file is applied as it was made");
    }
    machine.write("s/today.plan", "");
    let out = machine.run(["plan", "s", "--cloud", "sim", "--out", "today.toml"]);
    refused(out, 64, "`today.toml` would be taken for a stack");
    let out = machine.run(["plan", "s", "--cloud", "sim", "--out", "no/folder/today.plan"]);
    refused(out, 1, "cannot write `no/folder/today.plan`: no such folder");
}

#[test]
fn a_plan_of_a_failover_is_shown_and_kept_but_not_applied() {
    let machine = planned(&[]);
    apply(&machine, &[]).ok();
    machine.run(["plan", "s", "--cloud", "sim", "--out", "today.plan", "--mode", "active"]).ok();
    refused(apply(&machine, &[]), 64, "a plan that changes the mode cannot be applied");
}
