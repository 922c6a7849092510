//! What is set on a followed group and its template: carried, or named in the plan.

use serde_json::{Value, json};

use crate::drstack::Drstack;
use crate::main_job::{apply, nothing_to_do};
use crate::servers::{PRIMARY, STANDBY, Server};

const POOL: &str = r#"
[stack]
name    = "fleet"
primary = "us-east-1"
standby = "us-west-2"
posture = "pilot-light"
control = "acme-control"

[network.standby]
cidr = "10.64.0.0/16"

[pool.inference]
follows = "serve"
network = "@network.standby"
"#;

/// Returns a machine with a pool that follows a group with hooks, and a template with a key pair.
fn followed(server: &Server) -> Drstack {
    let metadata =
        json!({ "HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 2 });
    let template =
        json!({ "KeyName": "ops", "Monitoring": { "Enabled": true }, "MetadataOptions": metadata });
    let more = json!({ "HealthCheckGracePeriod": 900, "TerminationPolicies": ["OldestInstance"] });
    let group = json!({ "kind": "group", "name": "serve", "hooks": 2, "template": template, "more": more });
    server.boto().seed(&json!([group]));
    let machine = server.drstack();
    machine.write("s/stack.toml", POOL);
    machine
}

#[test]
fn a_group_names_what_it_loses_and_carries_the_rest() {
    let Some(server) = Server::moto() else { return };
    let machine = followed(&server);
    let plan = machine.run(["plan", "s"]).ok();
    assert!(plan.stdout.contains("not carried from group serve: key pair"), "{plan:?}");
    apply(&machine);
    let templates = server.boto().world(STANDBY, &["launch_templates"])["launch_templates"].clone();
    let template = &templates["drstack-fleet-pool-inference"]["versions"]["1"]["data"];
    assert_eq!(template["MetadataOptions"]["HttpPutResponseHopLimit"], 2, "{templates}");
    assert_eq!(template["Monitoring"]["Enabled"], true, "{templates}");
    assert_eq!(template["KeyName"], Value::Null, "{templates}");
    let groups = server.boto().world(STANDBY, &["groups"])["groups"].clone();
    let group = &groups["drstack-fleet-pool-inference"];
    assert_eq!(group["health"]["grace"], 900, "{groups}");
    assert_eq!(group["hooks"], json!({"load-0": 3600, "load-1": 3600}), "{groups}");
    nothing_to_do(&machine);
    // It is lost as long as it is there.
    let plan = machine.run(["plan", "s"]).ok();
    assert!(plan.stdout.contains("not carried from group serve: key pair"), "{plan:?}");
}

#[test]
fn a_question_that_is_denied_is_named_and_holds_nothing_up() {
    let Some(server) = Server::moto() else { return };
    let machine = followed(&server);
    server.fail(PRIMARY, "DescribeLifecycleHooks", ("AccessDenied", 403), None);
    let plan = machine.run(["plan", "s"]).ok();
    let unseen = "could not see of group serve: notifying lifecycle hooks (autoscaling:DescribeLifecycleHooks was denied: no hook is carried)";
    assert!(plan.stdout.contains(unseen), "{plan:?}");
    apply(&machine);
}
