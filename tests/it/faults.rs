//! Refuses each call of an apply in each way that AWS refuses: drstack reports the error, and the
//! next apply completes.

use std::collections::BTreeSet;

use crate::main_job::{apply, nothing_to_do, seed, stack};
use crate::servers::Server;

/// A way to refuse: code and status of the response, how often, the text that drstack prints if it
/// gives up, and if drstack may succeed without a report, because it retries.
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

/// Number of calls to refuse here. `DRSTACK_FAULTS=1000` refuses each call in each way, which takes
/// a quarter of an hour.
const FAULTS: usize = 8;

fn faults() -> usize {
    std::env::var("DRSTACK_FAULTS").map_or(FAULTS, |text| text.parse().expect("DRSTACK_FAULTS is a number"))
}

/// True for a write other than to the control bucket's own objects, which the run cannot do
/// without.
fn is_write(operation: &str) -> bool {
    let reads = ["Describe", "List", "Get", "GET ", "HEAD "];
    !reads.iter().any(|start| operation.starts_with(start)) && !operation.ends_with("Object")
}

/// True if the error fits the operation: only groups can lack capacity.
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
