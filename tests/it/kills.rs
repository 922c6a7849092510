//! The real program is killed at random moments of an apply, and then run again.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::drstack::Drstack;
use crate::main_job::{apply, nothing_to_do, seed, stack};
use crate::servers::{Boto, PRIMARY, STANDBY, Server};

/// Latency of each call, so that an apply lasts long enough to be killed anywhere.
const LATENCY: Duration = Duration::from_millis(15);

/// Killed applies on each server, each in a world of its own. `DRSTACK_KILLS=50` takes eight
/// minutes.
const KILLS: u64 = 8;

pub(crate) fn kills() -> u64 {
    std::env::var("DRSTACK_KILLS").map_or(KILLS, |text| text.parse().expect("DRSTACK_KILLS is a number"))
}

/// Returns the contents of the regions without what differs between equal runs: ids, times,
/// journals.
fn fingerprint(boto: &Boto<'_>) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for region in [PRIMARY, STANDBY] {
        let world = boto.world(region, &[]);
        for (section, objects) in world.as_object().expect("sections") {
            let objects = objects.as_object().into_iter().flatten();
            let mut shown: Vec<String> = objects.filter_map(|(id, it)| shape(section, id, it)).collect();
            shown.sort();
            all.insert(format!("{region} {section}"), shown);
        }
    }
    all
}

/// Returns an object without its id; `None` for a deleted object that the service still lists.
fn shape(section: &str, id: &str, it: &Value) -> Option<String> {
    let tag = |key: &str| it["Tags"][key].as_str().or(it["tags"][key].as_str()).unwrap_or("-").to_owned();
    let owner = format!("{} {}", tag("drstack:stack"), tag("drstack:address"));
    Some(match section {
        "endpoints" | "instances" if it["State"] == "deleted" || it["state"] == "terminated" => return None,
        "buckets" => {
            let replication = it["replication"]["Rules"].to_string();
            let rest = [&it["versioning"], &it["encryption"], &it["public_access"], &it["lifecycle"]];
            format!("{id} {owner} {rest:?} {replication}")
        }
        "tables" => {
            format!("{id} {owner} {} {} {} {}", it["status"], it["stream"], it["recovery"], it["protected"])
        }
        "groups" => format!("{id} {owner} {} {}", it["sizes"], it["mixed"]["InstancesDistribution"]),
        "launch_templates" => {
            format!("{id} {owner} {}", it["versions"].as_object().map_or(0, serde_json::Map::len))
        }
        "roles" => format!("{id} {owner} {}", it["inline"]),
        "profiles" => format!("{id} {owner} {}", it["roles"]),
        "vpcs" | "subnets" => format!("{owner} {}", it["CidrBlock"]),
        "route_tables" => {
            let subnets = it["Associations"]
                .as_array()
                .map_or(0, |all| all.iter().filter(|it| !it["SubnetId"].is_null()).count());
            format!("{owner} {subnets}")
        }
        "endpoints" => format!("{owner} {} {}", it["ServiceName"], it["State"]),
        "security_groups" if owner.starts_with('-') => owner,
        "security_groups" => format!("{owner} {}", it["IpPermissions"]),
        _ => owner,
    })
}

fn start(machine: &Drstack) -> Child {
    let mut command = machine.command(["apply", "s", "--auto-approve"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("start drstack")
}

/// Returns a server with a seeded primary and a latency on each call.
fn fresh(server: Server) -> (Server, Drstack) {
    seed(&server.boto());
    let machine = server.drstack();
    machine.write("s/stack.toml", &stack("warm"));
    server.slow(LATENCY);
    (server, machine)
}

/// Kills an apply at each of `kills` moments, and as many as `deaths` runs in a row. Run again, it
/// ends in the world of an undisturbed one.
fn killed_anywhere(kills: u64, deaths: u32, start_server: impl Fn() -> Option<Server>) {
    let Some(server) = start_server() else { return };
    let (server, machine) = fresh(server);
    let begin = Instant::now();
    apply(&machine);
    let took = begin.elapsed();
    let undisturbed = fingerprint(&server.boto());
    let mut random = fastrand::Rng::with_seed(kills);
    for kill in 0..kills {
        server.reset();
        seed(&server.boto());
        let mut moments = Vec::new();
        for _ in 0..deaths {
            let moment = took.mul_f64(random.f64());
            let mut child = start(&machine);
            // Not a wait for an event: the moment itself is random.
            std::thread::sleep(moment);
            child.kill().expect("kill drstack");
            child.wait().expect("bury drstack");
            end_lease(&server);
            moments.push(moment);
        }
        let again = machine.run(["apply", "s", "--auto-approve"]);
        assert_eq!(again.code, 0, "kill {kill} after {moments:?} of {took:?}\n{again:?}");
        nothing_to_do(&machine);
        let world = fingerprint(&server.boto());
        for (section, objects) in &undisturbed {
            assert_eq!(&world[section], objects, "{section}, kill {kill} after {moments:?} of {took:?}");
        }
    }
}

#[test]
fn an_apply_killed_anywhere_on_moto_is_finished_by_the_next() {
    killed_anywhere(kills(), 1, Server::moto);
}

#[test]
fn an_apply_killed_twice_in_a_row_on_moto_is_finished_by_the_next() {
    killed_anywhere(kills(), 2, Server::moto);
}

#[test]
fn an_apply_killed_anywhere_on_fakecloud_is_finished_by_the_next() {
    killed_anywhere(kills(), 1, || Server::fakecloud(&[]));
}

/// Starts an apply, and kills it once `operation` was held `times` times. Its lock may then be
/// taken.
fn killed_while_held(server: &Server, machine: &Drstack, operation: &str, times: u64) {
    let mut child = start(machine);
    let (begin, held) = (Instant::now(), format!("swallowed {operation}"));
    let count = || {
        server.calls().iter().filter(|(call, _)| call.ends_with(&held)).map(|(_, count)| count).sum::<u64>()
    };
    while count() < times {
        assert!(begin.elapsed() < Duration::from_secs(60), "not called: {:?}", server.calls());
        std::thread::yield_now();
    }
    child.kill().expect("kill drstack");
    child.wait().expect("bury drstack");
    server.find();
    end_lease(server);
}

/// Ends the lease of a killed run, so that a test does not wait a minute for it.
fn end_lease(server: &Server) {
    server.boto().drift(STANDBY, "lock-lease", "acme-control", json!({}));
}

#[test]
fn what_a_killed_run_had_begun_is_finished_although_the_next_was_killed_before_its_first_entry() {
    let Some(server) = Server::moto() else { return };
    let machine = server.drstack();
    seed(&server.boto());
    machine.write("s/stack.toml", &stack("warm"));
    let owners = || -> Vec<Value> {
        let world = server.boto().world(STANDBY, &["buckets"]);
        let copies = ["acme-models", "acme-archive"].map(|name| format!("{name}-{STANDBY}"));
        copies.iter().map(|name| world["buckets"][name]["tags"].clone()).collect()
    };
    // Both copies exist, and neither has its tags.
    server.swallow(STANDBY, "PUT Bucket tagging", &format!("-{STANDBY}"));
    killed_while_held(&server, &machine, "PUT Bucket tagging", 2);
    assert!(owners().iter().all(|tags| tags["drstack:stack"].is_null()), "{:?}", owners());
    // The next run has the lock, and has written nothing of its own.
    server.swallow(STANDBY, "PUT Object", "/journal/000000.jsonl");
    killed_while_held(&server, &machine, "PUT Object", 1);
    let kept = server.boto().run("objects", &json!({ "region": STANDBY, "bucket": "acme-control" }));
    let keys = kept.as_object().expect("objects").keys();
    let firsts: Vec<_> = keys.filter(|key| key.ends_with("/journal/000000.jsonl")).collect();
    assert_eq!(firsts.len(), 1, "{firsts:?}");
    apply(&machine);
    nothing_to_do(&machine);
    assert!(owners().iter().all(|tags| tags["drstack:stack"] == "fleet"), "{:?}", owners());
}

/// Sends Ctrl-C.
pub(crate) fn interrupt(child: &Child) {
    signal(child, "-INT");
}

fn signal(child: &Child, signal: &str) {
    let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(sent.expect("run kill").success());
}

/// Reads what a run says until it says `text`, and returns that. What it says later stays to be
/// read.
pub(crate) fn until_said(child: &mut Child, text: &str) -> String {
    let stderr = child.stderr.as_mut().expect("its messages are piped");
    let (mut said, mut byte) = (String::new(), [0]);
    while !said.contains(text) {
        stderr.read_exact(&mut byte).unwrap_or_else(|error| panic!("never said {text:?}: {error}\n{said}"));
        said.push(char::from(byte[0]));
    }
    said
}

/// Waits until drstack has called `operation`, so that a step has begun.
pub(crate) fn until_called(server: &Server, operation: &str) {
    let begin = Instant::now();
    while !server.calls().keys().any(|call| call.contains(operation)) {
        assert!(begin.elapsed() < Duration::from_secs(60), "no step began: {:?}", server.calls());
        std::thread::yield_now();
    }
}

#[test]
fn one_ctrl_c_finishes_what_runs_and_two_stop_at_once() {
    for times in [1, 2] {
        let Some(server) = Server::moto() else { return };
        let (server, machine) = fresh(server);
        // A step runs until the signals were heard.
        server.hold(STANDBY, "CreateVpc", "", "hang");
        let mut command = machine.command(["apply", "s", "--auto-approve"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("start drstack");
        until_called(&server, "/CreateVpc");
        interrupt(&child);
        let mut said = until_said(&mut child, "stopping: ");
        if times == 1 {
            server.release();
        } else {
            interrupt(&child);
        }
        let ended = child.wait_with_output().expect("wait for drstack");
        server.release();
        said += &String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(130), "{times} Ctrl-C\n{said}");
        // B13: what was stopped is not called finished.
        let what = if times == 1 { "finished" } else { "stopped" };
        assert!(said.contains(&format!("what was running is {what};")), "{times} Ctrl-C\n{said}");
        // The run released its lock, so no unlock is needed.
        apply(&machine);
        nothing_to_do(&machine);
        let world = server.boto().world(STANDBY, &["vpcs"]);
        let ours = world["vpcs"]
            .as_object()
            .expect("VPCs")
            .values()
            .filter(|it| it["Tags"]["drstack:stack"] == "fleet");
        assert_eq!(ours.count(), 1, "{times} Ctrl-C");
    }
}

/// A run that is asked to stop after it took the lock, and before its first step, releases it and
/// changes nothing (A8).
#[test]
fn a_run_that_is_stopped_before_its_first_step_releases_the_lock() {
    let Some(server) = Server::moto() else { return };
    let (server, machine) = fresh(server);
    for sent in ["-INT", "-TERM"] {
        server.find();
        server.slow(10 * LATENCY);
        let mut child = start(&machine);
        // The lock is the first object that a run writes.
        until_called(&server, "/PUT Object");
        signal(&child, sent);
        let status = child.wait().expect("wait for drstack");
        assert_eq!(status.code(), Some(130), "{sent}");
        let calls = server.calls();
        assert!(!calls.keys().any(|call| call.contains("/CreateVpc")), "{sent}: {calls:?}");
        server.slow(Duration::ZERO);
        let unlock = machine.run(["unlock", "s", "--force"]).code(0);
        assert!(unlock.stdout.contains("not locked"), "{sent}: {unlock:?}");
    }
}

/// A plan writes nothing, neither in the primary nor in the standby region.
#[test]
fn a_plan_changes_nothing() {
    let Some(server) = Server::moto() else { return };
    let (server, machine) = fresh(server);
    let before = (server.boto().world(PRIMARY, &[]), server.boto().world(STANDBY, &[]));
    machine.run(["plan", "s", "--detailed-exitcode"]).code(2);
    // No apply has run: a failover would need what does not exist.
    machine.run(["plan", "s", "--mode", "active"]).code(1);
    assert_eq!((server.boto().world(PRIMARY, &[]), server.boto().world(STANDBY, &[])), before);
    assert_eq!(json!(null), server.boto().world(STANDBY, &["buckets"])["buckets"]["acme-control"]);
}
