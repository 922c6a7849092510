//! What people do next: other regions, another name, a part removed, while the standby region serves.

use super::{BATCH, CHECK, LOST, STACK, asked, line, machine_of, run};

fn failed_over() -> crate::drstack::Drstack {
    let machine = asked();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    machine
}

/// Resources are found by the stack's name and region: with others they would be out of sight.
#[test]
fn a_stack_keeps_its_regions_and_its_name() {
    let stack = format!("{STACK}{CHECK}");
    for machine in [asked(), failed_over()] {
        machine.write("s/stack.toml", &stack.replace("us-west-2", "eu-west-1"));
        for command in
            ["plan s", "apply s --auto-approve", "destroy s --auto-approve", "failback s --auto-approve"]
        {
            let ran = run(&machine, command, None).code(3);
            assert!(ran.stderr.contains("is of `demo`, from us-east-1 to us-west-2"), "{command}: {ran:?}");
            assert!(
                ran.stderr.contains("write `primary = \"us-east-1\"` and `standby = \"us-west-2\"` again"),
                "{ran:?}"
            );
        }
        machine.write("s/stack.toml", &stack.replace("name    = \"demo\"", "name    = \"shop\""));
        let ran = run(&machine, "apply s --auto-approve", None).code(3);
        assert!(ran.stderr.contains("write `name = \"demo\"` again"), "{ran:?}");
        machine.write("s/stack.toml", &stack);
        run(&machine, "plan s --detailed-exitcode", None).ok();
    }
}

/// An apply makes no outage that a destroy refuses.
#[test]
fn what_serves_is_not_deleted_while_it_serves() {
    let machine = failed_over();
    let one = STACK.split("[pool.batch]").next().expect("a head");
    let check = "[[pool.serving.check]]\nhttp = \"https://standby.example.com/healthz\"\n";
    machine.write("s/stack.toml", &format!("{one}{check}"));
    let plan = run(&machine, "plan s --detailed-exitcode", None).ok();
    assert!(
        plan.stdout.contains("pool.batch/group: us-west-2 serves: it goes once the stack is failed back"),
        "{plan:?}"
    );
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failback s --auto-approve", None).ok();
    let gone = run(&machine, "apply s --auto-approve", None).ok();
    let left = run(&machine, "plan s --detailed-exitcode", None).ok();
    assert!(!left.stdout.contains("pool.batch/group"), "{gone:?} {left:?}");
}

/// A network that is made anew goes with the last pool that is in it.
#[test]
fn what_serves_keeps_the_network_that_it_is_in() {
    let machine = failed_over();
    let network = STACK.split("[pool.").next().expect("a head").replace("10.64.0.0/16", "10.80.0.0/16");
    machine.write("s/stack.toml", &network);
    let ran = run(&machine, "apply s --auto-approve", None).ok();
    for kept in ["pool.serving/group: us-west-2 serves", "network.standby/vpc: `vpc-"] {
        assert!(ran.stdout.contains(kept), "{kept}: {ran:?}");
    }
    run(&machine, "plan s --detailed-exitcode", None).ok();
    run(&machine, "failback s --auto-approve", None).ok();
    run(&machine, "apply s --auto-approve", None).ok();
    let left = run(&machine, "plan s --detailed-exitcode", None).ok();
    assert!(!left.stdout.contains("network.standby"), "{left:?}");
}

/// A part that failed over before and was asked then is not called unasked by a run of another part.
#[test]
fn a_part_is_judged_by_what_was_asked_for() {
    let machine = asked();
    let ran = run(&machine, "failover s --only pool.batch --auto-approve --json", Some("lost.toml")).ok();
    assert_eq!(line(&ran, "report")["verdict"], "partial", "{ran:?}");
    let ran = run(&machine, "failover s --only tier=1 --auto-approve --json", Some("lost.toml")).ok();
    let report = line(&ran, "report");
    assert_eq!(
        (&report["verdict"], &report["unasked"]),
        (&"partial".into(), &serde_json::json!([])),
        "{report:#}"
    );
}

/// Nobody is told to send users to a pool with nothing in service.
#[test]
fn no_hint_goes_without_a_pool_that_is_empty() {
    let traffic = "[traffic.api]\nzone = \"example.com\"\nrecord = \"api\"\nprimary_target = \"east.example.com\"\nstandby_target = \"west.example.com\"\nprobe = \"https://api.example.com/healthz\"\n";
    let stack = STACK.replace("\"warm\"", "\"pilot-light\"").replace("15m", "1h");
    let machine = machine_of(&format!("{stack}{BATCH}{traffic}"));
    machine.write("none.toml", &format!("{LOST}capacity = {{ \"g5.xlarge\" = 0 }}\n"));
    let ran = run(&machine, "failover s --auto-approve --accept-degraded", Some("none.toml")).code(1);
    assert!(ran.stderr.contains("has nothing in service; fix that and run"), "{ran:?}");
    assert!(!ran.stderr.contains("--not-waiting-for pool.serving"), "{ran:?}");
}

/// A new pool needs a role, which IAM of the lost region would have to make.
#[test]
fn files_that_do_not_fit_what_exists_change_nothing() {
    let machine = asked();
    let more = "[pool.more]\nfollows = \"serve\"\nnetwork = \"@network.standby\"\ninstance_types = [\"g5.xlarge\"]\ncapacity = 2\nbuckets = [\"@bucket.models\"]\nimage = \"ami-own\"\n";
    machine.write("s/stack.toml", &format!("{STACK}{CHECK}{more}"));
    let ran = run(&machine, "failover s --with-files --auto-approve", Some("lost.toml")).code(3);
    assert!(ran.stderr.contains("the files do not fit what exists"), "{ran:?}");
    assert!(ran.stderr.contains("run it with `--unsigned` in place of `--with-files`"), "{ran:?}");
    run(&machine, "failover s --auto-approve --unsigned", Some("lost.toml")).ok();
}

#[test]
fn an_outage_is_not_noticed_in_the_future() {
    let machine = asked();
    let ran =
        run(&machine, "failover s --auto-approve --detected-at 2099-01-01T00:00:00Z", Some("lost.toml"))
            .code(64);
    assert!(ran.stderr.contains("`--detected-at`: 2099-01-01T00:00:00Z is not over yet"), "{ran:?}");
}

/// The times of a run lie after its decision; those of an earlier one are called so.
#[test]
fn a_second_run_says_which_times_are_those_of_the_first() {
    let stack = STACK.replace("capacity       = 8", "capacity       = 40");
    let machine = machine_of(&format!("{stack}{CHECK}"));
    machine.write("short.toml", &format!("{LOST}capacity = {{ \"g5.xlarge\" = 12 }}\n"));
    let first =
        line(&run(&machine, "failover s --auto-approve --json", Some("short.toml")).code(1), "report");
    assert!(first["clock"]["first_run"].is_null(), "{first:#}");
    let second = line(&run(&machine, "failover s --auto-approve --json", Some("lost.toml")), "report");
    let moment = |of: &str| second["clock"][of].as_str().unwrap_or_else(|| panic!("no {of}: {second:#}"));
    assert!(moment("decided") <= moment("started") && moment("started") <= moment("done"), "{second:#}");
    assert_eq!(moment("first_run"), first["clock"]["started"].as_str().expect("a time"));
    let said = run(&machine, "failover s --auto-approve", Some("lost.toml"));
    assert!(!said.stdout.contains("  started") || said.stdout.contains("first run started"), "{said:?}");
}

/// An unfinished failover is not said to serve, and its way on is named.
#[test]
fn a_destroy_says_what_is_so_while_a_failover_is_not_complete() {
    let stack = STACK.replace("capacity       = 8", "capacity       = 40");
    let machine = machine_of(&format!("{stack}{CHECK}"));
    machine.write("short.toml", &format!("{LOST}capacity = {{ \"g5.xlarge\" = 12 }}\n"));
    run(&machine, "failover s --auto-approve", Some("short.toml")).code(1);
    let ran = run(&machine, "destroy s --auto-approve", None).code(3);
    assert!(ran.stderr.contains("a failover to us-west-2 is not complete"), "{ran:?}");
    run(&machine, "failback s --auto-approve", None).ok();
    run(&machine, "destroy s --auto-approve", None).ok();
}

/// The plan of an outage names a failover that works in that very state.
#[test]
fn the_way_out_of_an_outage_works_also_with_edited_files() {
    let machine = asked();
    let plan = run(&machine, "plan s", Some("lost.toml")).code(1);
    assert!(plan.stderr.contains("run `drstack failover s`: it needs no answer"), "{plan:?}");
    assert!(!plan.stdout.contains("Nothing can be done"), "{plan:?}");
    machine.write(
        "s/stack.toml",
        &format!("{STACK}{CHECK}").replace("capacity       = 8", "capacity       = 9"),
    );
    let plan = run(&machine, "plan s", Some("lost.toml")).code(1);
    for way in ["`drstack failover s --unsigned`, which", "`drstack failover s --with-files`, which"] {
        assert!(plan.stderr.contains(way), "{way}: {plan:?}");
    }
    run(&machine, "failover s --auto-approve", Some("lost.toml")).code(64);
    run(&machine, "failover s --unsigned --auto-approve", Some("lost.toml")).ok();
}

/// What is blocked serves at no predicted time.
#[test]
fn a_dry_run_in_which_something_is_blocked_meets_no_rto() {
    let machine = asked();
    let more = "[pool.more]\nfollows = \"serve\"\nnetwork = \"@network.standby\"\ninstance_types = [\"g5.xlarge\"]\ncapacity = 2\nbuckets = [\"@bucket.models\"]\nimage = \"ami-own\"\n";
    machine.write("s/stack.toml", &format!("{STACK}{CHECK}{more}"));
    let ran = run(&machine, "failover s --with-files --dry-run", Some("lost.toml")).code(1);
    assert!(ran.stdout.contains("RTO 15m: not met while something is blocked"), "{ran:?}");
    let ran = run(&machine, "failover s --with-files --dry-run --json", Some("lost.toml")).code(1);
    assert_eq!(line(&ran, "plan")["forecast"]["meets_rto"], false, "{ran:?}");
}
