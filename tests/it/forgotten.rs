//! The mode record is lost on moto, and boto3 reads back that the standby region goes on serving.

use serde_json::{Value, json};

use crate::lost_region::{expect_full, pools, with_pools};
use crate::main_job::{apply, nothing_to_do};
use crate::servers::{Boto, STANDBY, Server};

const CONTROL: &str = "acme-control";

fn told(boto: &Boto<'_>, name: &str) -> Value {
    let all = boto.run("parameters", &json!({ "region": STANDBY, "path": "/drstack/fleet" }));
    all[format!("/drstack/fleet/{name}")]["value"].clone()
}

/// Asserts that the standby region serves with all its capacity, in epoch 1.
fn expect_serving(boto: &Boto<'_>) {
    let world = boto.world(STANDBY, &[]);
    expect_full(&world, "inference", 8);
    expect_full(&world, "ranking", 4);
    assert_eq!((told(boto, "active-region"), told(boto, "epoch")), (json!(STANDBY), json!("1")));
}

#[test]
fn a_deleted_record_of_the_mode_steps_nothing_down() {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    let machine = with_pools(&server, "");
    machine.write("s/stack.toml", &format!("{}[fence.writers]\n", pools("")));
    apply(&machine);
    let first = told(&boto, "mode").to_string();
    assert!(
        first.contains("acme-control") && first.contains("epoch\\\":0"),
        "it names the control bucket: {first}"
    );
    server.find();
    machine.run(["failover", "s", "--auto-approve"]).unasked();
    let writes = server.calls();
    assert_eq!(
        writes[&format!("{STANDBY}/ssm/PutParameter")],
        3,
        "one more than the fence takes: {writes:?}"
    );
    expect_serving(&boto);

    boto.run("objects", &json!({ "region": STANDBY, "bucket": CONTROL, "delete": ["mode.json"] }));
    for command in
        [&["plan", "s"][..], &["apply", "s", "--auto-approve"], &["destroy", "s", "--auto-approve"]]
    {
        let ran = machine.run(command).code(3);
        assert!(
            ran.stderr.contains("the parameter `/drstack/fleet/mode` says that us-west-2 serves"),
            "{ran:?}"
        );
        assert!(ran.stderr.contains("drstack apply STACK --mode active"), "{ran:?}");
    }
    expect_serving(&boto);
    machine.run(["apply", "s", "--mode", "active", "--auto-approve"]).ok();
    expect_serving(&boto);
    nothing_to_do(&machine);

    machine.run(["failback", "s", "--auto-approve"]).ok();
    assert_eq!((told(&boto, "active-region"), told(&boto, "epoch")), (json!("us-east-1"), json!("2")));
    // The first record of the failback is lost too: the epoch must not fall.
    boto.run("objects", &json!({ "region": STANDBY, "bucket": CONTROL, "delete": ["mode.json"] }));
    machine.run(["apply", "s", "--auto-approve"]).code(3);
    machine.run(["apply", "s", "--mode", "standby", "--auto-approve"]).ok();
    assert_eq!(told(&boto, "epoch"), "2");
    nothing_to_do(&machine);
    machine.run(["destroy", "s", "--delete-data", "control", "--auto-approve"]).ok();
    assert_eq!(told(&boto, "mode"), Value::Null, "it goes with the control bucket");
}
