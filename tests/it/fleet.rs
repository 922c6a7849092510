//! A failover whose instances EC2 Fleet launches and the group adopts.
//!
//! moto launches the instances of a fleet of type `instant` and attaches them, but knows neither
//! scarcity nor idempotency tokens: `tests/servers/fleets.py` adds scarcity. Its groups run
//! everything on-demand.

use crate::drstack::drstack;
use crate::reservations::one_pool;

#[test]
fn who_launches_is_nothing_to_the_standby_and_to_what_a_failover_ends_in() {
    let group = |engine: &str| {
        let machine = drstack();
        machine.write("s/stack.toml", &one_pool(engine));
        let run = |args: &[&str]| machine.run([&["--cloud", "sim"], args].concat());
        let world = || {
            let path = machine.folder().join(".drstack/sim/world.json");
            let world: serde_json::Value =
                serde_json::from_slice(&std::fs::read(path).expect("a world")).expect("JSON");
            let groups = world["world"]["objects"]["group"]["us-west-2"].as_object().expect("groups");
            let mut live = groups.values().next().expect("a group")["live"].clone();
            // Who it was sized for differs, and nothing else.
            live.as_object_mut().expect("fields").remove("sized_for");
            live
        };
        run(&["apply", "s", "--auto-approve"]).ok();
        let standby = world();
        run(&["failover", "s", "--auto-approve"]).unasked();
        let active = world();
        run(&["failback", "s", "--auto-approve"]).ok();
        // By then Auto Scaling has replaced the on-demand instances.
        machine.write("later.toml", "between_runs = \"1h\"");
        run(&["--sim", "later.toml", "plan", "s", "--detailed-exitcode"]).ok();
        assert_eq!(world(), standby);
        (standby, active)
    };
    assert_eq!(group("engine = \"fleet\""), group(""));
}

#[cfg(feature = "aws")]
mod servers {
    use std::process::Stdio;
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::one_pool;
    use crate::drstack::Drstack;
    use crate::kills::until_called;
    use crate::lost_region::{expect_full, failover, report};
    use crate::main_job::{apply, nothing_to_do};
    use crate::servers::{STANDBY, Server};

    const GROUP: &str = "drstack-fleet-pool-inference";

    /// Returns a machine with an applied stack whose pool runs a quarter of `capacity` in standby.
    fn applied(server: &Server, capacity: u32, more: &str) -> Drstack {
        server.boto().seed(
            &json!([{ "kind": "group", "name": "serve", "types": ["m5.large", "c5.large"], "capacity": capacity }]),
        );
        let machine = server.drstack();
        machine.write("s/stack.toml", &one_pool(&format!("engine = \"fleet\"\n{more}")));
        apply(&machine);
        server.find();
        machine
    }

    fn calls(server: &Server, operation: &str) -> u64 {
        server.calls().get(&format!("{STANDBY}/{operation}")).copied().unwrap_or(0)
    }

    /// Asserts that the pool is at full size, with no instance outside its group.
    #[track_caller]
    fn expect_whole(server: &Server, capacity: u64) -> Value {
        let world = server.boto().world(STANDBY, &["groups", "instances"]);
        expect_full(&world, "inference", capacity);
        let sizes = json!({ "min": capacity, "max": 2 * capacity, "desired": capacity });
        assert_eq!(world["groups"][GROUP]["sizes"], sizes);
        let all = world["instances"].as_object().expect("instances");
        assert_eq!(all.len() as u64, capacity, "{:#?}", all.keys());
        world
    }

    /// Counts the instances that carry the tag of a launch by Fleet.
    fn launched_by_fleet(world: &Value) -> usize {
        let all = world["instances"].as_object().expect("instances").values();
        all.filter(|it| it["tags"]["drstack:burst"] == "pool.inference/group").count()
    }

    #[test]
    fn one_request_launches_what_is_missing_and_the_group_adopts_it() {
        let Some(server) = Server::moto() else { return };
        let machine = applied(&server, 8, "");
        server.black_out("hang");
        let ran = failover(&machine).unasked();
        assert_eq!(calls(&server, "ec2/CreateFleet"), 1, "{:?}", server.calls());
        assert_eq!(calls(&server, "autoscaling/AttachInstances"), 1);
        assert_eq!(report(&ran)["in_service"], json!({ "before": 2, "fewest": 2, "after": 8 }), "{ran:?}");
        server.find();
        let world = expect_whole(&server, 8);
        assert_eq!(launched_by_fleet(&world), 6);
        let instances = world["instances"].as_object().expect("instances").values();
        for it in instances.filter(|it| !it["tags"]["drstack:burst"].is_null()) {
            assert_eq!((&it["type"], &it["tags"]["drstack:stack"]), (&json!("m5.large"), &json!("fleet")));
            assert_eq!(it["tags"]["drstack:address"], "pool.inference/group");
        }
        nothing_to_do(&machine);
        machine.run(["failback", "s", "--auto-approve"]).ok();
        assert_eq!(calls(&server, "ec2/TerminateInstances"), 0, "what the group has is the group's to end");
        let world = server.boto().world(STANDBY, &["groups", "instances"]);
        assert_eq!(world["groups"][GROUP]["sizes"]["desired"], 2);
        assert_eq!(world["instances"].as_object().expect("instances").len(), 2);
        // The next failover launches for itself, and raises a maximum that was lowered by hand.
        server.boto().drift(STANDBY, "group-sizes", GROUP, json!({ "min": 2, "max": 2, "desired": 2 }));
        server.find();
        failover(&machine).unasked();
        assert_eq!(calls(&server, "ec2/CreateFleet"), 1);
        expect_whole(&server, 8);
    }

    /// Kills a failover between launch and adoption, and frees its lock.
    fn killed(server: &Server, machine: &Drstack) {
        server.fail(STANDBY, "AttachInstances", ("ResourceContention", 400), None);
        let mut command = machine.command(["failover", "s", "--auto-approve"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("start drstack");
        until_called(server, "/AttachInstances");
        child.kill().expect("kill drstack");
        child.wait().expect("bury drstack");
        server.find();
        machine.run(["unlock", "s", "--force"]).ok();
    }

    /// A cold pool has no group at first, and 45 instances are more than two calls attach.
    #[test]
    fn a_group_that_was_not_there_is_made_empty_and_filled() {
        let Some(server) = Server::moto() else { return };
        let machine = applied(&server, 45, "posture = \"cold\"");
        server.black_out("hang");
        failover(&machine).unasked();
        assert_eq!(calls(&server, "ec2/CreateFleet"), 1, "{:?}", server.calls());
        assert_eq!(calls(&server, "autoscaling/CreateAutoScalingGroup"), 1);
        assert_eq!(calls(&server, "autoscaling/AttachInstances"), 3);
        server.find();
        let world = expect_whole(&server, 45);
        assert_eq!(launched_by_fleet(&world), 45);
        nothing_to_do(&machine);
    }

    /// The failover is killed between launch and adoption.
    #[test]
    fn what_a_killed_failover_launched_is_adopted_by_the_next_and_not_launched_again() {
        let Some(server) = Server::moto() else { return };
        let machine = applied(&server, 8, "");
        killed(&server, &machine);
        let world = server.boto().world(STANDBY, &["groups", "instances"]);
        assert_eq!(world["groups"][GROUP]["instances"].as_array().map(Vec::len), Some(2));
        assert_eq!(launched_by_fleet(&world), 6, "they run beside the group");
        server.find();
        failover(&machine).unasked();
        assert_eq!(calls(&server, "ec2/CreateFleet"), 0, "{:?}", server.calls());
        expect_whole(&server, 8);

        // Some instances of the failed run end before the next run, which launches only the missing
        // ones.
        machine.run(["failback", "s", "--auto-approve"]).ok();
        server.find();
        server.fail(STANDBY, "AttachInstances", ("AccessDenied", 403), None);
        failover(&machine).code(1);
        let world = server.boto().world(STANDBY, &["groups", "instances"]);
        let loose = world["instances"].as_object().expect("instances").iter();
        let mut loose = loose.filter(|(id, it)| {
            let group = world["groups"][GROUP]["instances"].as_array().expect("instances");
            !it["tags"]["drstack:burst"].is_null() && !group.contains(&json!(id))
        });
        let (id, _) = loose.next().expect("one that was launched");
        server.boto().drift(STANDBY, "terminate", id, json!({}));
        server.find();
        failover(&machine).unasked();
        assert_eq!(calls(&server, "ec2/CreateFleet"), 1, "{:?}", server.calls());
        expect_whole(&server, 8);
    }

    /// The group is as it was before the failover, so it has no drift. Its own instances carry the
    /// tag too, and are kept.
    #[test]
    fn a_failing_back_ends_what_a_killed_failover_launched_and_no_group_has() {
        let Some(server) = Server::moto() else { return };
        let machine = applied(&server, 8, "");
        let before = server.boto().world(STANDBY, &["groups", "instances"]);
        for id in before["groups"][GROUP]["instances"].as_array().expect("instances") {
            let tag = json!({ "key": "drstack:burst", "value": "pool.inference/group" });
            server.boto().drift(STANDBY, "ec2-tag", id.as_str().expect("an id"), tag);
        }
        killed(&server, &machine);
        let world = server.boto().world(STANDBY, &["groups", "instances"]);
        assert_eq!(launched_by_fleet(&world), 8);
        assert_eq!(world["groups"][GROUP]["sizes"], before["groups"][GROUP]["sizes"]);
        server.find();
        let ran = machine.run(["failback", "s", "--auto-approve"]).ok();
        assert!(ran.stdout.contains("a failover may have left instances beside it"), "{ran:?}");
        assert_eq!(calls(&server, "ec2/TerminateInstances"), 1, "{:?}", server.calls());
        let world = server.boto().world(STANDBY, &["groups", "instances"]);
        assert_eq!(world["groups"][GROUP]["instances"], before["groups"][GROUP]["instances"]);
        let left = |world: &Value| world["instances"].as_object().expect("instances").len();
        assert_eq!(left(&world), 2, "{:#?}", world["instances"]);
        // Once is enough, and a run without a failback does not ask for such instances.
        server.find();
        nothing_to_do(&machine);
        assert!(!server.calls().keys().any(|it| it.ends_with("ec2/TerminateInstances")));
    }

    /// The failback deletes a cold pool's group with its stray instances. A group of another engine
    /// is searched only when it is deleted.
    #[test]
    fn with_the_group_goes_what_was_launched_for_it() {
        let Some(server) = Server::moto() else { return };
        let left = || {
            let world = server.boto().world(STANDBY, &["groups", "instances"]);
            (launched_by_fleet(&world), world["groups"].as_object().map_or(0, serde_json::Map::len))
        };
        let machine = applied(&server, 8, "posture = \"cold\"");
        killed(&server, &machine);
        assert_eq!(left(), (8, 1));
        machine.run(["failback", "s", "--auto-approve"]).ok();
        assert_eq!(left(), (0, 0));

        machine.write("s/stack.toml", &one_pool("engine = \"fleet\""));
        apply(&machine);
        killed(&server, &machine);
        assert_eq!(left(), (6, 1));
        machine.write("s/stack.toml", &one_pool(""));
        machine.run(["failback", "s", "--auto-approve"]).ok();
        assert_eq!(left(), (6, 1));
        machine.run(["destroy", "s", "--auto-approve"]).ok();
        assert_eq!(left(), (0, 0));
    }

    /// Fleet gets four of six instances. The group keeps them and goes on with the next rung.
    #[test]
    fn what_fleet_did_not_get_is_for_the_next_rung() {
        let Some(server) = Server::moto() else { return };
        let machine = applied(&server, 8, "");
        server.slow(Duration::from_millis(5));
        server.scarce(STANDBY, 4, "InsufficientInstanceCapacity");
        let ran = failover(&machine).unasked();
        assert_eq!(calls(&server, "ec2/CreateFleet"), 1, "{:?}", server.calls());
        let degraded = report(&ran)["degraded"].to_string();
        assert!(
            degraded.contains("spot for what on-demand lacks: InsufficientInstanceCapacity"),
            "{degraded}"
        );
        let world = server.boto().world(STANDBY, &["groups", "instances"]);
        assert_eq!(launched_by_fleet(&world), 4);
        assert_eq!(world["groups"][GROUP]["instances"].as_array().map(Vec::len), Some(8));
        assert_eq!(world["instances"].as_object().map(serde_json::Map::len), Some(8));
    }

    /// fakecloud's fleets return neither instances nor errors: the group launches all instances
    /// itself.
    #[test]
    fn what_fleet_does_not_explain_is_launched_by_the_group() {
        let Some(server) = Server::fakecloud(&[]) else { return };
        let machine = applied(&server, 8, "");
        server.black_out("hang");
        let ran = failover(&machine).unasked();
        assert_eq!(calls(&server, "ec2/CreateFleet"), 1, "{:?}", server.calls());
        assert_eq!(report(&ran)["degraded"], json!([]), "{ran:?}");
        server.find();
        let world = server.boto().world(STANDBY, &["groups", "instances"]);
        expect_full(&world, "inference", 8);
        nothing_to_do(&machine);
    }
}
