//! Instance types of other sizes replace the usual types that are available neither on-demand nor
//! on spot.

use crate::drstack::drstack;
use crate::reservations::one_pool;

#[test]
fn what_the_usual_types_lack_comes_from_larger_ones_until_there_is_enough() {
    let machine = drstack();
    let usual = "instance_types = [\"g5.xlarge\"]\ncapacity = 8\n";
    machine.write(
        "s/stack.toml",
        &one_pool(&format!("{usual}larger = {{ \"g5.2xlarge\" = 2 }}\nsmaller = {{ \"g5.large\" = 2 }}")),
    );
    machine.write("short.toml", "capacity = { \"g5.xlarge\" = 5, \"g5.2xlarge\" = 1, \"g5.large\" = 9 }\n");
    let run = |args: &[&str]| machine.run([&["--cloud", "sim"], args].concat());
    let now = || {
        let groups = machine.objects()["group"]["us-west-2"].as_object().expect("groups").clone();
        groups.into_values().next().expect("a group")
    };
    let failover = |settings: &[&str]| {
        let ran = run(&[&["failover", "s", "--auto-approve", "--json"], settings].concat()).unasked();
        (ran.json().into_iter().rfind(|line| line["type"] == "report").expect("a report"), now())
    };
    run(&["apply", "s", "--auto-approve"]).ok();

    let (report, group) = failover(&["--sim", "short.toml"]);
    assert_eq!(group["runs"], serde_json::json!({ "g5.xlarge": 5, "g5.2xlarge": 1, "g5.large": 2 }));
    let last = report["degraded"].as_array().and_then(|it| it.last()).expect("a rung").to_string();
    assert!(last.contains("other sizes for the rest: g5.2xlarge, g5.large"), "{report:#}");
    // The group counts in units of half an instance, reports in instances.
    assert_eq!(group["live"]["desired"], 16);
    assert_eq!(report["in_service"], serde_json::json!({ "before": 2, "fewest": 2, "after": 8 }));

    // Whoever runs it again, or applies, ends nothing that serves: it counts as what it is.
    let all = serde_json::json!({ "before": 8, "fewest": 8, "after": 8 });
    let (report, again) = failover(&["--sim", "short.toml"]);
    assert_eq!((&again["runs"], &report["in_service"]), (&group["runs"], &all));
    let weights = serde_json::json!({ "g5.2xlarge": 4, "g5.large": 1, "g5.xlarge": 2 });
    assert_eq!(again["live"]["weights"], weights);
    // With enough for all, what was on spot is bought on-demand.
    let (report, group) = failover(&[]);
    assert_eq!((&group["live"]["weights"], &report["in_service"]), (&weights, &all));
    assert_eq!(report["degraded"], serde_json::json!([]), "{report:#}");
    run(&["plan", "s", "--detailed-exitcode"]).ok();
    let there = group["runs"].clone();
    // Not where the stack names no other size any more either, or counts in other units.
    for sizes in ["", "smaller = { \"g5.large\" = 3 }"] {
        machine.write("s/stack.toml", &one_pool(&format!("{usual}{sizes}\n")));
        run(&["apply", "s", "--auto-approve"]).ok();
        assert_eq!(now()["runs"], there, "{sizes}");
        run(&["plan", "s", "--detailed-exitcode"]).ok();
    }
    run(&["failback", "s", "--auto-approve"]).ok();
    run(&["plan", "s", "--detailed-exitcode"]).ok();
}

/// B11
#[test]
fn a_plan_for_the_other_mode_shows_the_rungs_of_each_pool_that_it_raises() {
    let machine = drstack();
    let usual = "instance_types = [\"g5.xlarge\"]\ncapacity = 8\n";
    machine.write("s/stack.toml", &one_pool(&format!("{usual}larger = {{ \"g5.2xlarge\" = 2 }}\n")));
    let run = |line: &str| machine.run(line.split(' ').chain(["--cloud", "sim"])).ok();
    run("apply s --auto-approve");
    let names = [
        "spot for what on-demand lacks",
        "other sizes for the rest: g5.2xlarge",
        "at least 5 of 8 instances",
    ];
    let shown: String = names.iter().map(|it| format!("      if short: {it}\n")).collect();
    for line in ["plan s --mode active", "failover s --dry-run"] {
        let text = run(line).stdout;
        assert!(text.contains(&shown), "{line}: {text}");
        assert_eq!(text.matches("if short").count(), names.len(), "{line}: {text}");
        let steps = run(&format!("{line} --json")).json();
        let rungs = |kind: &str| steps.iter().find(|it| it["kind"] == kind).map(|it| it["rungs"].clone());
        assert_eq!(rungs("group"), Some(names.as_slice().into()), "{line}");
    }
    // What a pool runs in standby has no ladder.
    machine.write("s/stack.toml", &one_pool(&usual.replace('8', "16")));
    let standby = run("plan s").stdout;
    assert!(standby.contains("desired: 2 -> 4") && !standby.contains("if short"), "{standby}");
}

#[test]
fn the_launch_budget_counts_instances() {
    let machine = drstack();
    let usual = "instance_types = [\"g5.xlarge\"]\ncapacity = 900\nrto = \"30m\"\n";
    machine.write("s/stack.toml", &one_pool(&format!("{usual}smaller = {{ \"g5.large\" = 4 }}")));
    let ran = machine.run(["plan", "s", "--cloud", "sim"]).ok();
    assert!(!ran.stderr.contains("DR240"), "{ran:?}");
}

#[cfg(feature = "aws")]
mod servers {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use crate::drstack::Ran;
    use crate::lost_region::{GPUS, STANDARD, allow, failover};
    use crate::main_job::{apply, nothing_to_do};
    use crate::reservations::one_pool;
    use crate::servers::{PRIMARY, STANDBY, Server};

    fn seed(server: &Server) {
        server.boto().seed(
            &json!([{ "kind": "group", "name": "serve", "types": ["m5.large", "c5.large"], "capacity": 8 }]),
        );
    }

    fn group(world: &Value) -> &Value {
        &world["groups"]["drstack-fleet-pool-inference"]
    }

    /// Counts the running instances of the group, by type and lifecycle.
    fn running(server: &Server) -> BTreeMap<String, u32> {
        let world = server.boto().world(STANDBY, &["groups", "instances"]);
        let mut running = BTreeMap::new();
        for id in group(&world)["instances"].as_array().expect("instances") {
            let it = &world["instances"][id.as_str().expect("an id")];
            if it["state"] == "running" {
                let what = format!(
                    "{} {}",
                    it["type"].as_str().expect("a type"),
                    it["lifecycle"].as_str().expect("a lifecycle")
                );
                *running.entry(what).or_insert(0) += 1;
            }
        }
        running
    }

    fn degraded(ran: &Ran) -> Value {
        let report = ran.json().into_iter().rfind(|line| line["type"] == "report").expect("a report");
        report["degraded"].clone()
    }

    /// The account may have two on-demand and two spot instances of the usual types, and more of
    /// the larger type.
    #[test]
    fn a_quota_for_the_usual_types_is_answered_with_larger_ones() {
        let Some(server) = Server::fakecloud(&["--enforce-quotas"]) else { return };
        allow(&server, PRIMARY, STANDARD, 200);
        allow(&server, STANDBY, GPUS, 200);
        seed(&server);
        let machine = server.drstack();
        machine.write("s/stack.toml", &one_pool("larger = { \"g4dn.xlarge\" = 2 }"));
        apply(&machine);
        nothing_to_do(&machine);
        server.find();
        server.black_out("hang");
        let ran = failover(&machine).unasked();
        server.find();
        assert!(degraded(&ran).to_string().contains("other sizes for the rest: g4dn.xlarge"), "{ran:?}");
        // On spot, either of the two usual types may launch.
        let there = running(&server);
        let spot: u32 = there.iter().filter(|(what, _)| what.ends_with("spot")).map(|(_, count)| count).sum();
        assert_eq!((spot, there.get("g4dn.xlarge on-demand")), (2, Some(&2)), "{there:?}");
        let world = server.boto().world(STANDBY, &["groups"]);
        let overrides = group(&world)["mixed"]["LaunchTemplate"]["Overrides"].clone();
        let weight = |of: &str, weight: &str| json!({ "InstanceType": of, "WeightedCapacity": weight });
        assert_eq!(
            overrides,
            json!([weight("g4dn.xlarge", "2"), weight("m5.large", "1"), weight("c5.large", "1")])
        );

        // Once there is enough, on-demand instances of all of these types make up the rest. Those in
        // service are kept.
        allow(&server, STANDBY, STANDARD, 200);
        server.black_out("hang");
        let ran = failover(&machine).unasked();
        server.find();
        assert_eq!(degraded(&ran), json!([]));
        let there = running(&server);
        let count = |of: &str| there.get(of).copied().unwrap_or(0);
        let (large, usual) = (count("g4dn.xlarge on-demand"), count("m5.large on-demand"));
        assert!(large >= 2 && 2 * large + usual == 8 && there.len() <= 2, "{there:?}");
        nothing_to_do(&machine);
    }

    #[test]
    fn a_smaller_type_makes_the_group_count_in_units() {
        let Some(server) = Server::moto() else { return };
        seed(&server);
        let machine = server.drstack();
        machine.write("s/stack.toml", &one_pool("smaller = { \"t3.medium\" = 2 }"));
        apply(&machine);
        nothing_to_do(&machine);
        let sizes = || {
            let world = server.boto().world(STANDBY, &["groups"]);
            (group(&world)["sizes"]["desired"].clone(), group(&world)["instances"].as_array().map(Vec::len))
        };
        assert_eq!(sizes(), (json!(4), Some(2)));
        failover(&machine).unasked();
        assert_eq!(sizes(), (json!(16), Some(8)));
        nothing_to_do(&machine);
    }
}
