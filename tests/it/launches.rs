//! The account's launch budget: a pool above it is raised in parts.

use serde_json::json;

use crate::lost_region::failover;
use crate::main_job::{apply, nothing_to_do};
use crate::servers::{STANDBY, Server};

/// More instances than EC2 lets an account launch at once, by as many as take ten seconds.
const CAPACITY: usize = 1020;

const STACK: &str = r#"
[stack]
name    = "fleet"
primary = "us-east-1"
standby = "us-west-2"
posture = "pilot-light"
control = "acme-control"

[network.standby]
cidr = "10.64.0.0/16"

[pool.inference]
follows  = "serve"
network  = "@network.standby"
"#;

#[test]
fn a_group_that_is_too_large_to_be_launched_at_once_is_raised_in_parts() {
    let Some(server) = Server::fakecloud(&[]) else { return };
    server.boto().seed(
        &json!([{ "kind": "group", "name": "serve", "types": ["m5.large", "c5.large"], "capacity": 2 }]),
    );
    let machine = server.drstack();
    machine.write("s/stack.toml", &format!("{STACK}capacity = {CAPACITY}\n"));
    apply(&machine);
    server.find();
    server.black_out("hang");
    let begin = std::time::Instant::now();
    let ran = failover(&machine).unasked();
    let took = begin.elapsed();
    let updates = format!("{STANDBY}/autoscaling/UpdateAutoScalingGroup");
    assert_eq!(server.calls().get(&updates), Some(&2), "{:?}", server.calls());
    assert!(took.as_secs() >= 9, "{took:?}");
    assert!(ran.stdout.contains("1000 of 1020 instances asked for"), "{ran:?}");
    server.find();
    let world = server.boto().world(STANDBY, &["groups"]);
    let group = &world["groups"]["drstack-fleet-pool-inference"];
    assert_eq!(group["sizes"]["desired"], CAPACITY);
    assert_eq!(group["sizes"]["min"], CAPACITY);
    assert_eq!(group["instances"].as_array().map(Vec::len), Some(CAPACITY));
    nothing_to_do(&machine);
}
