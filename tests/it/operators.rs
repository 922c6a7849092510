//! Failovers with interference: killed and interrupted ones, a second operator, an apply on the old
//! side.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::drstack::Drstack;
use crate::kills::{interrupt, kills, until_called, until_said};
use crate::lost_region::{LATENCY, calls_elsewhere, expect_full, failover, pools, with_pools};
use crate::servers::{STANDBY, Server};

/// Counts the resources of each sort in the standby region.
fn counts(world: &Value) -> BTreeMap<String, usize> {
    let sections = ["vpcs", "subnets", "security_groups", "groups", "launch_templates", "images"];
    sections.map(|it| (it.to_owned(), world[it].as_object().map_or(0, serde_json::Map::len))).into()
}

/// Kills a process.
fn kill(mut child: Child) {
    child.kill().expect("kill drstack");
    child.wait().expect("bury drstack");
}

fn start(machine: &Drstack, args: &[&str]) -> Child {
    let mut command = machine.command(args);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("start drstack")
}

const FAILOVER: [&str; 3] = ["failover", "s", "--auto-approve"];

/// The first call of a failover.
const RAISE: &str = "/UpdateAutoScalingGroup";

#[test]
fn a_failover_killed_anywhere_is_finished_by_the_next() {
    let Some(server) = Server::moto() else { return };
    // Half as many kills as for applies: the next failover waits for the calls that the killed one
    // may have in flight.
    let kills = kills().div_ceil(2);
    let machine = with_pools(&server, "");
    let before = counts(&server.boto().world(STANDBY, &[]));
    server.slow(LATENCY);
    let begin = Instant::now();
    failover(&machine).unasked();
    let took = begin.elapsed();
    let mut random = fastrand::Rng::with_seed(kills);
    for number in 0..kills {
        let machine = with_pools(&server, "");
        server.slow(LATENCY);
        server.black_out("hang");
        let moment = took.mul_f64(random.f64());
        let child = start(&machine, &FAILOVER);
        // Not a wait for an event: the moment itself is random.
        std::thread::sleep(moment);
        kill(child);
        machine.run(["unlock", "s", "--force"]).ok();
        let again = failover(&machine);
        assert_eq!(again.code, 3, "kill {number} after {moment:?} of {took:?}\n{again:?}");
        assert_eq!(calls_elsewhere(&server), BTreeMap::new());
        server.slow(Duration::ZERO);
        server.find();
        let world = server.boto().world(STANDBY, &[]);
        assert_eq!(counts(&world), before, "kill {number} after {moment:?} of {took:?}");
        expect_full(&world, "inference", 8);
        expect_full(&world, "ranking", 4);
    }
}

#[test]
fn a_second_operator_is_told_and_may_watch() {
    let Some(server) = Server::moto() else { return };
    let machine = with_pools(&server, "");
    server.black_out("hang");
    // The first failover keeps running until the second one was refused.
    server.fail(STANDBY, "UpdateAutoScalingGroup", ("ResourceContention", 400), None);
    let child = start(&machine, &FAILOVER);
    until_called(&server, RAISE);
    let watched = machine.command(["failover", "s", "--watch"]).spawn().expect("start drstack");
    let second = machine.run(FAILOVER).code(4);
    assert!(second.stderr.contains("waiting for a sign of life"), "{second:?}");
    server.find();
    let first = child.wait_with_output().expect("wait for drstack");
    assert_eq!(first.status.code(), Some(3), "no check asks it");
    let watched = watched.wait_with_output().expect("wait for drstack");
    let text = String::from_utf8_lossy(&watched.stdout);
    assert!(text.contains("began pool.") && text.contains("has ended"), "{text}");
    assert!(text.contains("/2] done pool."), "{text}");
}

#[test]
fn a_failover_stops_an_apply_that_is_still_at_work() {
    let Some(server) = Server::moto() else { return };
    let machine = with_pools(&server, "");
    machine.write("s/stack.toml", &pools("[bucket.more]\nname = \"acme-more\"\n"));
    server.boto().seed(&json!([{ "kind": "bucket", "name": "acme-more" }]));
    server.find();
    server.slow(Duration::from_millis(300));
    let mut command = machine.command(["apply", "s", "--auto-approve"]);
    let apply = command.spawn().expect("start drstack");
    until_called(&server, "/s3/PUT Bucket");
    server.black_out("hang");
    let other = server.drstack();
    other.write("s/stack.toml", &pools(""));
    let ran = failover(&other).unasked();
    assert!(ran.stderr.contains("took the lock from `drstack apply`"), "{ran:?}");
    server.slow(Duration::ZERO);
    server.find();
    let stopped = apply.wait_with_output().expect("wait for drstack");
    let said = String::from_utf8_lossy(&stopped.stderr);
    assert!([Some(1), Some(4)].contains(&stopped.status.code()), "{:?}\n{said}", stopped.status);
    crate::main_job::apply(&other);
    let world = server.boto().world(STANDBY, &["groups", "instances"]);
    expect_full(&world, "inference", 8);
    expect_full(&world, "ranking", 4);
}

/// The next run completes a failover after one Ctrl-C, and after two. Neither needs an unlock, and
/// no instance in service is lost.
#[test]
fn a_failover_that_is_interrupted_once_or_twice_is_finished_by_the_next() {
    let Some(server) = Server::moto() else { return };
    for times in [1, 2] {
        let machine = with_pools(&server, "");
        // The second pool waits for the first, so that a step is left to start.
        let tiers = pools("").replace("tier = 2", "tier = 3");
        machine.write("s/stack.toml", &tiers);
        crate::main_job::apply(&machine);
        let before = server.boto().world(STANDBY, &[]);
        server.find();
        server.slow(Duration::from_millis(200));
        server.black_out("hang");
        let mut command = machine.command(FAILOVER);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("start drstack");
        until_called(&server, RAISE);
        interrupt(&child);
        if times == 2 {
            until_said(&mut child, "stopping: ");
            interrupt(&child);
        }
        let ended = child.wait_with_output().expect("wait for drstack");
        assert_eq!(ended.status.code(), Some(130), "{times} Ctrl-C");
        server.slow(Duration::ZERO);
        failover(&machine).unasked();
        assert_eq!(calls_elsewhere(&server), BTreeMap::new());
        server.find();
        let world = server.boto().world(STANDBY, &[]);
        assert_eq!(counts(&world), counts(&before), "{times} Ctrl-C");
        expect_full(&world, "inference", 8);
        expect_full(&world, "ranking", 4);
    }
}
