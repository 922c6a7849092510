//! What people do next: other regions, another name, a part removed, while the standby region serves.

use super::{BATCH, CHECK, LOST, STACK, asked, drstack, line, machine_of, run};

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
    for kept in
        ["pool.serving/group: us-west-2 serves", "network.standby/vpc: cidr cannot be changed in place"]
    {
        assert!(ran.stdout.contains(kept), "{kept}: {ran:?}");
    }
    run(&machine, "plan s --detailed-exitcode", None).ok();
    run(&machine, "failback s --auto-approve", None).ok();
    run(&machine, "apply s --auto-approve", None).ok();
    let left = run(&machine, "plan s --detailed-exitcode", None).ok();
    assert!(!left.stdout.contains("network.standby"), "{left:?}");
}

/// What would have to be made again, or has another name by now, waits for the failback.
#[test]
fn what_serves_is_not_made_again_while_it_serves() {
    let machine = drstack();
    let queue = |name: &str| format!("{STACK}[queue.jobs]\nname = \"{name}\"\n");
    machine.write("s/stack.toml", &queue("acme-jobs"));
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    machine.write("s/stack.toml", &queue("acme-work").replace("10.64.0.0/16", "10.80.0.0/16"));
    let ran = run(&machine, "apply s --auto-approve", None).ok();
    assert!(!ran.stderr.contains("deleted"), "{ran:?}");
    for kept in [
        "network.standby/vpc: cidr cannot be changed in place; it stays as it is: the standby region serves until the failback",
        "queue.jobs/queue: us-west-2 serves: it goes once the stack is failed back",
    ] {
        assert!(ran.stdout.contains(kept), "{kept}: {ran:?}");
    }
    run(&machine, "plan s --detailed-exitcode", None).ok();
    let back = run(&machine, "failback s --auto-approve", None).ok();
    assert!(back.stderr.contains("deleted network.standby/vpc"), "{back:?}");
    let left = run(&machine, "plan s --detailed-exitcode", None).ok();
    assert!(!left.stdout.contains("acme-jobs"), "{left:?}");
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

/// The primary is idle while the standby region serves, so what it has by itself says nothing.
#[test]
fn an_idle_primary_shrinks_nothing_that_serves() {
    let stack = format!("{STACK}{CHECK}").replace("capacity       = 8\n", "");
    let machine = machine_of(&stack);
    let tell = |capacity: u32| {
        let path = machine.folder().join(".drstack/sim/world.json");
        let text = std::fs::read_to_string(&path).expect("a world");
        let mut world: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let fact = &mut world["world"]["facts"]["primary/group/serve"];
        assert!(fact["capacity"].is_number(), "{fact}");
        fact["capacity"] = capacity.into();
        fact["max"] = 40.into();
        machine.write(".drstack/sim/world.json", &world.to_string());
    };
    let desired = || {
        let text =
            std::fs::read_to_string(machine.folder().join(".drstack/sim/world.json")).expect("a world");
        let world: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let groups = world["world"]["objects"]["group"]["us-west-2"].as_object().expect("groups").clone();
        let serving = groups.into_iter().map(|(_, it)| it["live"].clone());
        let mut serving = serving.filter(|it| it["name"] == "drstack-demo-pool-serving");
        serving.next().expect("a group")["desired"].clone()
    };
    run(&machine, "apply s --auto-approve", None).ok();
    tell(20);
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    assert_eq!(desired(), 20);
    tell(1);
    machine.write("later.toml", "between_runs = \"60h\"\n");
    for day in 0..6 {
        run(&machine, "apply s --auto-approve", Some("later.toml")).ok();
        assert_eq!(desired(), 20, "apply {day}");
    }
}

/// What no longer stands in the stack may still be in use, as long as the standby region serves.
#[test]
fn a_queue_and_a_fence_that_are_removed_go_after_the_failback() {
    let stack = format!("{STACK}{CHECK}");
    let more = "[queue.jobs]\nname = \"demo-jobs\"\n[fence.writers]\n";
    let machine = machine_of(&format!("{stack}{more}"));
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    machine.write("s/stack.toml", &format!("{stack}[fence.writers]\n"));
    let ran = run(&machine, "apply s --auto-approve --json", None).ok();
    let gone: Vec<_> = ran.json().into_iter().filter(|it| it["action"] == "delete").collect();
    assert!(gone.is_empty(), "{gone:#?}");
    machine.write("s/stack.toml", &stack);
    let refused = run(&machine, "apply s --auto-approve", None).code(3);
    assert!(refused.stderr.contains("of `fence.writers` says that us-west-2 serves"), "{refused:?}");
    let refused = run(&machine, "failback s --auto-approve", None).code(3);
    assert!(refused.stderr.contains("of `fence.writers` leads to us-west-2 in a failover"), "{refused:?}");
    assert!(refused.stderr.contains("write it into the stack again, fail back"), "{refused:?}");
    machine.write("s/stack.toml", &format!("{stack}{more}"));
    run(&machine, "failback s --auto-approve", None).ok();
    machine.write("s/stack.toml", &stack);
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

/// A runbook that still names the old control bucket works from what was applied before it moved.
#[test]
fn the_bundle_of_a_control_bucket_that_the_stack_has_left_is_refused() {
    let machine = asked();
    let stack = format!("{STACK}{CHECK}").replace("demo-control", "demo-other");
    machine.write("s/stack.toml", &stack.replace("capacity       = 8", "capacity       = 16"));
    run(&machine, "apply s --mode standby --auto-approve", None).ok();
    let old = "failover --bundle s3://demo-control/demo --region us-west-2 --unsigned --auto-approve";
    let refused = run(&machine, old, Some("lost.toml")).code(3);
    assert!(refused.stderr.contains("the stack is kept in `demo-other`"), "{refused:?}");
    let way = "failover --bundle s3://demo-other/demo --region us-west-2 --unsigned";
    assert!(refused.stderr.contains(&format!("`drstack {way}`")), "{refused:?}");
    run(&machine, &format!("{way} --auto-approve"), Some("lost.toml")).ok();
}

/// Whoever can write to the control bucket keeps nobody from failing over with files of their own.
#[test]
fn a_damaged_bundle_does_not_stand_in_the_way_of_the_files() {
    let machine = asked();
    let path = ".drstack/sim/world.json";
    let text = std::fs::read_to_string(machine.folder().join(path)).expect("a world");
    let mut world: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let bundle = &mut world["world"]["buckets"]["demo-control"]["objects"]["bundle.json"];
    *bundle = bundle.as_str().expect("text")[..900].into();
    machine.write(path, &world.to_string());
    let refused = run(&machine, "failover s --auto-approve", Some("lost.toml")).code(1);
    assert!(refused.stderr.contains("run `drstack failover STACK --unsigned`"), "{refused:?}");
    // What the primary had is known from the bundle alone: what exists in the standby region is raised
    // as it is.
    let ran = run(&machine, "failover s --unsigned --auto-approve", Some("lost.toml")).ok();
    assert!(ran.stderr.contains("the bundle cannot be used"), "{ran:?}");
    assert!(
        ran.stdout.contains("Instances in service: 3 before, never fewer than 3, 12 at the end"),
        "{ran:?}"
    );
}

/// What was not waited for is not said to have arrived.
#[test]
fn data_that_is_not_waited_for_is_named_by_the_report() {
    let table = "[table.orders]\nname = \"demo-orders\"\n[[table.orders.check]]\ntable = \"@table.orders\"\n";
    let machine = machine_of(&format!("{STACK}{CHECK}{table}"));
    run(&machine, "apply s --auto-approve", None).ok();
    machine.write("backlog.toml", "backlog = { demo-orders = { waiting = 2 } }\n");
    let planned = "failover s --planned --not-waiting-for table.orders --auto-approve";
    let ran = run(&machine, planned, Some("backlog.toml")).ok();
    assert!(ran.stdout.contains("beside table.orders, which was not waited for"), "{ran:?}");
    assert!(ran.stdout.contains("NOT WAITED FOR table.orders"), "{ran:?}");
    assert!(ran.stdout.contains("Nothing else was left to replicate"), "{ran:?}");
}

/// Another record would have to be led back, too, and neither could be while the other is there.
#[test]
fn a_record_that_leads_users_keeps_its_name_until_the_failback() {
    let machine = drstack();
    let traffic = |record: &str| {
        format!(
            "{STACK}[traffic.api]\nzone = \"example.com\"\nrecord = \"{record}\"\nprimary_target = \"east.example.com\"\nstandby_target = \"west.example.com\"\nprobe = \"https://api.example.com/healthz\"\nwatch = false\n"
        )
    };
    machine.write("s/stack.toml", &traffic("api"));
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml"));
    machine.write("s/stack.toml", &traffic("other"));
    let refused = run(&machine, "apply s --auto-approve", None).code(1);
    let why = "traffic.api/dns-record: `Z0SIMULATED/api.example.com` leads users to us-west-2 and stays until the failback";
    assert!(refused.stdout.contains(why), "{refused:?}");
    machine.write("s/stack.toml", &traffic("api"));
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failback s --auto-approve", None).ok();
    machine.write("s/stack.toml", &traffic("other"));
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

/// What the standby region serves is in one bucket: another would be empty, and the primary's objects
/// would go there.
#[test]
fn a_bucket_that_serves_keeps_its_name_until_the_failback() {
    let machine = drstack();
    let stack =
        |name: &str| STACK.replace("\"acme-models\"", &format!("\"acme-models\"\nstandby_name = \"{name}\""));
    machine.write("s/stack.toml", &stack("acme-west"));
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    machine.write("s/stack.toml", &stack("acme-other"));
    let refused = run(&machine, "apply s --auto-approve", None).code(1);
    let why = "bucket.models/bucket: `acme-west` holds data of us-west-2 and stays until the failback";
    assert!(refused.stdout.contains(why) && !refused.stdout.contains("--delete-data"), "{refused:?}");
    let deleting = run(&machine, "apply s --auto-approve --delete-data bucket.models/bucket", None).code(1);
    assert!(deleting.stdout.contains(why), "{deleting:?}");
    let roles = machine.objects()["replication-role"]["global"].to_string();
    assert!(roles.contains("arn:aws:s3:::acme-west/*"), "{roles}");
    let buckets = machine.objects()["bucket"]["us-west-2"].as_object().expect("buckets").clone();
    assert_eq!(buckets.keys().collect::<Vec<_>>(), ["acme-west"]);
    let vain = run(&machine, "plan s --delete-data pool.serving --delete-data bucket.models", None).code(1);
    let nothing = "pool.serving: `--delete-data` deletes nothing of it";
    assert!(
        vain.stdout.contains(nothing) && !vain.stdout.contains("bucket.models: `--delete-data`"),
        "{vain:?}"
    );
    machine.write("s/stack.toml", &stack("acme-west"));
    run(&machine, "failback s --auto-approve", None).ok();
    machine.write("s/stack.toml", &stack("acme-other"));
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

/// The record of a part, and of an accepted minimum, has names: under another name it would shrink.
#[test]
fn what_the_record_of_a_failover_names_keeps_its_name_until_the_failback() {
    for how in ["--only pool.serving", "--minimum pool.serving=10%"] {
        let machine = drstack();
        machine.write("s/stack.toml", STACK);
        machine.write("lost.toml", LOST);
        run(&machine, "apply s --auto-approve", None).ok();
        run(&machine, &format!("failover s --auto-approve {how}"), Some("lost.toml")).unasked();
        machine.write("s/stack.toml", &STACK.replace("[pool.serving]", "[pool.answers]"));
        for command in ["plan s", "apply s --auto-approve"] {
            let refused = run(&machine, command, None).code(3);
            let why = "`pool.serving` has failed over, and the stack no longer names it";
            assert!(refused.stderr.contains(why), "{how}: {refused:?}");
        }
        machine.write("s/stack.toml", STACK);
        run(&machine, "failback s --auto-approve", None).ok();
        machine.write("s/stack.toml", &STACK.replace("[pool.serving]", "[pool.answers]"));
        run(&machine, "apply s --auto-approve", None).ok();
        run(&machine, "plan s --detailed-exitcode", None).ok();
    }
}

/// What a failover would make under a name that was never applied, nothing reads: traffic would not
/// move, whatever the standby answers.
#[test]
fn traffic_that_was_renamed_or_turned_elsewhere_is_not_moved_by_files_that_were_not_applied() {
    let traffic = "[traffic.api]\nzone = \"example.com\"\nrecord = \"api\"\nprimary_target = \"east.example.com\"\nstandby_target = \"west.example.com\"\nprobe = \"https://api.example.com/healthz\"\n";
    let stack = format!("{STACK}{traffic}");
    for (from, to, why) in [
        ("traffic.api", "traffic.www", "`traffic.api` was applied, and these files do not name it"),
        ("west.example", "other.example", "traffic.api/dns-record: it was last seen with another"),
    ] {
        for how in ["--with-files", "--with-files --planned"] {
            let machine = drstack();
            machine.write("s/stack.toml", &stack);
            machine.write("lost.toml", LOST);
            run(&machine, "apply s --auto-approve", None).ok();
            machine.write("s/stack.toml", &stack.replace(from, to));
            let lost = (!how.contains("planned")).then_some("lost.toml");
            let refused = run(&machine, &format!("failover s --auto-approve {how}"), lost);
            assert_ne!(refused.code, 0, "{how}: {refused:?}");
            let said = format!("{}{}", refused.stdout, refused.stderr);
            assert!(said.contains(why), "{how}: {refused:?}");
            assert!(!refused.stdout.contains("Recovered"), "{how}: {refused:?}");
            // With what was applied it goes on.
            machine.write("s/stack.toml", &stack);
            let on = run(&machine, &format!("failover s --auto-approve {how}"), lost);
            assert!(on.stdout.contains("traffic moved"), "{how}: {on:?}");
        }
    }
}

/// A pool that was renamed after the failover is found by what runs, and counted.
#[test]
fn a_renamed_pool_is_counted_by_a_failover_that_goes_on_with_files() {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    machine.write("s/stack.toml", &STACK.replace("[pool.serving]", "[pool.answers]"));
    let on = run(&machine, "failover s --auto-approve --with-files", Some("lost.toml"));
    assert!(!format!("{}{}", on.stdout, on.stderr).contains("nothing in service"), "{on:?}");
}
