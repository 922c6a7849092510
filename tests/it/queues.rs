//! Queues that hold messages, on moto.

use serde_json::json;

use crate::components::folders;
use crate::servers::{PRIMARY, STANDBY, Server};

#[test]
fn a_queue_that_holds_messages_is_not_deleted() {
    let Some(server) = Server::moto() else { return };
    let folder = folders().into_iter().find(|it| it.ends_with("queue")).expect("the queue's folder");
    let boto = |what: &str, region: &str| {
        let args = json!({ "file": folder.join("boto.py"), "do": what, "region": region });
        server.boto().run("component", &args)
    };
    let machine = server.drstack();
    boto("seed", PRIMARY);
    machine.write("s/stack.toml", &std::fs::read_to_string(folder.join("stack.toml")).expect("a stack"));
    machine.run(["apply", "s", "--auto-approve"]).ok();
    boto("fill", STANDBY);
    let before = boto("read", STANDBY);
    let ran = machine.run(["destroy", "s", "--auto-approve"]).code(1);
    assert!(ran.stderr.contains("`acme-jobs` holds 1 messages: process or purge them first"), "{ran:?}");
    assert!(ran.stderr.contains("fix what it names, then run the same command again"), "{ran:?}");
    assert_eq!(boto("read", STANDBY)["acme-jobs"], before["acme-jobs"]);
    boto("purge", STANDBY);
    machine.run(["destroy", "s", "--auto-approve"]).ok();
    assert_eq!(boto("read", STANDBY), json!({}));
}
