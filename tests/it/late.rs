//! A failover takes the lock from a run that has a held call in flight. Whatever happens to that
//! call, the world is the failover's.

use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::drstack::{Drstack, Ran};
use crate::lost_region::{expect_full, failover, pools, report};
use crate::main_job::{apply, nothing_to_do};
use crate::servers::{STANDBY, Server};

/// Random rounds, beside one round for each change that may be undone. `DRSTACK_LATE=50` takes a
/// quarter of an hour.
const ROUNDS: u64 = 3;

/// Rounds at once: each one mostly waits, for as long as a lease lasts.
const AT_ONCE: u64 = 3;

fn rounds() -> u64 {
    std::env::var("DRSTACK_LATE").map_or(ROUNDS, |text| text.parse().expect("DRSTACK_LATE is a number"))
}

/// The command of the old run, and the request of it that is held.
struct Old {
    command: &'static [&'static str],
    operation: &'static str,
    body: &'static str,
}

const OLD: [Old; 3] = [
    Old {
        command: &["apply", "s", "--auto-approve"],
        operation: "UpdateAutoScalingGroup",
        body: "DesiredCapacity=2",
    },
    Old {
        command: &["destroy", "s", "--auto-approve", "--target", "pool.inference/group"],
        operation: "DeleteAutoScalingGroup",
        body: "",
    },
    Old { command: &["apply", "s", "--auto-approve"], operation: "PutParameter", body: "us-east-1" },
];

/// How the request is held.
const HOW: [&str; 4] = ["late", "hang", "ThrottlingException", "ServiceUnavailable"];

const FENCE: &str = "[fence.writers]\n";

/// Returns a world with two pools and a fence that an apply has to change: a group is smaller, and
/// the fence names something else.
fn begin(server: &Server) -> Drstack {
    server.release();
    let machine = crate::lost_region::with_pools(server, FENCE);
    let name = "drstack-fleet-pool-inference";
    server.boto().drift(STANDBY, "group-sizes", name, json!({ "min": 1, "max": 8, "desired": 1 }));
    let set = json!({ "region": STANDBY, "path": "/drstack/fleet", "set": { "/drstack/fleet/active-region": "nowhere" } });
    server.boto().run("parameters", &set);
    machine
}

fn start(machine: &Drstack, args: &[&str]) -> Child {
    let mut command = machine.command(args);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("start drstack")
}

/// Waits until drstack has called `operation` in the standby region.
fn until_called(server: &Server, operation: &str) {
    let begin = Instant::now();
    while !server.calls().keys().any(|call| call.starts_with(STANDBY) && call.ends_with(operation)) {
        assert!(begin.elapsed() < Duration::from_secs(60), "{operation} in {:?}", server.calls());
        thread::sleep(Duration::from_millis(20));
    }
}

/// Fails over from another machine, and releases the held call during the failover or after it.
fn failed_over(server: &Server, moment: Option<Duration>) -> Ran {
    let other = server.drstack();
    other.write("s/stack.toml", &pools(FENCE));
    let Some(moment) = moment else {
        let ran = failover(&other);
        server.release();
        return ran;
    };
    thread::scope(|scope| {
        let ran = scope.spawn(|| failover(&other));
        // Not a wait for an event: the moment itself is random.
        thread::sleep(moment);
        server.release();
        ran.join().expect("a failover")
    })
}

fn round(server: &Server, number: u64, random: &mut fastrand::Rng) {
    let old = &OLD[usize::try_from(number).expect("few") % OLD.len()];
    let how = HOW[random.usize(..HOW.len())];
    let machine = begin(server);
    server.find();
    server.hold(STANDBY, old.operation, old.body, how);
    let child = start(&machine, old.command);
    until_called(server, old.operation);
    // A call that the service has received takes effect within the time of an attempt and some
    // seconds. A hanging one may take for ever.
    let moment = (how == "late" || random.bool()).then(|| Duration::from_millis(random.u64(1_000..20_000)));
    let what = format!("round {number}: {} {how}, let go after {moment:?}", old.operation);
    let ran = failed_over(server, moment);
    let taken_in = Instant::now();
    let ended = child.wait_with_output().expect("wait for drstack");
    assert!(taken_in.elapsed() < Duration::from_secs(5), "{what}: the old run went on");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(4), "{what}\n{said}");
    assert!(said.contains("what was running is stopped"), "{what}\n{said}");
    // The failover is complete, and the stack has no check of what serves.
    assert_eq!(ran.code, 3, "{what}\n{ran:?}");
    assert_eq!(report(&ran)["complete"], true, "{what}\n{ran:?}");
    let world = server.boto().world(STANDBY, &["groups", "instances"]);
    expect_full(&world, "inference", 8);
    expect_full(&world, "ranking", 4);
    let asked = json!({ "region": STANDBY, "path": "/drstack/fleet" });
    let parameters: Value = server.boto().run("parameters", &asked);
    assert_eq!(parameters["/drstack/fleet/active-region"]["value"], STANDBY, "{what}\n{ran:?}");
}

#[test]
fn a_call_of_a_run_whose_lock_was_taken_does_not_undo_the_failover() {
    let rounds = rounds();
    thread::scope(|scope| {
        for lane in 0..AT_ONCE {
            scope.spawn(move || {
                let Some(server) = Server::moto() else { return };
                let mut random = fastrand::Rng::with_seed(lane);
                (lane..rounds)
                    .step_by(AT_ONCE as usize)
                    .for_each(|number| round(&server, number, &mut random));
            });
        }
    });
}

/// A machine that sleeps for longer than its lease sends nothing more when it wakes, and the
/// failover waits for nothing.
#[test]
fn a_run_that_slept_through_its_lease_sends_nothing_more() {
    let Some(server) = Server::moto() else { return };
    let machine = begin(&server);
    server.find();
    server.hold(STANDBY, OLD[0].operation, OLD[0].body, "ThrottlingException");
    let child = start(&machine, OLD[0].command);
    until_called(&server, OLD[0].operation);
    signal(&child, "-STOP");
    let other = server.drstack();
    other.write("s/stack.toml", &pools(FENCE));
    let ran = failover(&other).code(3);
    server.release();
    server.find();
    signal(&child, "-CONT");
    let ended = child.wait_with_output().expect("wait for drstack");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(4), "{said}\n{ran:?}");
    let sent: Vec<String> = server.calls().into_keys().filter(|call| !is_of_records(call)).collect();
    assert_eq!(sent, [""; 0], "sent by the run that slept");
    let world = server.boto().world(STANDBY, &["groups", "instances"]);
    expect_full(&world, "inference", 8);
    apply(&other);
    nothing_to_do(&other);
}

/// True for a read, and for a call on the objects of the control bucket.
fn is_of_records(call: &str) -> bool {
    let operation = call.rsplit('/').next().unwrap_or_default();
    let looks = ["Describe", "Get", "List", "GET", "HEAD"].iter().any(|start| operation.starts_with(start));
    looks || operation.ends_with("Object")
}

fn signal(child: &Child, name: &str) {
    let sent = std::process::Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(sent.expect("run kill").success());
}
