//! `drstack output` and `plan --destroy`: what exists, for other tools, and what would go.

use crate::drstack::{Drstack, drstack};

fn applied() -> Drstack {
    let machine = drstack();
    machine.run(["init", "search"]).ok();
    machine.run(["apply", "search", "--cloud", "sim", "--auto-approve"]).ok();
    machine
}

#[test]
fn the_objects_of_a_stack_are_printed_for_other_tools() {
    let machine = applied();
    let all = machine.run(["output", "search", "--cloud", "sim"]).ok();
    let profile = "drstack-search-pool-serving-instances";
    assert!(
        all.stdout
            .lines()
            .any(|it| it.starts_with("pool.serving/instance-profile ") && it.ends_with(profile)),
        "{all:?}"
    );
    let one = machine.run(["output", "search", "pool.serving/instance-profile", "--cloud", "sim"]).ok();
    assert_eq!(one.stdout, format!("{profile}\n"));
    let env = machine.run(["output", "search", "--env", "--cloud", "sim"]).ok();
    let line = format!("export TF_VAR_pool_serving_instance_profile={profile}");
    assert!(env.stdout.lines().any(|it| it == line), "{env:?}");
    let lines = machine.run(["output", "search", "--json", "--cloud", "sim"]).ok().json();
    let table = lines.iter().find(|it| it["address"] == "table.features/table-replica").expect("the replica");
    assert_eq!((&table["type"], &table["region"]), (&"output".into(), &"us-west-2".into()), "{table}");
    let arn = table["values"].as_array().and_then(|it| it.iter().find(|it| it["name"] == "arn"));
    assert!(
        arn.is_some_and(|it| it["value"].as_str().is_some_and(|it| it.starts_with("arn:aws:dynamodb:"))),
        "{table}"
    );
    let slip = machine.run(["output", "search", "pool.srving/instance-profile", "--cloud", "sim"]).code(64);
    assert!(slip.stderr.contains("did you mean `pool.serving/instance-profile`?"), "{slip:?}");
}

#[test]
fn what_could_not_be_looked_at_is_not_left_out() {
    let machine = applied();
    machine.write("denied.toml", "[[faults]]\nkind = \"group\"\nerror = \"denied\"\n");
    let ran = machine.run(["output", "search", "--cloud", "sim", "--sim", "denied.toml"]).code(1);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("could not look at pool.serving/group"), "{ran:?}");
}

#[test]
fn a_destroy_is_shown_before_it_is_asked_for() {
    let machine = applied();
    let plan = machine.run(["plan", "search", "--destroy", "--cloud", "sim", "--detailed-exitcode"]).code(2);
    assert!(plan.stdout.contains("- group") && plan.stdout.contains("Kept:"), "{plan:?}");
    assert!(
        plan.stdout.starts_with("search: us-east-1 to us-west-2, account 123456789012. us-east-1 serves.")
    );
    machine.run(["plan", "search", "--cloud", "sim", "--detailed-exitcode"]).ok();
    machine.write("lost.toml", "down = [\"us-east-1\", \"global\"]\n");
    machine.run(["failover", "search", "--cloud", "sim", "--sim", "lost.toml", "--auto-approve"]).ok();
    let refused = machine.run(["plan", "search", "--destroy", "--cloud", "sim"]).code(3);
    assert!(refused.stderr.contains("drstack failback search"), "{refused:?}");
    let active = machine.run(["plan", "search", "--cloud", "sim"]).ok();
    assert!(active.stdout.contains("us-west-2 serves (failover of 2026-"), "{active:?}");
}

/// B10: a failover and a failback draw their steps too.
#[test]
fn a_failover_and_a_failback_draw_when_each_step_ran() {
    let machine = applied();
    for command in ["failover", "failback"] {
        let file = format!("{command}.svg");
        let ran =
            machine.run([command, "search", "--cloud", "sim", "--auto-approve", "--timings", &file]).ok();
        let chart = std::fs::read_to_string(machine.folder().join(&file));
        let has_step = |it: &str| it.starts_with("<svg") && it.contains("pool.serving/group");
        assert!(chart.is_ok_and(|it| has_step(&it)), "{ran:?}");
        assert!(ran.stderr.contains(&format!("is drawn in `{file}`")), "{ran:?}");
    }
}

/// B10, F15: nothing is done before it is known that the chart can be written, and no device is replaced.
#[test]
fn a_chart_that_cannot_be_written_is_refused_before_the_run() {
    let machine = applied();
    let ran = machine
        .run(["apply", "search", "--cloud", "sim", "--auto-approve", "--timings", "no/such/when.svg"])
        .code(64);
    assert!(ran.stderr.contains("cannot write `no/such/when.svg`: no such folder"), "{ran:?}");
    #[cfg(unix)]
    {
        let full = machine.run(["plan", "search", "--cloud", "sim", "--out", "/dev/full"]).code(1);
        assert!(full.stderr.contains("cannot write `/dev/full`"), "{full:?}");
        let is_device = std::fs::metadata("/dev/full").is_ok_and(|it| !it.is_file());
        assert!(is_device, "the device is a file now");
    }
}

/// The standby region may be all that is left.
#[test]
fn a_destroy_while_the_primary_does_not_answer_is_refused_as_a_whole() {
    let machine = applied();
    machine.write("lost.toml", "down = [\"us-east-1\", \"global\"]\n");
    let destroy = ["destroy", "search", "--auto-approve", "--cloud", "sim", "--sim", "lost.toml"];
    let ran = machine.run(destroy).code(3);
    assert!(ran.stderr.contains("us-east-1 does not answer"), "{ran:?}");
    assert!(ran.stderr.contains("`drstack failover search"), "{ran:?}");
    let ran = machine.run(destroy.into_iter().chain(["--target", "pool.serving"]));
    assert!(ran.stdout.contains("Destroy "), "{ran:?}");
}
