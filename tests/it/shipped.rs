//! A shipped stack against moto: applied, failed over with the primary lost, failed back
//! and destroyed. What it asks on the internet is asked on this machine; nothing else of it is changed.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::drstack::{Drstack, Ran};
use crate::lost_region::report;
use crate::main_job::values;
use crate::servers::{Boto, PRIMARY, Server, Web};

/// Copies a folder of the repository, so that a stack finds its modules.
fn copy(machine: &Drstack, folder: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(root.join(folder)).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.strip_prefix(root).expect("below the root").to_str().expect("UTF-8");
        match path.is_dir() {
            true => copy(machine, name),
            false => _ = machine.write(name, &fs::read_to_string(&path).expect("text")),
        }
    }
}

/// Starts a web server for each host that a stack asks, and lets the stack ask them. Returns the
/// machine that trusts them.
fn asked_here(
    machine: Drstack,
    stack: &str,
    hosts: &[(&str, &str)],
    targets: &[&str],
) -> (Drstack, Vec<Web>) {
    let path = format!("{stack}/stack.toml");
    let mut text = fs::read_to_string(machine.folder().join(&path)).expect("a stack");
    for target in targets {
        assert!(text.contains(target), "{target} in {text}");
        text = text.replace(target, &format!("{}.localhost", target.split('.').next().expect("a name")));
    }
    let (mut webs, mut authorities) = (Vec::new(), String::new());
    for (written, name) in hosts {
        let folder = machine.folder().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let web = Web::start(name, &folder, "200").expect("Python, as for the server");
        let asked = format!("https://{written}/healthz");
        assert!(text.contains(&asked), "{asked} in {text}");
        text = text.replace(&asked, &format!("https://{}:{}/healthz", name, web.port));
        authorities += &fs::read_to_string(folder.join("ca.pem")).expect("its authority");
        webs.push(web);
    }
    machine.write(&path, &text);
    let trusted = machine.write("trusted.pem", &authorities).display().to_string();
    (machine.env("SSL_CERT_FILE", &trusted), webs)
}

/// The life of a stack. Returns the report of its failover.
fn lives(server: &Server, machine: &Drstack, stack: &str, (region, alarm): (&str, &str)) -> Value {
    let run = |command: &str, more: &[&str]| machine.run([&[command, stack], more].concat());
    let plan = |what: &str| {
        let ran = run("plan", &["--detailed-exitcode"]);
        assert_eq!(ran.code, 0, "{what}: {ran:?}");
    };
    run("apply", &["--auto-approve"]).ok();
    plan("applied");
    // moto evaluates no alarms.
    let set = |state: &str| {
        let what = json!({ "region": region, "do": "alarm", "alarm": alarm, "state": state });
        server.boto().run("traffic", &what);
    };
    set("ALARM");
    server.find();
    server.black_out("hang");
    let ran: Ran = run("failover", &["--auto-approve", "--json"]).ok();
    server.find();
    set("OK");
    let report = report(&ran);
    assert_eq!(
        (&report["verdict"], &report["refused_calls"]),
        (&json!("recovered"), &json!([])),
        "{report:#}"
    );
    assert!(report["recovery_seconds"].as_f64() <= report["rto_seconds"].as_f64(), "{report:#}");
    report
}

/// Fails back, and takes away all but data.
fn ends(machine: &Drstack, stack: &str) {
    machine.run(["failback", stack, "--auto-approve"]).ok();
    machine.run(["destroy", stack, "--auto-approve"]).ok();
}

/// Returns desired instances by group, of the groups that drstack made in a region.
fn sizes(boto: &Boto<'_>, region: &str) -> Vec<(String, u64)> {
    let world = boto.world(region, &["groups"]);
    let groups = world["groups"].as_object().expect("groups").iter();
    let ours = groups.filter(|(name, _)| name.starts_with("drstack-"));
    ours.map(|(name, it)| (name.clone(), it["sizes"]["desired"].as_u64().expect("a number"))).collect()
}

#[test]
fn fleet_routing_lives_on_moto() {
    let Some(server) = Server::moto() else { return };
    let (boto, stack) = (server.boto(), "stacks/fleet-routing");
    boto.seed(&json!([
        { "kind": "bucket", "name": "acme-fleet-models", "contents": { "routes/1": "weights" } },
        { "kind": "bucket", "name": "acme-fleet-offline-features" },
        { "kind": "bucket", "name": "acme-fleet-checkpoints" },
        { "kind": "table", "name": "acme-fleet-features", "items": [{ "pk": "vehicle-1" }] },
        { "kind": "group", "name": "fleet-inference", "types": ["g5.xlarge"], "capacity": 40 },
        { "kind": "zone", "name": "routing.example.com" },
    ]));
    let machine = server.drstack();
    copy(&machine, stack);
    copy(&machine, "modules");
    let hosts = [("api.routing.example.com", "api.routing.example.com")];
    let (machine, _webs) = asked_here(machine, stack, &hosts, &["alb-standby.example.com"]);
    let alarm = ("us-west-2", "drstack-fleet-routing-traffic-api");
    let report = lives(&server, &machine, stack, alarm);
    assert_eq!(report["in_service"], json!({ "before": 10, "fewest": 10, "after": 40 }));
    let group = "drstack-fleet-routing-pool-inference".to_owned();
    assert_eq!(sizes(&boto, "us-west-2"), [(group.clone(), 40)]);
    ends(&machine, stack);
    assert_eq!(sizes(&boto, "us-west-2"), []);
    let kept = boto.world("us-west-2", &["buckets", "tables"]);
    assert!(!kept["buckets"]["acme-fleet-models-us-west-2"].is_null(), "{kept:#}");
    assert!(!kept["tables"]["acme-fleet-features"].is_null(), "{kept:#}");
    assert_eq!(values(&boto.world(PRIMARY, &["groups"])["groups"])[0]["sizes"]["desired"], 40);
}
