//! Each call that an apply makes, refused in each of the ways that AWS refuses: what is said, and that the next apply completes.

use std::collections::BTreeSet;

use crate::main_job::{apply, nothing_to_do, seed, stack};
use crate::servers::Server;

/// A way to be refused: code and status on the wire, how often, what the program must say if it gives up, and whether it may
/// not notice at all because it tries again.
struct Way {
    error: (&'static str, u16),
    times: Option<u32>,
    says: &'static str,
    may_pass: bool,
}

const WAYS: [Way; 4] = [
    Way { error: ("AccessDeniedException", 403), times: None, says: "allow `", may_pass: false },
    Way { error: ("InternalError", 500), times: Some(1), says: "run again", may_pass: true },
    Way { error: ("ThrottlingException", 400), times: Some(2), says: "apply", may_pass: true },
    Way {
        error: ("InsufficientInstanceCapacity", 400),
        times: None,
        says: "name more instance types",
        may_pass: false,
    },
];

/// Calls that are tried here; `DRSTACK_FAULTS=1000` tries each of them in each way, which takes a quarter of an hour.
const FAULTS: usize = 8;

fn faults() -> usize {
    std::env::var("DRSTACK_FAULTS").map_or(FAULTS, |text| text.parse().expect("DRSTACK_FAULTS is a number"))
}

/// What reads, and what the run cannot do without: the control bucket's own objects.
fn is_write(operation: &str) -> bool {
    let reads = ["Describe", "List", "Get", "GET ", "HEAD "];
    !reads.iter().any(|start| operation.starts_with(start)) && !operation.ends_with("Object")
}

/// Only groups have capacity to lack.
fn fits(way: &Way, operation: &str) -> bool {
    way.error.0 != "InsufficientInstanceCapacity" || operation == "CreateAutoScalingGroup"
}

#[test]
fn a_refused_call_is_said_and_the_next_apply_completes() {
    let Some(server) = Server::moto() else { return };
    seed(&server.boto());
    let machine = server.drstack();
    machine.write("s/stack.toml", &stack("warm"));
    server.find();
    apply(&machine);
    let calls: BTreeSet<(String, String)> = server
        .calls()
        .keys()
        .filter_map(|call| {
            let mut parts = call.splitn(3, '/');
            Some((parts.next()?.to_owned(), parts.nth(1)?.to_owned()))
        })
        .filter(|(_, operation)| is_write(operation))
        .collect();
    assert!(calls.len() > 20, "{calls:?}");
    let mut tries: Vec<_> = calls
        .iter()
        .flat_map(|call| WAYS.iter().map(move |way| (call, way)))
        .filter(|((_, operation), way)| fits(way, operation))
        .collect();
    fastrand::Rng::with_seed(7).shuffle(&mut tries);
    for ((region, operation), way) in tries.into_iter().take(faults()) {
        let what = format!("{operation} in {region} with {:?}", way.error);
        server.reset();
        server.find();
        seed(&server.boto());
        server.fail(region, operation, way.error, way.times);
        let ran = machine.run(["apply", "s", "--auto-approve"]);
        let passed = ran.code == 0 && way.may_pass;
        let said = ran.code == 1 && ran.stderr.contains("error: ") && ran.stderr.contains(way.says);
        assert!(passed || said, "{what}\n{ran:?}");
        server.find();
        apply(&machine);
        nothing_to_do(&machine);
    }
}
